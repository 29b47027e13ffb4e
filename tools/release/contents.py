"""List what an image holds: Debian packages, Python distributions and the modules of Go programs."""

from __future__ import annotations

import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

from devcluster.prerequisites import require_go
from imagebuild.oci import BuiltImage, blob_path

_DEBIAN = "var/lib/dpkg/status.d/"
_PYTHON = re.compile(r"\.dist-info/METADATA$")
_ELF, _GO = b"\x7fELF", b"\xff Go buildinf:"
_GO_SECONDS = 60


@dataclass(frozen=True, order=True)
class Package:
    """One thing in an image. `kind`: `deb`, `pypi` or `golang`; `licence`: an SPDX expression, or empty."""

    kind: str
    name: str
    version: str
    licence: str = ""


def of_image(image: BuiltImage) -> list[Package]:
    """Everything that can be told, sorted, each once."""
    found: set[Package] = set()
    with tarfile.open(image.tar) as archive:
        for digest in image.layer_digests:
            body = archive.extractfile(blob_path(digest))
            if body is not None:
                with body, tarfile.open(fileobj=body, mode="r:") as layer:
                    for entry in layer:
                        found.update(_of_entry(layer, entry))
    return sorted(found)


def _of_entry(layer: tarfile.TarFile, entry: tarfile.TarInfo) -> Iterator[Package]:
    if not entry.isreg():
        return
    if entry.name.startswith(_DEBIAN):
        yield from _headers(layer, entry, "deb", "Package")
    elif _PYTHON.search(entry.name):
        yield from _headers(layer, entry, "pypi", "Name")
    elif entry.mode & 0o111:
        yield from _go_modules(layer, entry)


def _headers(layer: tarfile.TarFile, entry: tarfile.TarInfo, kind: str, name: str) -> Iterator[Package]:
    fields = HeaderParser().parsestr(_content(layer, entry).decode("utf-8", "replace"))
    if fields[name] and fields["Version"]:
        yield Package(kind, fields[name], fields["Version"], fields.get("License-Expression", ""))


def _content(layer: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    body = layer.extractfile(entry)
    if body is None:
        return b""
    with body:
        return body.read()


def _go_modules(layer: tarfile.TarFile, entry: tarfile.TarInfo) -> Iterator[Package]:
    data = _content(layer, entry)
    if not data.startswith(_ELF) or _GO not in data:
        return
    with tempfile.NamedTemporaryFile(prefix="release-") as file:
        file.write(data)
        file.flush()
        Path(file.name).chmod(0o700)  # `go version` looks at executables only
        done = subprocess.run(
            [require_go(), "version", "-m", file.name],
            capture_output=True,
            text=True,
            timeout=_GO_SECONDS,
            check=True,
        )
    for line in done.stdout.splitlines():
        words = line.split("\t")
        # "mod" is the program's own module, "=>" what a replaced one is in truth; (devel) has no version
        if len(words) > 3 and words[1] in {"mod", "dep", "=>"} and words[3].startswith("v"):
            yield Package("golang", words[2], words[3])
