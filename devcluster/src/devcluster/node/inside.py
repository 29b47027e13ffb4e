"""The node's first process: furnishes the new namespaces, then becomes catatonit.

The node gets a file tree of its own: the machine's programs read-only, fresh /run, /tmp and /var, and only
the cluster's directory writable on disk. Nothing that is mounted or made here is visible on the machine,
and everything ends with this process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from devcluster.node import cgroups, spec

READY = "ready"
_PROGRAMS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "opt", "nix", "gnu")
_SECONDS = 30
# The kubelet insists on these machine-wide settings. Plain files in their place satisfy it and change nothing
# (with protectKernelDefaults it only reads them).
_SETTINGS = {"vm/overcommit_memory": "1", "kernel/panic": "10", "kernel/panic_on_oops": "1"}


def run(*command: str | Path) -> None:
    """Run a program; raise when it fails, with what it said."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=_SECONDS)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(str(part) for part in command)}: {done.stderr.strip()}")


def mount(source: str | Path, target: str | Path, kind: str, options: str = "") -> None:
    """Mount a file system on a directory that is made if need be."""
    Path(target).mkdir(parents=True, exist_ok=True)
    run("mount", "-t", kind, *(["-o", options] if options else []), source, target)


def bind(source: Path, target: Path, *, read_only: bool = False) -> None:
    """Show a directory at another place, with what is mounted below it."""
    target.mkdir(parents=True, exist_ok=True)
    run("mount", "--rbind", source, target)
    if read_only:
        run("mount", "-o", "remount,bind,ro", target)


def build_root(root: Path, directory: Path, binaries: Path) -> None:
    """Put the node's file tree together below ``root``."""
    mount("tmpfs", root, "tmpfs", "mode=755")
    for name in _PROGRAMS:
        source = Path("/") / name
        if source.is_symlink():
            (root / name).symlink_to(source.readlink())
        elif source.is_dir():
            bind(source, root / name, read_only=True)
    bind(Path("/dev"), root / "dev")
    mount("proc", root / "proc", "proc")
    mount("sysfs", root / "sys", "sysfs")
    for name in ("run/netns", "run/containerd", "tmp", "var/tmp", "var/lib/cni", "var/log/containers"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    bind(binaries, root / binaries.relative_to("/"), read_only=True)
    bind(directory, root / directory.relative_to("/"))
    bind(directory / "kubelet", root / spec.KUBELET_ROOT.lstrip("/"))
    bind(directory / "pod-logs", root / spec.POD_LOGS.lstrip("/"))


def enter_root(root: Path) -> None:
    """Make ``root`` the root of everything and let go of the old one."""
    old = root / "old"
    old.mkdir()
    os.chdir(root)
    run("pivot_root", root, old)
    os.chdir("/")
    run("umount", "-l", "/old")
    Path("/old").rmdir()
    # Mounts that the kubelet and containerd make must reach the containers that ask for it.
    run("mount", "--make-rshared", "/")


def mount_cgroups(hierarchies: list[cgroups.Hierarchy]) -> None:
    """Mount the control groups: the cgroup namespace shows the node's group as their root."""
    top = Path("/sys/fs/cgroup")
    if hierarchies[0].unified:
        mount("cgroup2", top, "cgroup2")
        return
    mount("tmpfs", top, "tmpfs", "mode=755")
    for hierarchy in hierarchies:
        folder = ",".join(hierarchy.options).removeprefix("name=")
        options = (
            ["none", *hierarchy.options] if hierarchy.options[0].startswith("name=") else hierarchy.options
        )
        mount("cgroup", top / folder, "cgroup", ",".join(options))
        if len(hierarchy.options) > 1:
            for name in hierarchy.options:
                (top / name).symlink_to(folder)


def replace_settings(directory: Path) -> None:
    """Put plain files in the place of machine-wide kernel settings."""
    for name, value in _SETTINGS.items():
        file = directory / f"sysctl-{name.replace('/', '-')}"
        file.write_text(f"{value}\n")
        run("mount", "--bind", file, f"/proc/sys/{name}")


def set_up_network(host: str) -> None:
    """Give the node its name, its address and a default route (the kubelet wants one; it leads nowhere)."""
    run("hostname", host)
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", spec.BRIDGE, "type", "bridge")
    run("ip", "address", "add", f"{spec.ADDRESS}/24", "dev", spec.BRIDGE)
    run("ip", "link", "set", spec.BRIDGE, "up")
    run("ip", "route", "add", "default", "dev", spec.BRIDGE)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    bridged = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    if not bridged.exists():
        raise RuntimeError("the kernel module br_netfilter is missing (modprobe br_netfilter)")
    bridged.write_text("1")


def main() -> None:
    """Furnish the node that the JSON file in the first argument describes, then become its init."""
    settings: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    directory = Path(settings["directory"])
    found = [cgroups.Hierarchy(Path(mount), tuple(options)) for mount, options in settings["hierarchies"]]
    root = directory / "root"
    build_root(root, directory, Path(settings["binaries"]))
    enter_root(root)
    mount_cgroups(found)
    replace_settings(directory / "config")
    set_up_network(settings["host"])
    (directory / READY).touch()
    os.execvp("catatonit", ["catatonit", "-P"])  # noqa: S606 - becomes that program


if __name__ == "__main__":
    main()
