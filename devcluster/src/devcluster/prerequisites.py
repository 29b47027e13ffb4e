"""Programs of the machine that devcluster needs and does not build."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from devcluster.console import Console
from devcluster.errors import DevclusterError


@dataclass(frozen=True)
class Prerequisite:
    """Something that a Debian package gives; present when one of ``programs`` or ``files`` is there."""

    package: str
    programs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def present(self) -> bool:
        """Say whether the machine has it."""
        if any(find_program(name) for name in self.programs):
            return True
        return any(found for pattern in self.files for found in Path("/").glob(pattern.lstrip("/")))


CGO = (
    Prerequisite("gcc", programs=("gcc",)),
    Prerequisite("libc6-dev", files=("/usr/include/stdio.h",)),
    Prerequisite("pkg-config", programs=("pkg-config", "pkgconf")),
    Prerequisite("libseccomp-dev", files=("/usr/include/seccomp.h",)),
)
NODE = (
    *CGO,
    Prerequisite("catatonit", programs=("catatonit",)),
    Prerequisite("busybox-static", files=("/bin/busybox", "/usr/bin/busybox")),
    Prerequisite("nftables", programs=("nft",)),
    Prerequisite("iptables", programs=("iptables",)),
    Prerequisite("conntrack", programs=("conntrack",)),
    Prerequisite("iproute2", programs=("ip",)),
    Prerequisite("util-linux", programs=("nsenter",)),
)


def find_program(name: str) -> str | None:
    """Find a program on PATH or in the administrator's directories, which a user's PATH may lack."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    return shutil.which(name, path=path)


def find_go() -> str | None:
    """Return the path of ``go``, or None when the machine has none."""
    return find_program("go") or shutil.which("/usr/local/go/bin/go")


def require_go() -> str:
    """Return the path of ``go``; raise DevclusterError when there is none."""
    go = find_go()
    if go is None:
        raise DevclusterError(
            "Go is needed to build Kubernetes: install Go 1.24 or newer from https://go.dev/dl/."
        )
    return go


def ensure(needed: Iterable[Prerequisite], console: Console) -> None:
    """Make sure that every prerequisite is there.

    Missing packages are installed when we are root and apt-get exists; else DevclusterError names the
    command to run.
    """
    missing = [item.package for item in needed if not item.present()]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        prefix = "" if os.geteuid() == 0 else "sudo "
        raise DevclusterError(
            f"This machine lacks {', '.join(missing)} (names of Debian packages). "
            f"Install with: {prefix}apt-get install {' '.join(missing)}"
        )
    with console.step(f"installing {', '.join(missing)}"):
        _install(missing)
    still = [item.package for item in needed if not item.present()]
    if still:
        raise DevclusterError(
            f"apt-get installed {', '.join(still)}, but what they should give is not there."
        )


def _install(packages: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    attempts = [command, ["apt-get", "update", "-qq"], command]
    with tempfile.TemporaryFile("w+") as log:
        for attempt in attempts:
            done = subprocess.run(
                attempt, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, timeout=900
            )
            if done.returncode == 0 and attempt is command:
                return
        log.seek(0)
        tail = "\n".join(log.read().splitlines()[-8:])
    raise DevclusterError(f"{' '.join(command)} failed:\n{tail}")
