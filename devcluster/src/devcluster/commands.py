"""What each command of the command line does; returns the exit code."""

from __future__ import annotations

import os
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from devcluster import build, cache, prerequisites
from devcluster.console import Console, duration
from devcluster.controlplane import ControlPlane
from devcluster.errors import DevclusterError
from devcluster.node.lifecycle import Node
from devcluster.node.programs import Programs
from devcluster.node.spec import DEFAULT_NAME
from devcluster.recipes import CONTROL_PLANE, RECIPES
from devcluster.tools import tool

CONTROL_PLANE_NAME = "control-plane"
_LOCK_SECONDS = 600.0


def build_all(arguments: Namespace, console: Console) -> int:
    """Build everything that a cluster needs."""
    began = time.monotonic()
    if arguments.control_plane:
        for name in CONTROL_PLANE:
            build.build(RECIPES[name], console)
    else:
        Programs.ensure(console)
    console.info(f"Built ({duration(time.monotonic() - began)}): {cache.binaries()}")
    return 0


def up(arguments: Namespace, console: Console) -> int:
    """Start a node, or a control plane without one."""
    name = arguments.name or (CONTROL_PLANE_NAME if arguments.control_plane else DEFAULT_NAME)
    return _up_control_plane(name, console) if arguments.control_plane else _up_node(name, console)


def _up_node(name: str, console: Console) -> int:
    node, began = Node.named(name), time.monotonic()
    if ControlPlane.attach(node.spec.directory):
        raise DevclusterError(
            f"{name!r} is a control plane without a node: choose another --name or purge it first."
        )
    fresh = node.up(console)
    state = node.state()
    server = state.server if state else ""
    if fresh:
        console.info(f"Cluster {name!r} is up at {server} ({duration(time.monotonic() - began)}).")
    else:
        console.info(f"Cluster {name!r} is already up at {server}.")
    console.info(f"  export KUBECONFIG={node.spec.kubeconfig}")
    return 0


def _up_control_plane(name: str, console: Console) -> int:
    spec, began = Node.named(name).spec, time.monotonic()
    if spec.state_file.exists():
        raise DevclusterError(f"{name!r} is a node: choose another --name or take it down first.")
    with cache.locked(spec.lock, seconds=_LOCK_SECONDS, waiting_for=f"cluster {name}"):
        plane = ControlPlane.attach(spec.directory)
        if plane and plane.running:
            console.info(f"Control plane {name!r} is already up at {plane.server}.")
        else:
            for component in CONTROL_PLANE:
                tool(component, console)
            with console.step("starting the control plane"):
                plane = ControlPlane.start(spec.directory, outlive=True, console=console)
            console.info(
                f"Control plane {name!r} is up at {plane.server} ({duration(time.monotonic() - began)})."
            )
    console.info(f"  export KUBECONFIG={plane.kubeconfig}")
    return 0


def down(arguments: Namespace, console: Console) -> int:
    """Take a cluster down."""
    name, began = arguments.name or DEFAULT_NAME, time.monotonic()
    node = Node.named(name)
    plane = ControlPlane.attach(node.spec.directory)
    stopped = plane is not None and bool(plane.processes)
    if plane:
        plane.stop()
    existed = node.spec.directory.exists()
    stopped = node.down(purge=arguments.purge) or stopped
    elapsed = duration(time.monotonic() - began)
    if stopped:
        kept = "its data is deleted" if arguments.purge else "its data is kept for the next up"
        console.info(f"Cluster {name!r} is down, {kept} ({elapsed}).")
    elif arguments.purge and existed:
        console.info(f"Cluster {name!r} was down; its data is deleted ({elapsed}).")
    else:
        console.info(f"Cluster {name!r} is not running.")
    return 0


@dataclass(frozen=True)
class _Row:
    name: str
    kind: str
    state: str
    server: str


def status(arguments: Namespace, console: Console) -> int:  # noqa: ARG001 - all commands look alike
    """List the clusters of this user."""
    root = cache.clusters()
    names = sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    rows = [row for row in map(_row, names) if row]
    if not rows:
        console.info("There is no cluster. Start one with: devcluster up")
        return 0
    titles = _Row("NAME", "KIND", "STATE", "API")
    widths = [max(len(getattr(row, field)) for row in [titles, *rows]) for field in ("name", "kind", "state")]
    for row in [titles, *rows]:
        cells = (row.name, row.kind, row.state)
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        console.result("  ".join([*padded, row.server]).rstrip())
    return 0


