"""Can this machine run a node?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from devcluster import prerequisites
from devcluster.errors import UnsuitableMachineError
from devcluster.node import cgroups

ALTERNATIVE = (
    "Use CLUSTER=kind (needs Docker or Podman) or any cluster you have: KUBECONFIG=... CLUSTER=current."
)
_MODULES = ("overlay", "br_netfilter", "nf_conntrack")
_PROBE_SECONDS = 30


def check() -> None:
    """Raise UnsuitableMachineError, with what to use instead, unless the machine can run a node."""
    try:
        _check()
    except UnsuitableMachineError as error:
        raise UnsuitableMachineError(
            f"This machine cannot run a devcluster node: {error}. {ALTERNATIVE}"
        ) from None


def _check() -> None:
    if not sys.platform.startswith("linux"):
        raise UnsuitableMachineError("it is not Linux")
    if os.geteuid() != 0:
        raise UnsuitableMachineError("it needs root")
    cgroups.hierarchies()
    _load_modules()
    if "overlay" not in Path("/proc/filesystems").read_text().split():
        raise UnsuitableMachineError("the kernel has no overlayfs")
    probe = ["unshare", "-m", "-n", "-p", "-u", "-i", "-C", "-f", "mount", "-t", "tmpfs", "tmpfs", "/sys"]
    try:
        done = subprocess.run(probe, capture_output=True, text=True, timeout=_PROBE_SECONDS)
    except FileNotFoundError:
        raise UnsuitableMachineError("`unshare` of util-linux is missing") from None
    if done.returncode != 0:
        raise UnsuitableMachineError(f"it does not allow new namespaces ({done.stderr.strip()})")


def _load_modules() -> None:
    """Load kernel modules that are not loaded on demand; kernels that have them built in need nothing."""
    modprobe = prerequisites.find_program("modprobe")
    if modprobe and Path("/proc/modules").exists():
        subprocess.run([modprobe, "-a", "-q", *_MODULES], capture_output=True, timeout=_PROBE_SECONDS)
