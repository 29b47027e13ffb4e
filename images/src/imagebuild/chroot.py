"""Run programs inside a root filesystem: builds (root, network) and checks (their user, read-only)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imagebuild.errors import BuildError
from imagebuild.oci import DEFAULT_PATH

_SCRIPT = Path(__file__).with_name("enter.sh")


@dataclass(frozen=True)
class Bind:
    """A file or folder of this machine at an absolute place inside."""

    source: Path
    target: str
    read_only: bool = False

    def word(self) -> str:
        """As enter.sh reads it."""
        return f"{self.source}:{self.target}" + (":ro" if self.read_only else "")


@dataclass(frozen=True)
class Chroot:
    """A root filesystem that programs can run in. Missing mount points are made in it."""

    root: Path
    user: str = "0:0"
    read_only: bool = False
    private_network: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    binds: tuple[Bind, ...] = ()

    def argv(self, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` inside: own mounts and processes; ends with its parent."""
        for name in ("proc", "tmp", "dev"):
            (self.root / name).mkdir(exist_ok=True)
        uid, _, gid = self.user.partition(":")
        env = {"PATH": DEFAULT_PATH, "HOME": "/tmp", "LANG": "C.UTF-8", **self.env}  # noqa: S108 - inside the root
        loopback = ["--net"] if self.private_network else []
        return [
            "unshare",
            "--mount",
            "--pid",
            "--ipc",
            "--uts",
            *loopback,
            "--fork",
            "--kill-child",
            "env",
            f"ENTER_LOOPBACK={'1' if self.private_network else ''}",
            "bash",
            str(_SCRIPT),
            str(self.root),
            f"{uid}:{gid or uid}",
            "ro" if self.read_only else "rw",
            *[bind.word() for bind in self.binds],
            "--",
            *[f"{name}={value}" for name, value in env.items()],
            "--",
            *command,
        ]

    def run(self, command: Sequence[str], deadline: float = 300.0) -> subprocess.CompletedProcess[str]:
        """Run to the end and return what it said and its code. Raises on the deadline."""
        return subprocess.run(
            self.argv(command), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=deadline
        )


def network_binds() -> tuple[Bind, ...]:
    """What a program inside needs to reach the network as this machine does: mounted, never copied."""
    return tuple(
        Bind(Path(name), name, read_only=True)
        for name in ("/etc/resolv.conf", "/etc/hosts")
        if Path(name).exists()
    )


def require_root() -> None:
    """Raises BuildError in one sentence when the chroot steps are not allowed."""
    if os.geteuid() != 0:
        raise BuildError(
            "building without Docker needs root (it unpacks files of other owners and uses chroot): run it "
            "as root, or build the Containerfiles with docker, podman or buildah (see images/README.md)"
        )
