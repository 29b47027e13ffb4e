"""Makes the node's namespaces, and runs programs inside them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from devcluster import build, cache, processes
from devcluster.errors import StartFailedError
from devcluster.node import inside
from devcluster.node.cgroups import Tree
from devcluster.node.spec import NodeSpec
from devcluster.processes import Process

_START_SECONDS = 30.0
_ENTER = Path(__file__).with_name("files") / "enter.sh"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Namespaces:
    """The namespaces of a running node, held open by its first process ``init``."""

    spec: NodeSpec
    tree: Tree
    init: Process

    @classmethod
    def create(cls, spec: NodeSpec) -> Namespaces:
        """Make control groups and namespaces; return when the node's first process has furnished them."""
        tree = Tree.of(spec.cgroup)
        tree.create()
        ready = spec.directory / inside.READY
        ready.unlink(missing_ok=True)
        for folder in (spec.config, spec.directory / "kubelet", spec.directory / "pod-logs", spec.volumes):
            folder.mkdir(parents=True, exist_ok=True)
        settings = spec.config / "inside.json"
        hierarchies = [(str(hierarchy.mount), hierarchy.options) for hierarchy in tree.hierarchies]
        content = {
            "directory": str(spec.directory),
            "binaries": str(cache.binaries()),
            "host": spec.host,
            "hierarchies": hierarchies,
        }
        cache.write_atomically(settings, json.dumps(content))
        log = spec.log("init")
        log.unlink(missing_ok=True)
        # --kill-child: when unshare is killed, the node's first process, and so the node, ends with it.
        unshare = [
            "unshare",
            "-C",
            "-m",
            "-n",
            "-p",
            "-u",
            "-i",
            "-f",
            "--kill-child",
            "--propagation",
            "private",
        ]
        program = [sys.executable, "-m", "devcluster.node.inside", str(settings)]
        outer = processes.start(
            [*_join(tree, running=False), *unshare, "--", *program], log, environment=_environment()
        )
        processes.wait_until(lambda: ready.exists() or not outer.alive(), seconds=_START_SECONDS)
        child = _only_child(outer.pid) if ready.exists() else None
        if child is None:
            raise StartFailedError(f"The node's namespaces could not be made.\n{build.tail(log)}")
        tree.settle()
        return cls(spec, tree, child)

    def command(self, program: Sequence[str | Path]) -> list[str]:
        """Return the command line that runs a program inside the node."""
        enter = ["nsenter", "-t", str(self.init.pid), "-C", "-m", "-n", "-p", "-u", "-i", "--"]
        return [*_join(self.tree, running=True), *enter, *(str(part) for part in program)]

    def start(self, name: str, program: Sequence[str | Path], *, path: Sequence[Path] = ()) -> Process:
        """Start a daemon inside the node; its log begins anew."""
        log = self.spec.log(name)
        log.unlink(missing_ok=True)
        return processes.start(self.command(program), log, environment=_environment(path))

    def start_beside(self, name: str, program: Sequence[str | Path]) -> Process:
        """Start a daemon on the machine's side that belongs to the node: it ends with it."""
        log = self.spec.log(name)
        log.unlink(missing_ok=True)
        command = [*_join(self.tree, running=True), *(str(part) for part in program)]
        return processes.start(command, log, environment=_environment())

    def run(
        self, program: Sequence[str | Path], *, seconds: float, stdin: IO[bytes] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside the node to its end and return its output as text."""
        return subprocess.run(
            self.command(program),
            stdin=stdin if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            env=_environment(),
        )


def _join(tree: Tree, *, running: bool) -> list[str]:
    return ["sh", str(_ENTER), *(str(file) for file in tree.entrances(running=running)), "--"]


def _environment(path: Sequence[Path] = ()) -> Mapping[str, str]:
    """Return a clean environment: proxies or Python settings of the user are not for the node's daemons."""
    return {"PATH": ":".join([*(str(folder) for folder in path), _PATH]), "HOME": "/root", "LANG": "C.UTF-8"}


def _only_child(parent: int) -> Process | None:
    for entry in os.listdir("/proc"):
        if entry.isdigit() and processes.parent(int(entry)) == parent:
            return processes.identify(int(entry))
    return None
