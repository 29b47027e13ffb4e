"""containerd's configuration and command line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from devcluster.node import spec
from devcluster.node.spec import NodeSpec

PAUSE_IMAGE = "registry.k8s.io/pause:3.10"

_TEMPLATE = """\
version = 3
root = "{root}"
state = "/run/containerd/state"
oom_score = 0
disabled_plugins = [
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.erofs",
  "io.containerd.snapshotter.v1.blockfile", "io.containerd.nri.v1.nri",
]
[grpc]
  address = "{socket}"
[ttrpc]
  address = "{socket}.ttrpc"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "{pause}"
[plugins.'io.containerd.cri.v1.runtime']
  # A machine may lack CAP_SYS_RESOURCE: pods then keep the score that the kubelet has.
  restrict_oom_score_adj = true
  # The node sees neither securityfs nor the machine's profiles.
  disable_apparmor = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = "runc"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        SystemdCgroup = false
        BinaryName = "{runc}"
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["{cni}"]
    conf_dir = "{network}"
[plugins.'io.containerd.grpc.v1.cri']
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
[plugins.'io.containerd.internal.v1.opt']
  path = "{root}/opt"
"""


@dataclass(frozen=True)
class Containerd:
    """The programs that containerd consists of."""

    containerd: Path
    shim: Path
    ctr: Path
    runc: Path
    cni: Path

    def write_config(self, node: NodeSpec) -> Path:
        """Write containerd's and the pod network's configuration; return the former's path."""
        network = node.config / "cni"
        network.mkdir(parents=True, exist_ok=True)
        (network / "10-pods.conflist").write_text(json.dumps(_pod_network(), indent=1))
        config = node.config / "containerd.toml"
        config.write_text(
            _TEMPLATE.format(
                root=node.containerd_root,
                socket=spec.CONTAINERD_SOCKET,
                pause=PAUSE_IMAGE,
                runc=self.runc,
                cni=self.cni,
                network=network,
            )
        )
        return config

    def command(self, config: Path) -> list[str]:
        """Return containerd's command line; it finds its shim on PATH."""
        return [str(self.containerd), "-c", str(config), "--log-level", "info"]


def _pod_network() -> dict[str, object]:
    addresses = {
        "type": "host-local",
        "dataDir": "/var/lib/cni/ipam",
        "ranges": [[{"subnet": spec.POD_RANGE}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": addresses,
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge, ports]}
