"""The command lines of the control plane's programs, alone or inside a node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from devcluster.pki import Pki

SERVICE_RANGE = "10.96.0.0/16"
_AUDIT_POLICY = Path(__file__).with_name("audit-policy.yaml")
_AUDIT_MEGABYTES = 50


@dataclass(frozen=True)
class Ports:
    """Where the control plane listens."""

    api: int
    etcd: int
    etcd_peer: int


@dataclass(frozen=True)
class Layout:
    """What the command lines need to know: addresses, ports and folders."""

    directory: Path
    pki: Pki
    ports: Ports
    advertise: str
    bind: str

    @property
    def data(self) -> Path:
        """Where etcd keeps its data."""
        return self.directory / "etcd"

    @property
    def audit(self) -> Path:
        """Where the API server notes every change: one JSON object (audit.k8s.io/v1 Event) a line."""
        return self.directory / "log" / "audit.log"

    @property
    def audit_policy(self) -> Path:
        """What the API server notes; see ``write_audit_policy``."""
        return self.directory / "config" / _AUDIT_POLICY.name


def etcd(binary: Path, layout: Layout) -> list[str]:
    """Return etcd's command line; without fsync, because a lost cluster is made again in seconds."""
    client = f"http://127.0.0.1:{layout.ports.etcd}"
    peer = f"http://127.0.0.1:{layout.ports.etcd_peer}"
    return [
        str(binary),
        f"--data-dir={layout.data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def write_audit_policy(layout: Layout) -> None:
    """Copy the policy to where a node, which does not see the folder of this program, can read it."""
    layout.audit_policy.parent.mkdir(parents=True, exist_ok=True)
    layout.audit_policy.write_text(_AUDIT_POLICY.read_text())


def apiserver(binary: Path, layout: Layout) -> list[str]:
    """Return kube-apiserver's command line: RBAC, Node authorizer and an audit log of changes are on."""
    pki = layout.pki
    return [
        str(binary),
        f"--etcd-servers=http://127.0.0.1:{layout.ports.etcd}",
        f"--advertise-address={layout.advertise}",
        f"--bind-address={layout.bind}",
        f"--secure-port={layout.ports.api}",
        f"--tls-cert-file={pki.crt('apiserver')}",
        f"--tls-private-key-file={pki.key('apiserver')}",
        f"--client-ca-file={pki.crt('ca')}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        f"--service-account-key-file={pki.key('service-accounts')}",
        f"--service-account-signing-key-file={pki.key('service-accounts')}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--allow-privileged=true",
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-client-certificate={pki.crt('apiserver-kubelet-client')}",
        f"--kubelet-client-key={pki.key('apiserver-kubelet-client')}",
        f"--kubelet-certificate-authority={pki.crt('ca')}",
        f"--requestheader-client-ca-file={pki.crt('front-proxy-ca')}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={pki.crt('front-proxy-client')}",
        f"--proxy-client-key-file={pki.key('front-proxy-client')}",
        f"--cert-dir={layout.directory / 'tmp'}",
        f"--audit-policy-file={layout.audit_policy}",
        f"--audit-log-path={layout.audit}",
        f"--audit-log-maxsize={_AUDIT_MEGABYTES}",
        "--audit-log-maxbackup=1",
    ]


def controller_manager(binary: Path, layout: Layout, *, nodes: bool = True) -> list[str]:
    """Return kube-controller-manager's command line: all default controllers.

    Without ``nodes`` the pod garbage collector is off. Every 20 seconds it calls a pod failed that is being
    deleted and has no node, which no pod has there, so that one that a finalizer holds would end by itself:
    https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/controller/podgc/gc_controller.go

    They share one administrator identity. A ServiceAccount and token for each controller
    (``--use-service-account-credentials``) would cost five seconds of every start and give a test
    cluster nothing.
    """
    pki = layout.pki
    return [
        str(binary),
        f"--kubeconfig={pki.kubeconfig('admin')}",
        f"--controllers=*{'' if nodes else ',-pod-garbage-collector-controller'}",
        "--secure-port=0",
        "--leader-elect=false",
        "--allocate-node-cidrs=false",
        f"--service-account-private-key-file={pki.key('service-accounts')}",
        f"--root-ca-file={pki.crt('ca')}",
        f"--cluster-signing-cert-file={pki.crt('ca')}",
        f"--cluster-signing-key-file={pki.key('ca')}",
    ]


def scheduler(binary: Path, layout: Layout) -> list[str]:
    """Return kube-scheduler's command line."""
    return [
        str(binary),
        f"--kubeconfig={layout.pki.kubeconfig('scheduler')}",
        "--secure-port=0",
        "--leader-elect=false",
    ]
