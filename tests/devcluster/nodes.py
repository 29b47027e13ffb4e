"""A node for tests: driven through the command line, as a user would, and looked at from outside."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from devcluster import cache
from devcluster.node.cgroups import Tree
from devcluster.node.lifecycle import Node
from devcluster.tools import tool


class TestNode:
    """One named node; commands fail the test when they fail."""

    __test__ = False  # pytest: this is a helper

    def __init__(self, name: str):
        self.name = name
        self.node = Node.named(name)
        self.kubeconfig = self.node.spec.kubeconfig

    def command(self, name: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "devcluster", name, "--name", self.name, *arguments]

    def try_cli(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(name, *arguments), capture_output=True, text=True, timeout=1500)

    def cli(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = self.try_cli(name, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def try_kubectl(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(tool("kubectl")), f"--kubeconfig={self.kubeconfig}", *arguments]
        given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        return subprocess.run(command, capture_output=True, text=True, timeout=120, **given)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        done = self.try_kubectl(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *arguments: str) -> dict[str, Any]:
        return dict(json.loads(self.kubectl(*arguments, "-o", "json")))

    def members(self) -> set[int]:
        return Tree.of(self.node.spec.cgroup).members()

    def own_images(self) -> Sequence[Path]:
        return sorted(cache.binaries().glob("node-images-*/*.tar"), key=lambda path: path.stat().st_mtime)

    def traces(self) -> dict[str, list[str]]:
        """Everything of this node that the machine can see, its data aside."""
        marks = (str(self.node.spec.directory), self.node.spec.cgroup, self.node.spec.host)
        running = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    groups = (entry / "cgroup").read_text()
                except OSError:
                    continue
                if "pytest" not in line and any(mark in line + groups for mark in marks):
                    running.append(line)
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        return {
            "processes": running,
            "mounts": [line for line in mounts if any(mark in line for mark in marks)],
            "cgroups": [str(path) for path in Tree.of(self.node.spec.cgroup).roots() if path.exists()],
        }


def machine() -> dict[str, str]:
    """What a node must not change on the machine: network, firewall, settings, others' places."""

    def output(*command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return done.stdout if done.returncode == 0 else f"failed: {done.returncode}"

    places = ["/var/lib/kubelet", "/var/lib/cni", "/var/log/pods", "/run/containerd", "/run/netns"]
    settings = ["vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward"]
    return {
        "links": output("ip", "-o", "link"),
        "addresses": output("ip", "-o", "address"),
        "routes": output("ip", "route"),
        "nft": output("nft", "list", "ruleset"),
        "places": str([place for place in places if Path(place).exists()]),
        "settings": str([Path(f"/proc/sys/{name}").read_text() for name in settings]),
        "host": output("hostname"),
    }
