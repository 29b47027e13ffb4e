"""Brings images into the node's containerd.

An image that is there costs nothing, a new name for it almost nothing, and of a changed image only the
layers travel that containerd does not have yet.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster import oci
from devcluster.console import Console
from devcluster.errors import DevclusterError
from devcluster.node import spec
from devcluster.node.namespaces import Namespaces

_SECONDS = 600.0


@dataclass(frozen=True)
class Loaded:
    """What loading one tar did; ``action`` is one of present, tagged, imported."""

    tar: Path
    action: str
    bytes_skipped: int = 0


class ImageStore:
    """The images of one running node."""

    def __init__(self, namespaces: Namespaces, ctr: Path):
        self._namespaces = namespaces
        self._ctr = [str(ctr), "--address", spec.CONTAINERD_SOCKET, "--namespace", "k8s.io"]

    def answers(self) -> bool:
        """Say whether containerd can be asked."""
        return self._namespaces.run([*self._ctr, "version"], seconds=30).returncode == 0

    def digests(self) -> dict[str, str]:
        """Return the manifest digest of every image by reference."""
        lines = self._run("images", "list").splitlines()[1:]
        return {fields[0]: fields[2] for fields in (line.split() for line in lines) if len(fields) > 2}

    def load(self, tars: Sequence[Path], console: Console) -> list[Loaded]:
        """Bring the images of OCI layout tars into the node; raise DevclusterError when one is refused.

        Only an import is worth a line of progress.
        """
        have = self.digests()
        blobs: set[str] | None = None
        done = []
        for tar in tars:
            wanted = oci.images(tar)
            missing = [(name, i) for i in wanted for name in i.references if have.get(name) != i.digest]
            action, skipped = "present", 0
            if missing and all(image.digest in have.values() for _, image in missing):
                action = "tagged"
                for name, image in missing:
                    known = next(r for r, digest in have.items() if digest == image.digest)
                    self._run("images", "tag", "--force", known, name)
            elif missing:
                action = "imported"
                blobs = set(self._run("content", "list", "--quiet").split()) if blobs is None else blobs
                layers = {digest for image in wanted for digest in image.layers}
                with console.step(f"loading image {tar.stem}"):
                    skipped = self._import(tar, layers & blobs)
                blobs |= layers
            have |= {name: image.digest for image in wanted for name in image.references}
            done.append(Loaded(tar, action, skipped))
        return done

    def _import(self, tar: Path, absent: set[str]) -> int:
        # --local: the client reads the tar itself; the transfer service would need the file inside the node.
        command = self._namespaces.command([*self._ctr, "images", "import", "--local", "-"])
        with tempfile.TemporaryFile("w+") as output:
            if not absent:
                with tar.open("rb") as source:
                    done = subprocess.run(
                        command, stdin=source, stdout=output, stderr=output, timeout=_SECONDS
                    )
                code, skipped = done.returncode, 0
            else:
                code, skipped = _stream(command, tar, absent, output.fileno())
            if code != 0:
                output.seek(0)
                lines = output.read().splitlines()
                last = lines[-1] if lines else "no message"
                raise DevclusterError(f"containerd refused {tar.name}: {last}")
        return skipped

    def _run(self, *arguments: str) -> str:
        done = self._namespaces.run([*self._ctr, *arguments], seconds=60)
        if done.returncode != 0:
            raise DevclusterError(f"`ctr {' '.join(arguments)}` failed: {done.stderr.strip()}")
        return done.stdout


def _stream(command: list[str], tar: Path, absent: set[str], output: int) -> tuple[int, int]:
    """Feed a layout without the absent blobs to a program; return its exit code and the bytes left out."""
    reading, writing = os.pipe()
    with subprocess.Popen(command, stdin=reading, stdout=output, stderr=output) as process:
        os.close(reading)
        killer = threading.Timer(_SECONDS, process.kill)
        killer.start()
        skipped = 0
        try:
            with os.fdopen(writing, "wb") as stream:
                skipped = oci.copy_without(tar, stream, absent)
        except BrokenPipeError:
            pass  # the program gave up early; its exit code and message say why
        finally:
            code = process.wait()
            killer.cancel()
    return code, skipped
