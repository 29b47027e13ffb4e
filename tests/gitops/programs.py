"""Argo CD's programs as plain processes beside a cluster: how each is started, asked and ended.

They are those of an installation (https://argo-cd.readthedocs.io/en/stable/operator-manual/architecture/)
with the settings of one: what the cluster's argocd-cm and argocd-cmd-params-cm say reaches them by the same
variables as in Argo CD's own manifests. Only addresses, and how often they look by themselves, are ours.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from tests.gitops import modules
from tests.gitops.together import LOOPBACK, Together, free_ports, inherited

from devcluster.console import Console
from devcluster.prerequisites import Prerequisite, ensure, find_program
from devcluster.tools import tool

NAMESPACE = "argocd"
METRICS = Path(__file__).parents[2] / "manifests" / "argocd" / "config" / "component" / "metrics.yaml"
#: One binary under several names. Debian's package redis-server would also start a server for the machine.
REDIS = ("redis-server", "redis-check-rdb")
NEEDED = (Prerequisite("redis-tools", programs=REDIS), Prerequisite("git", programs=("git",)))
#: An installation looks every two to three minutes; a test has no time for that and no webhook.
RESYNC_SECONDS = 20
_PORTS = (
    "redis", "repo", "repo-metrics", "controller-metrics", "sets-metrics", "sets-probe", "sets-webhook",
    "server", "server-metrics",
)  # fmt: skip
_MANIFESTS = {
    "argocd-application-controller": "application-controller/argocd-application-controller-statefulset.yaml",
    "argocd-repo-server": "repo-server/argocd-repo-server-deployment.yaml",
    "argocd-applicationset-controller": (
        "applicationset-controller/argocd-applicationset-controller-deployment.yaml"
    ),
    "argocd-server": "server/argocd-server-deployment.yaml",
}


def _ports() -> dict[str, int]:
    return dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))


def settings(program: str, maps: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The environment that Argo CD's own manifest makes of the ConfigMaps' data (`maps`: name -> data)."""
    manifest = modules.source("argocd") / "manifests" / "base" / _MANIFESTS[program]
    containers = yaml.safe_load(manifest.read_text())["spec"]["template"]["spec"]["containers"]
    found = {}
    for variable in containers[0]["env"]:
        reference = (variable.get("valueFrom") or {}).get("configMapKeyRef")
        value = maps.get(reference["name"], {}).get(reference["key"]) if reference else None
        if value is not None:
            found[variable["name"]] = value
    return found


def metrics_flags() -> list[str]:
    """What manifests/argocd/config adds to the arguments of an installation's controller."""
    patch = yaml.safe_load(METRICS.read_text())
    return [str(operation["value"]) for operation in patch]


