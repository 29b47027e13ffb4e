"""What one node is called and where its things are."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from devcluster import cache
from devcluster.errors import DevclusterError

DEFAULT_NAME = "dev"
ADDRESS = "10.203.0.1"
API_PORT = 6443
BRIDGE = "node0"
POD_RANGE = "10.202.0.0/24"
DNS_ADDRESS = "10.96.0.10"
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
PROVISIONER = "devcluster.airflowtenants.io/dir"
KUBELET_ROOT = "/var/lib/kubelet"
POD_LOGS = "/var/log/pods"

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,28}[a-z0-9])?")


@dataclass(frozen=True)
class NodeSpec:
    """One node.

    Several nodes need only different names: each has a network of its own that no other can see, so all
    of them use the same addresses.
    """

    name: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise DevclusterError(
                f"{self.name!r} cannot be a cluster's name: use up to 30 lower-case letters, digits, dashes."
            )

    @property
    def host(self) -> str:
        """The node's name in Kubernetes, and its host name."""
        return f"devcluster-{self.name}"

    @property
    def cgroup(self) -> str:
        """The name of its control group; clusters of different caches differ although their names may not."""
        return f"{self.host}-{hashlib.sha256(str(self.directory).encode()).hexdigest()[:8]}"

    @property
    def directory(self) -> Path:
        """The cluster's state."""
        return cache.clusters() / self.name

    @property
    def lock(self) -> Path:
        """The file that ``up``, ``down`` and ``load`` lock."""
        return cache.clusters() / f".{self.name}.lock"

    @property
    def state_file(self) -> Path:
        """What is running."""
        return self.directory / "node.json"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig for use from the machine."""
        return self.directory / "kubeconfig"

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.directory / "pki"

    @property
    def containerd_root(self) -> Path:
        """Images and snapshots."""
        return self.directory / "containerd"

    @property
    def volumes(self) -> Path:
        """Directories of PersistentVolumes."""
        return self.directory / "volumes"

    @property
    def config(self) -> Path:
        """Configuration files that are written anew at every start."""
        return self.directory / "config"

    def log(self, component: str) -> Path:
        """Return the log of a component."""
        return self.directory / "log" / f"{component}.log"
