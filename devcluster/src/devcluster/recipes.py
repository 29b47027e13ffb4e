"""What can be built from Go modules, and how.

One recipe makes one binary (or, for the CNI plugins, one folder of them) from a wrapper module below
``go/``. A wrapper holds a go.mod that pins one upstream project with all its dependencies, a go.sum,
and sometimes sources of our own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError


@dataclass(frozen=True)
class Recipe:
    """How to build one binary.

    ``version_of`` names the module whose version in go.mod is put in the place of ``{version}`` in
    ``variables`` (linker ``-X`` settings). ``sources`` are our own folders or files below the wrapper:
    they belong to the key.
    """

    name: str
    module: str
    packages: tuple[str, ...]
    version_of: str
    variables: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    cgo: bool = False
    sources: tuple[str, ...] = ()
    folder: bool = False
    ours: bool = False

    @property
    def directory(self) -> Path:
        """The wrapper module's folder."""
        return wrappers() / self.module

    @property
    def label(self) -> str:
        """What to call it in output; our own programs have no version."""
        return self.name if self.ours else f"{self.name} {self.version()}"

    def version(self) -> str:
        """Return the pinned upstream version, for example ``v1.34.4``."""
        pattern = re.compile(rf"^(?:require\s+|\t){re.escape(self.version_of)} (v\S+)", re.MULTILINE)
        match = pattern.search((self.directory / "go.mod").read_text())
        if match is None:
            raise DevclusterError(f"{self.directory / 'go.mod'} does not pin {self.version_of}.")
        return match.group(1)

    def build_flags(self) -> list[str]:
        """Return the flags of ``go build``; they are part of the key."""
        version = self.version()
        values = {"version": version, "number": version.removeprefix("v")}
        settings = [f"-X {variable.format(**values)}" for variable in self.variables]
        flags = ["-mod=readonly", "-trimpath", "-ldflags", " ".join(["-s", "-w", *settings])]
        return [*flags, "-tags", ",".join(self.tags)] if self.tags else flags


def wrappers() -> Path:
    """Return the folder that holds the wrapper modules."""
    return Path(__file__).resolve().parents[2] / "go"


_KUBERNETES_VARIABLES = (
    "k8s.io/component-base/version.gitVersion={version}",
    "k8s.io/component-base/version.gitMajor=1",
    "k8s.io/component-base/version.gitMinor=34",
    "k8s.io/component-base/version.gitTreeState=clean",
    "k8s.io/component-base/version.gitCommit={version}",
    "k8s.io/component-base/version.buildDate=1970-01-01T00:00:00Z",
    "k8s.io/client-go/pkg/version.gitVersion={version}",
)
_CONTAINERD = "github.com/containerd/containerd/v2"
_CNI = "github.com/containernetworking/plugins"


def _kubernetes(name: str) -> Recipe:
    return Recipe(
        name, "kube", (f"k8s.io/kubernetes/cmd/{name}",), "k8s.io/kubernetes", variables=_KUBERNETES_VARIABLES
    )


def _own(name: str) -> Recipe:
    return Recipe(name, "kube", (f"./{name}",), "k8s.io/kubernetes", sources=(name,), ours=True)


def _containerd(name: str) -> Recipe:
    return Recipe(
        name,
        "containerd",
        (f"{_CONTAINERD}/cmd/{name}",),
        _CONTAINERD,
        variables=(f"{_CONTAINERD}/version.Version={{version}}",),
        tags=("no_btrfs", "no_zfs", "no_devmapper"),
    )


_PROMETHEUS_VERSION = "github.com/prometheus/common/version.Version={number}"


def _prometheus(name: str) -> Recipe:
    return Recipe(
        name,
        "prometheus",
        (f"github.com/prometheus/prometheus/cmd/{name}",),
        "github.com/prometheus/prometheus",
        variables=(_PROMETHEUS_VERSION,),
        # of its service discoveries, the clouds' own would be most of the build
        tags=("remove_all_sd", "enable_kubernetes_sd"),
    )


def _alertmanager(name: str) -> Recipe:
    return Recipe(
        name,
        "alertmanager",
        (f"github.com/prometheus/alertmanager/cmd/{name}",),
        "github.com/prometheus/alertmanager",
        variables=(_PROMETHEUS_VERSION,),
    )


_ARGO = "github.com/argoproj/argo-cd/v3"