def _row(name: str) -> _Row | None:
    try:
        node = Node.named(name)
    except DevclusterError:
        return None  # the folder is somebody else's, for example a kind cluster's
    plane = ControlPlane.attach(node.spec.directory)
    if plane:
        dead = [component for component, process in plane.processes.items() if not process.alive()]
        state = "down" if not plane.processes else f"broken: {', '.join(dead)} ended" if dead else "running"
        return _Row(name, "control plane", state, plane.server if plane.processes else "")
    found, age = node.state(), node.age()
    if found is None or age is None:
        return _Row(name, "node", "down", "")
    broken = found.broken()
    if broken == ["node"]:
        return _Row(name, "node", "ended unexpectedly", "")
    state = f"broken: {', '.join(broken)} ended" if broken else f"running for {duration(age.total_seconds())}"
    return _Row(name, "node", state, found.server)


def load(arguments: Namespace, console: Console) -> int:
    """Bring images into a node; one line per tar says what that took."""
    node = Node.named(arguments.name or DEFAULT_NAME)
    for tar in arguments.tars:
        began = time.monotonic()
        (done,) = node.load([Path(tar)], Console(quiet=True))
        note = f", {done.bytes_skipped / 1e6:.0f} MB were there" if done.bytes_skipped else ""
        words = {"present": "already there", "tagged": "tagged", "imported": "imported"}
        console.info(
            f"  {Path(tar).name:<40} {words[done.action]}{note} ({duration(time.monotonic() - began)})"
        )
    return 0


def kubeconfig(arguments: Namespace, console: Console) -> int:
    """Print the path of a cluster's kubeconfig."""
    spec = Node.named(arguments.name or DEFAULT_NAME).spec
    if not spec.kubeconfig.exists():
        raise DevclusterError(
            f"Cluster {spec.name!r} does not exist. Start it with: devcluster up --name {spec.name}"
        )
    console.result(str(spec.kubeconfig))
    return 0


def logs(arguments: Namespace, console: Console) -> int:  # noqa: ARG001 - all commands look alike
    """Show a component's log; becomes ``tail``."""
    spec = Node.named(arguments.name or DEFAULT_NAME).spec
    log = spec.log(arguments.component)
    if not log.is_file():
        known = sorted(path.stem for path in log.parent.glob("*.log")) if log.parent.is_dir() else []
        hint = f"It has: {', '.join(known)}." if known else "It has never been up."
        raise DevclusterError(f"Cluster {spec.name!r} has no log of {arguments.component!r}. {hint}")
    follow = ["-F"] if arguments.follow else []
    os.execvp("tail", ["tail", "-n", str(arguments.lines), *follow, str(log)])  # noqa: S606 - becomes that program


def shell(arguments: Namespace, console: Console) -> int:
    """Run a shell, or a command, inside a node; becomes it."""
    node = Node.named(arguments.name or DEFAULT_NAME)
    namespaces = node.namespaces()
    folders = [str(tool(name, console).parent) for name in ("kubectl", "ctr")]
    os.environ["PATH"] = os.pathsep.join([*folders, os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    os.environ["KUBECONFIG"] = str(node.spec.pki / "admin.kubeconfig")
    os.environ["CONTAINERD_ADDRESS"] = "/run/containerd/containerd.sock"
    os.environ["CONTAINERD_NAMESPACE"] = "k8s.io"
    command = namespaces.command(arguments.program or [prerequisites.find_program("bash") or "sh"])
    os.execvp(command[0], command)  # noqa: S606 - becomes that program


def print_tool(arguments: Namespace, console: Console) -> int:
    """Print the path of a tool, building it when it is missing."""
    console.result(str(tool(arguments.tool, console)))
    return 0


COMMANDS: Mapping[str, Callable[[Namespace, Console], int]] = {
    "build": build_all,
    "up": up,
    "down": down,
    "status": status,
    "load": load,
    "kubeconfig": kubeconfig,
    "logs": logs,
    "shell": shell,
    "tool": print_tool,
}