@dataclass
class Programs(Together):
    """The five processes of one Argo CD. ``maps``: the data of the ConfigMaps with its settings, by name."""

    kubeconfig: Path
    maps: Mapping[str, Mapping[str, str]]
    ports: dict[str, int] = field(default_factory=_ports)

    def start(self) -> None:
        """Start all and wait until they answer; PortTakenError and AssertionError leave nothing behind."""
        ensure(NEEDED, Console())
        self._prepare()
        with self.starting():
            for name, command, environment in self._commands():
                self.launch(name, command, environment)
            for name, port, path in self._probes():
                self.wait_answer(name, f"http://{LOOPBACK}:{self.ports[port]}{path}")

    def restart(self, name: str, maps: Mapping[str, Mapping[str, str]]) -> None:
        """Start one of them anew with what the ConfigMaps say by now; its ports stay."""
        self.end(name)
        self.maps = maps
        command, environment = next((c, e) for known, c, e in self._commands() if known == name)
        self.launch(name, command, environment)
        for known, port, path in self._probes():
            if known == name:
                self.wait_answer(name, f"http://{LOOPBACK}:{self.ports[port]}{path}")

    def megabytes(self) -> dict[str, float]:
        """Resident memory of each, in MB."""
        page = os.sysconf("SC_PAGE_SIZE")
        return {
            name: int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * page / 1e6
            for name, process in self.running.items()
        }

    def cpu_seconds(self) -> dict[str, float]:
        """Processor time that each has used so far."""
        ticks = os.sysconf("SC_CLK_TCK")
        found = {}
        for name, process in self.running.items():
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            found[name] = (int(fields[11]) + int(fields[12])) / ticks
        return found

    def _prepare(self) -> None:
        for name in ("log", "path", "home", "tls", "ssh", "plugins", "tmp", "gpg", "redis"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "ssh" / "ssh_known_hosts").touch()
        hack = modules.source("argocd") / "hack"
        for script in ("git-verify-wrapper.sh", "gpg-wrapper.sh"):  # a module's files are not executable
            copy = self.folder / "path" / script
            copy.unlink(missing_ok=True)
            copy.write_bytes((hack / script).read_bytes())
            copy.chmod(0o755)
        programs = {name: tool(name) for name in ("argocd", "helm", "kustomize")}
        redis = next(filter(None, map(find_program, REDIS)))  # the prerequisites are there
        for name, program in {**programs, "redis-server": Path(redis)}.items():
            link = self.folder / "path" / name
            link.unlink(missing_ok=True)
            link.symlink_to(program.resolve())

    def _environment(self, program: str) -> dict[str, str]:
        return {
            **inherited(),
            **settings(program, self.maps),
            "ARGOCD_BINARY_NAME": program,
            "PATH": f"{self.folder / 'path'}:{os.environ.get('PATH', os.defpath)}",
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "KUBECONFIG": str(self.kubeconfig),
            "HOSTNAME": f"{program}-0",  # the controller's number in its StatefulSet
            "ARGOCD_FAKE_IN_CLUSTER": "true",  # https://kubernetes.default.svc is the cluster of KUBECONFIG
            "ARGOCD_GPG_ENABLED": "false",
            "ARGOCD_TLS_DATA_PATH": str(self.folder / "tls"),
            "ARGOCD_SSH_DATA_PATH": str(self.folder / "ssh"),
            "ARGOCD_PLUGINSOCKFILEPATH": str(self.folder / "plugins"),
            "ARGOCD_GNUPGHOME": str(self.folder / "gpg"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }

    def _commands(self) -> list[tuple[str, list[str], dict[str, str]]]:
        port = self.ports
        redis = [f"--redis={LOOPBACK}:{port['redis']}"]
        repo = [f"--repo-server={LOOPBACK}:{port['repo']}", "--repo-server-plaintext"]
        cluster = [f"--kubeconfig={self.kubeconfig}", f"--namespace={NAMESPACE}"]
        flags = {
            "argocd-repo-server": [
                f"--port={port['repo']}", f"--address={LOOPBACK}", f"--metrics-port={port['repo-metrics']}",
                f"--metrics-address={LOOPBACK}", *redis, "--disable-tls", "--client-ca-path=",
                "--revision-cache-expiration=5s",
            ],
            "argocd-application-controller": [
                *cluster, *redis, *repo, f"--metrics-port={port['controller-metrics']}",
                f"--app-resync={RESYNC_SECONDS}", "--app-resync-jitter=0",
                f"--repo-error-grace-period-seconds={RESYNC_SECONDS}", *metrics_flags(),
            ],
            "argocd-applicationset-controller": [
                *cluster, f"--argocd-repo-server={LOOPBACK}:{port['repo']}", "--repo-server-plaintext",
                f"--metrics-addr={LOOPBACK}:{port['sets-metrics']}",
                f"--probe-addr={LOOPBACK}:{port['sets-probe']}",
                f"--webhook-addr={LOOPBACK}:{port['sets-webhook']}",
            ],
            "argocd-server": [
                *cluster, *redis, *repo, f"--address={LOOPBACK}", f"--port={port['server']}",
                f"--metrics-address={LOOPBACK}", f"--metrics-port={port['server-metrics']}",
                "--insecure", "--disable-auth",
            ],
        }  # fmt: skip
        binary = str(self.folder / "path" / "argocd")
        store = [
            str(self.folder / "path" / "redis-server"), "--save", "", "--appendonly", "no",
            "--port", str(port["redis"]), "--bind", LOOPBACK, "--dir", str(self.folder / "redis"),
        ]  # fmt: skip
        programs = [(name, [binary, *given], self._environment(name)) for name, given in flags.items()]
        return [("redis", store, inherited()), *programs]

    @staticmethod
    def _probes() -> Sequence[tuple[str, str, str]]:
        return (
            ("argocd-repo-server", "repo-metrics", "/healthz"),
            ("argocd-application-controller", "controller-metrics", "/healthz"),
            (
                "argocd-applicationset-controller",
                "sets-metrics",
                "/metrics",
            ),  # it has a probe without checks: 404
            ("argocd-server", "server", "/healthz"),
        )
