"""The node's control groups: they hold every process of the node, so they are also how we find them all.

A group is made before anything is started and removed after everything has ended. Whatever happens to the
process that started a node, ``kill`` finds what is left of it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devcluster import processes
from devcluster.errors import DevclusterError, UnsuitableMachineError

_MOUNTS = Path("/proc/self/mountinfo")
_NEEDED = frozenset({"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "pids"})
_NEEDED_V2 = ("cpu", "cpuset", "io", "memory", "pids")
DAEMONS = "daemons"


@dataclass(frozen=True)
class Hierarchy:
    """One mounted cgroup hierarchy: where, and which controllers (or ``name=...``) it has; none for v2."""

    mount: Path
    options: tuple[str, ...]

    @property
    def unified(self) -> bool:
        """Whether this is cgroup v2."""
        return not self.options


def hierarchies(mountinfo: str | None = None) -> list[Hierarchy]:
    """Return the hierarchies a node needs: those of v1 where all controllers are in v1, else that of v2.

    Raises UnsuitableMachineError when neither is complete.
    """
    v1: list[Hierarchy] = []
    v2: list[Hierarchy] = []
    text = _MOUNTS.read_text() if mountinfo is None else mountinfo
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ")[:3]
        mount = Path(left.split(" ")[4])
        if kind == "cgroup2" and not v2:
            v2.append(Hierarchy(mount, ()))
        elif kind == "cgroup":
            names = tuple(o for o in options.split(",") if o in _NEEDED | {"blkio"} or o.startswith("name="))
            if names and all(names != known.options for known in v1):
                v1.append(Hierarchy(mount, names))
    found = {option for hierarchy in v1 for option in hierarchy.options}
    if found >= _NEEDED:
        return v1
    if v2 and not found & _NEEDED:
        return v2
    raise UnsuitableMachineError("its control groups are neither complete v1 nor v2")


@dataclass(frozen=True)
class Tree:
    """The control group of one node, in every hierarchy."""

    name: str
    hierarchies: tuple[Hierarchy, ...]

    @classmethod
    def of(cls, name: str) -> Tree:
        """Return the control groups of that name on this machine."""
        return cls(name, tuple(hierarchies()))

    @property
    def unified(self) -> bool:
        """Whether the machine uses cgroup v2."""
        return self.hierarchies[0].unified

    def roots(self) -> list[Path]:
        """Return the node's group in every hierarchy."""
        return [hierarchy.mount / self.name for hierarchy in self.hierarchies]

    def exists(self) -> bool:
        """Say whether any of the groups exists."""
        return any(root.is_dir() for root in self.roots())

    def create(self) -> None:
        """Make the groups."""
        for hierarchy, root in zip(self.hierarchies, self.roots(), strict=True):
            if hierarchy.unified:
                _enable(hierarchy.mount)
            root.mkdir(exist_ok=True)
            if "cpuset" in hierarchy.options:
                # A new v1 cpuset is empty and takes no process until it is told its processors and memory.
                for file in ("cpuset.cpus", "cpuset.mems"):
                    (root / file).write_text((hierarchy.mount / file).read_text())
                (root / "cgroup.clone_children").write_text("1")

    def entrances(self, *, running: bool) -> list[Path]:
        """Return the files that a process writes its id to in order to join.

        The first process joins the groups themselves: its cgroup namespace shows them as the root. See
        ``settle`` for where those of a ``running`` node go.
        """
        below = DAEMONS if self.unified and running else ""
        return [root / below / "cgroup.procs" for root in self.roots()]

    def settle(self) -> None:
        """Prepare the groups for the kubelet once the first process has its cgroup namespace.

        In cgroup v2 a group that passes controllers on to its children may hold no process itself, so all of
        them move to a group of their own. There is nothing to do in v1.
        """
        if not self.unified:
            return
        (root,) = self.roots()
        daemons = root / DAEMONS
        daemons.mkdir(exist_ok=True)
        for pid in (root / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                (daemons / "cgroup.procs").write_text(pid)
        _enable(root)

    def members(self) -> set[int]:
        """Return the ids of all processes in the groups, pods included."""
        found: set[int] = set()
        for directory in self._directories():
            with contextlib.suppress(OSError):
                found.update(int(line) for line in (directory / "cgroup.procs").read_text().split())
        return found - {0}

    def kill(self, *, seconds: float = 30.0) -> None:
        """Kill every process in the groups; raise DevclusterError when one survives."""

        def gone() -> bool:
            for directory in self._directories():
                if directory.joinpath("freezer.state").exists():
                    with contextlib.suppress(OSError):
                        (directory / "freezer.state").write_text("THAWED")  # a frozen process cannot die
            members = self.members()
            for pid in members:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not members

        if not processes.wait_until(gone, seconds=seconds):
            raise DevclusterError(f"Processes {sorted(self.members())} of {self.name} do not end.")

    def remove(self, *, seconds: float = 20.0) -> None:
        """Remove the empty groups; raise DevclusterError when one is in use."""

        def gone() -> bool:
            for directory in self._directories():
                with contextlib.suppress(OSError):
                    directory.rmdir()
            return not self.exists()

        if not processes.wait_until(gone, seconds=seconds, interval=0.1):
            raise DevclusterError(f"The control group {self.name} cannot be removed.")

    def _directories(self) -> Iterator[Path]:
        """Yield every group, children before parents."""
        for root in self.roots():
            for directory, _, _ in os.walk(root, topdown=False):
                yield Path(directory)


def _enable(mount: Path) -> None:
    try:
        available = (mount / "cgroup.controllers").read_text().split()
        wanted = " ".join(f"+{controller}" for controller in _NEEDED_V2 if controller in available)
        (mount / "cgroup.subtree_control").write_text(wanted)
    except OSError as error:
        raise UnsuitableMachineError(f"its cgroup v2 controllers cannot be used ({error})") from error
