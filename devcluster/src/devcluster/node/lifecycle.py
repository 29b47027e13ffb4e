"""Brings a node up, says how it is, and takes it down without a trace."""

from __future__ import annotations

import dataclasses
import datetime
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devcluster import cache
from devcluster.console import Console
from devcluster.errors import DevclusterError, UnsuitableMachineError
from devcluster.node import machine
from devcluster.node.cgroups import Tree
from devcluster.node.loading import ImageStore, Loaded
from devcluster.node.namespaces import Namespaces
from devcluster.node.programs import Programs
from devcluster.node.spec import NodeSpec
from devcluster.node.starting import DEFAULT_PORT, Starter
from devcluster.processes import Process
from devcluster.tools import tool

_LOCK_SECONDS = 600.0


@dataclass(frozen=True)
class NodeState:
    """What was started: written when the node is up, and read by every later command."""

    init: Process
    port: int
    started: str
    processes: dict[str, Process]

    @classmethod
    def read(cls, path: Path) -> NodeState | None:
        """Return what a file says, or None when there is no (whole) file."""
        try:
            raw: dict[str, Any] = json.loads(path.read_text())
            found = {name: Process(**fields) for name, fields in raw["processes"].items()}
            return cls(Process(**raw["init"]), raw["port"], raw["started"], found)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    @property
    def server(self) -> str:
        """The API's URL on the machine."""
        return f"https://127.0.0.1:{self.port}"

    def broken(self) -> list[str]:
        """Return the components that do not run any more; all of them are summed up as ``node``."""
        if not self.init.alive():
            return ["node"]
        return [name for name, process in self.processes.items() if not process.alive()]


@dataclass(frozen=True)
class Node:
    """A node that may or may not be running."""

    spec: NodeSpec

    @classmethod
    def named(cls, name: str) -> Node:
        """Return the node of that name; raise DevclusterError when the name is not possible."""
        return cls(NodeSpec(name))

    def state(self) -> NodeState | None:
        """Return what is running, or None when the node is down."""
        return NodeState.read(self.spec.state_file)

    def up(self, console: Console) -> bool:
        """Have the node running; return False when it was already.

        When this is interrupted or fails, what was started is taken down again and the data is kept.
        """
        machine.check()
        with self._locked():
            state = self.state()
            if state is not None and not state.broken():
                return False
            if state is not None:
                gone = state.broken()
                what = "The node" if gone == ["node"] else f"Of the node, {', '.join(gone)}"
                console.info(f"{what} ended unexpectedly; starting it again.")
            programs = Programs.ensure(console)
            self._clear()
            try:
                self._start(programs, console)
            except BaseException:
                self._clear()
                raise
        return True

    def _start(self, programs: Programs, console: Console) -> None:
        with console.step("making namespaces"):
            namespaces = Namespaces.create(self.spec)
        starter = Starter(self.spec, programs, namespaces, console)
        port = starter.run(self._preferred_port())
        state = NodeState(namespaces.init, port, starter.began.isoformat(), starter.processes)
        cache.write_atomically(self.spec.state_file, json.dumps(dataclasses.asdict(state), indent=1))

    def _preferred_port(self) -> int:
        """Return the port of the last time, so that an exported kubeconfig stays valid."""
        try:
            return int((self.spec.directory / "port").read_text())
        except (FileNotFoundError, ValueError):
            return DEFAULT_PORT

    def down(self, *, purge: bool) -> bool:
        """Take the node down; return False when nothing of it was running. ``purge`` deletes its data too."""
        with self._locked():
            was_running = self._clear()
            if purge and self.spec.directory.exists():
                shutil.rmtree(self.spec.directory)
        return was_running

    def _clear(self) -> bool:
        """End every process of the node, whatever state it is in, and remove its control groups."""
        try:
            tree = Tree.of(self.spec.cgroup)
        except (UnsuitableMachineError, FileNotFoundError):
            return False  # nothing can have run here
        existed = tree.exists()
        state = self.state()
        if existed:
            if state is not None:
                state.init.kill()  # the kernel ends everything in its PID namespace at once
            tree.kill()
            tree.remove()
        self.spec.state_file.unlink(missing_ok=True)
        return existed

    def namespaces(self) -> Namespaces:
        """Return the running node's namespaces; raise DevclusterError when it is down."""
        state = self.state()
        if state is None or not state.init.alive():
            name = self.spec.name
            raise DevclusterError(
                f"Cluster {name!r} is not running. Start it with: devcluster up --name {name}"
            )
        return Namespaces(self.spec, Tree.of(self.spec.cgroup), state.init)

    def load(self, tars: Sequence[Path], console: Console) -> list[Loaded]:
        """Bring images into the node; cheap when they are there."""
        store = ImageStore(self.namespaces(), tool("ctr"))
        with cache.locked(self.spec.lock, seconds=_LOCK_SECONDS, waiting_for=f"cluster {self.spec.name}"):
            return store.load(tars, console)

    def age(self) -> datetime.timedelta | None:
        """Return how long the node has been running."""
        state = self.state()
        if state is None:
            return None
        return datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(state.started)

    def _locked(self) -> Any:
        return cache.locked(self.spec.lock, seconds=_LOCK_SECONDS, waiting_for=f"cluster {self.spec.name}")
