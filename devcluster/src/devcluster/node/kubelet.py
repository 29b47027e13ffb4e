"""The command lines and configuration of what makes a machine a Kubernetes node."""

from __future__ import annotations

import json
from pathlib import Path

from devcluster.node import spec
from devcluster.node.spec import NodeSpec
from devcluster.pki import Pki


def write_config(node: NodeSpec, pki: Pki) -> Path:
    """Write the kubelet's configuration (JSON, which is YAML); return its path."""
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{spec.CONTAINERD_SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": "/",
        "failCgroupV1": False,
        "failSwapOn": False,
        # Check the kernel's settings, never write them: they are the whole machine's (see inside.py).
        "protectKernelDefaults": True,
        "oomScoreAdj": 0,
        "maxOpenFiles": 20000,
        "address": spec.ADDRESS,
        "readOnlyPort": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki.crt("ca"))},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki.crt("kubelet")),
        "tlsPrivateKeyFile": str(pki.key("kubelet")),
        "enforceNodeAllocatable": ["pods"],
        # Images come from files and could not be pulled again: never collect them.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi"},
        "maxPods": 200,
        "serializeImagePulls": False,
        "resolvConf": "",
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        "clusterDNS": [spec.DNS_ADDRESS],
        "clusterDomain": "cluster.local",
        "nodeStatusUpdateFrequency": "5s",
        "shutdownGracePeriod": "0s",
    }
    path = node.config / "kubelet.json"
    path.write_text(json.dumps(config, indent=1))
    return path


def kubelet(binary: Path, node: NodeSpec, pki: Pki, config: Path) -> list[str]:
    """Return the kubelet's command line."""
    return [
        str(binary),
        f"--config={config}",
        f"--kubeconfig={pki.kubeconfig('kubelet')}",
        f"--hostname-override={node.host}",
        f"--node-ip={spec.ADDRESS}",
        "--v=2",
    ]


def kube_proxy(binary: Path, node: NodeSpec, pki: Pki) -> list[str]:
    """Return kube-proxy's command line; it leaves the machine-wide conntrack settings alone."""
    return [
        str(binary),
        f"--kubeconfig={pki.kubeconfig('proxy')}",
        "--proxy-mode=nftables",
        f"--hostname-override={node.host}",
        f"--cluster-cidr={spec.POD_RANGE}",
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
        "--oom-score-adj=0",
    ]


def netpol(binary: Path, pki: Pki) -> list[str]:
    """Return the command line of the NetworkPolicy agent."""
    return [str(binary), f"--kubeconfig={pki.kubeconfig('admin')}"]


def provisioner(binary: Path, node: NodeSpec, pki: Pki) -> list[str]:
    """Return the command line of the storage provisioner."""
    return [
        str(binary),
        f"--kubeconfig={pki.kubeconfig('admin')}",
        f"--name={spec.PROVISIONER}",
        f"--root={node.volumes}",
        f"--node={node.host}",
    ]