def _flux(name: str) -> Recipe:
    return Recipe(name, name, (f"github.com/fluxcd/{name}",), f"github.com/fluxcd/{name}")


_ALL = (
    _kubernetes("kubectl"),
    _kubernetes("kube-apiserver"),
    Recipe("etcd", "etcd", (".",), "go.etcd.io/etcd/server/v3", sources=("main.go",)),
    _kubernetes("kube-controller-manager"),
    _kubernetes("kube-scheduler"),
    _kubernetes("kubelet"),
    _kubernetes("kube-proxy"),
    _own("netpol"),
    _own("provisioner"),
    _own("forward"),
    Recipe("coredns", "coredns", ("./slim",), "github.com/coredns/coredns", sources=("slim",)),
    _containerd("containerd"),
    _containerd("containerd-shim-runc-v2"),
    _containerd("ctr"),
    Recipe(
        "runc",
        "runc",
        ("github.com/opencontainers/runc",),
        "github.com/opencontainers/runc",
        tags=("seccomp",),
        cgo=True,
    ),
    Recipe(
        "cni",
        "cni",
        tuple(
            f"{_CNI}/plugins/{p}" for p in ("main/bridge", "main/loopback", "ipam/host-local", "meta/portmap")
        ),
        _CNI,
        variables=(f"{_CNI}/pkg/utils/buildversion.BuildVersion={{version}}",),
        folder=True,
    ),
    Recipe(
        "helm",
        "helm",
        ("helm.sh/helm/v4/cmd/helm",),
        "helm.sh/helm/v4",
        variables=("helm.sh/helm/v4/internal/version.version={version}",),
    ),
    Recipe(
        "statsd_exporter",
        "statsd-exporter",
        ("github.com/prometheus/statsd_exporter",),
        "github.com/prometheus/statsd_exporter",
        variables=(_PROMETHEUS_VERSION,),
    ),
    _prometheus("prometheus"),
    _prometheus("promtool"),
    _alertmanager("alertmanager"),
    _alertmanager("amtool"),
    Recipe(
        "prometheus-operator",
        "prometheus-operator",
        ("github.com/prometheus-operator/prometheus-operator/cmd/operator",),
        "github.com/prometheus-operator/prometheus-operator",
        variables=(_PROMETHEUS_VERSION,),
    ),
    Recipe(
        "loki",
        "loki",
        ("github.com/grafana/loki/v3/cmd/loki",),
        "github.com/grafana/loki/v3",
        variables=("github.com/grafana/loki/v3/pkg/util/build.Version={number}",),
    ),
    Recipe(
        "argocd",  # all of Argo CD's programs: ARGOCD_BINARY_NAME says which one it is
        "argocd",
        (f"{_ARGO}/cmd",),
        _ARGO,
        variables=(f"{_ARGO}/common.version={{number}}",),
    ),
    _flux("source-controller"),
    _flux("kustomize-controller"),
    Recipe(
        "kustomize",
        "kustomize",
        ("sigs.k8s.io/kustomize/kustomize/v5",),
        "sigs.k8s.io/kustomize/kustomize/v5",
        variables=("sigs.k8s.io/kustomize/api/provenance.version={version}",),
    ),
    Recipe(
        "kubeconform",
        "kubeconform",
        ("github.com/yannh/kubeconform/cmd/kubeconform",),
        "github.com/yannh/kubeconform",
        variables=("main.version={version}",),
    ),
    Recipe(
        "crane",
        "crane",
        ("github.com/google/go-containerregistry/cmd/crane",),
        "github.com/google/go-containerregistry",
        variables=("github.com/google/go-containerregistry/cmd/crane/cmd.Version={number}",),
    ),
    Recipe(
        "actionlint",
        "actionlint",
        ("github.com/rhysd/actionlint/cmd/actionlint",),
        "github.com/rhysd/actionlint",
        variables=("github.com/rhysd/actionlint.version={number}",),
    ),
)
RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _ALL}

KUBERNETES = RECIPES["kubelet"].version()

CONTROL_PLANE = ("kubectl", "etcd", "kube-apiserver", "kube-controller-manager")
NODE = (
    *CONTROL_PLANE,
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "netpol",
    "provisioner",
    "forward",
    "coredns",
    "containerd",
    "containerd-shim-runc-v2",
    "ctr",
    "runc",
    "cni",
)
