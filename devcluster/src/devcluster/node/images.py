"""The cluster's own images: pause, CoreDNS, and a busybox for tests and for looking around."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from devcluster import build, cache, oci
from devcluster.console import Console
from devcluster.errors import BuildFailedError, DevclusterError
from devcluster.node.containerd import PAUSE_IMAGE
from devcluster.oci import Entry
from devcluster.recipes import RECIPES

BUSYBOX_IMAGE = "localhost/devcluster/busybox:latest"
_PAUSE_SOURCE = Path(__file__).with_name("files") / "pause.c"
_SECONDS = 120
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class OwnImages:
    """The tars of the cluster's own images, and CoreDNS's reference."""

    tars: tuple[Path, ...]
    coredns: str


def ensure(coredns: Path, console: Console) -> OwnImages:
    """Return the cluster's own images; make them unless they were made from the same inputs before."""
    busybox = _busybox()
    digest = hashlib.sha256()
    for path in (Path(__file__), Path(oci.__file__), _PAUSE_SOURCE, busybox):
        digest.update(path.read_bytes())
    digest.update(coredns.parent.name.encode())  # named by its content
    folder = cache.binaries() / f"node-images-{digest.hexdigest()[:12]}"
    reference = f"localhost/devcluster/coredns:{RECIPES['coredns'].version()}-{coredns.parent.name[-12:]}"
    lock = cache.binaries() / ".node-images.lock"
    with cache.locked(lock, seconds=300, waiting_for="making the node's images"):
        if not folder.exists():
            with console.step("making the node's own images"):
                _make(folder, coredns, reference, busybox)
    return OwnImages(tuple(folder / f"{name}.tar" for name in ("pause", "coredns", "busybox")), reference)


def _busybox() -> Path:
    for place in ("/bin/busybox", "/usr/bin/busybox"):
        if Path(place).exists():
            return Path(place)
    raise DevclusterError("busybox-static is missing.")


def _make(folder: Path, coredns: Path, reference: str, busybox: Path) -> None:
    architecture = _ARCHITECTURES.get(platform.machine(), platform.machine())
    work = Path(tempfile.mkdtemp(prefix=".node-images-", dir=folder.parent))
    try:
        output = work / "out"
        output.mkdir()
        pause = [Entry("pause", content=_compile_pause(work))]
        settings = {"Entrypoint": ["/pause"], "User": "65535:65535"}
        oci.write(output / "pause.tar", PAUSE_IMAGE, pause, settings, architecture)
        dns = [Entry("tmp", 0o1777), Entry("coredns", content=coredns.read_bytes())]
        oci.write(output / "coredns.tar", reference, dns, {"Entrypoint": ["/coredns"]}, architecture)
        tools = {"Cmd": ["sh"], "Env": ["PATH=/bin:/sbin:/usr/bin:/usr/sbin"]}
        oci.write(output / "busybox.tar", BUSYBOX_IMAGE, _busybox_entries(busybox), tools, architecture)
        output.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _compile_pause(work: Path) -> bytes:
    log = work / "pause.log"
    command = ["gcc", "-Os", "-static", "-s", "-o", str(work / "pause"), str(_PAUSE_SOURCE)]
    with log.open("w") as handle:
        done = subprocess.run(command, stdout=handle, stderr=handle, timeout=_SECONDS)
    if done.returncode != 0:
        raise BuildFailedError(f"Compiling pause failed.\n{build.tail(log)}")
    return (work / "pause").read_bytes()


def _busybox_entries(busybox: Path) -> list[Entry]:
    listed = subprocess.run(
        [str(busybox), "--list"], capture_output=True, text=True, timeout=_SECONDS, check=True
    )
    applets = [name for name in listed.stdout.split() if name != "busybox"]
    return [
        *(Entry(name) for name in ("bin", "etc", "root")),
        Entry("tmp", 0o1777),
        Entry("etc/passwd", 0o644, b"root:x:0:0:root:/root:/bin/sh\n"),
        Entry("etc/group", 0o644, b"root:x:0:\n"),
        Entry("bin/busybox", content=busybox.read_bytes()),
        *(Entry(f"bin/{name}", 0o777, "busybox") for name in applets),
    ]
