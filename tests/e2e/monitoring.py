"""Monitoring of the end-to-end cluster: a real Prometheus that finds the tenants by what the charts declare.

The Prometheus operator runs beside the tests and turns PodMonitors and PrometheusRules into Prometheus' own
configuration, as it would inside a cluster; only the server itself is started by us, with that configuration.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.controller.definitions import of_prometheus_operator
from tests.e2e.support import Environment

from demo.kube import Json, Kube
from demo.process import wait_for

SPACE = "monitoring"
NAME = "fleet"
#: What a platform team sets when it installs the operator beside a Prometheus operator and a Grafana sidecar.
OPERATOR_VALUES: Mapping[str, Any] = {
    "podMonitor": {"enabled": True},
    "dashboards": {"enabled": True},
    "alerts": {"enabled": True},
    "tenantDefaults": {"monitoring": {"prometheusNamespace": SPACE}},
}
_GROUP = "rbac.authorization.k8s.io"
_PLURALS = (
    "podmonitors",
    "prometheusrules",
    "alertmanagerconfigs",
    "prometheuses",
    "servicemonitors",
    "probes",
    "scrapeconfigs",
    "alertmanagers",
    "thanosrulers",
    "prometheusagents",
)


def install_definitions(kube: Kube) -> None:
    """The definitions of the Prometheus operator, as a cluster has them before any tenant comes."""
    for definition in of_prometheus_operator(*_PLURALS):
        kube.apply(definition)
    # The API server names a new kind before its storage is ready, and says 429 until then.
    for version, plural in (
        ("v1", "podmonitors"),
        ("v1", "prometheusrules"),
        ("v1alpha1", "alertmanagerconfigs"),
    ):
        address = f"/apis/monitoring.coreos.com/{version}/{plural}"
        wait_for(f"the kind {plural}", lambda a=address: kube.request("GET", a)[0] == 200, seconds=60)


@dataclass(frozen=True)
class Prometheus:
    """The server's API through a port forward."""

    url: str

    def query(self, promql: str) -> list[dict[str, Any]]:
        """An instant query: the samples as {"metric": labels, "value": [time, text]}."""
        address = f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': promql})}"
        with urllib.request.urlopen(address, timeout=20) as answer:  # noqa: S310 - our own forward
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found

    def wait(
        self, promql: str, fits: Callable[[list[dict[str, Any]]], bool] = bool, seconds: float = 90.0
    ) -> list[dict[str, Any]]:
        """The samples of a query as soon as they fit; by default: as soon as there are any."""

        def look() -> list[dict[str, Any]] | None:
            try:
                found = self.query(promql)
            except (urllib.error.URLError, ConnectionError):
                return None
            return (found or [{}]) if fits(found) else None

        return [
            item for item in wait_for(promql, look, seconds=seconds, seen=lambda: self._look(promql)) if item
        ]

    def _look(self, promql: str) -> object:
        try:
            return self.query(promql)
        except OSError as error:
            return str(error)

    def targets(self) -> list[dict[str, Any]]:
        """What is scraped, with the labels that every series gets."""
        with urllib.request.urlopen(f"{self.url}/api/v1/targets?state=active", timeout=20) as answer:  # noqa: S310 - our own forward
            found: list[dict[str, Any]] = json.load(answer)["data"]["activeTargets"]
        return found


def quicker(rules: str, factor: int = 30) -> str:
    """The same rules with every duration divided, so that a test sees in seconds what people see in minutes.

    Shortest is ten seconds: two scrapes.
    """
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}

    def shorter(found: re.Match[str]) -> str:
        seconds = int(found["number"]) * units[found["unit"]] // factor
        return f"{found['before']}{max(seconds, 10)}s"

    return re.sub(r"(?P<before>\[|for: |interval: |offset )(?P<number>\d+)(?P<unit>[smhd])\b", shorter, rules)


def often(config: str) -> str:
    """The same configuration with a scrape every five seconds, and the rules where our pod has them."""
    config = re.sub(r"(scrape_interval|evaluation_interval): \S+", r"\1: 5s", config)
    config = re.sub(r"scrape_timeout: \S+", "scrape_timeout: 4s", config)
    return re.sub(r"/etc/prometheus/rules/[^/\s]+/", "/etc/prometheus-rules/", config)


def objects(image: str, config: str, rules: Mapping[str, str]) -> list[Json]:
    """Namespace, rights, configuration and pod of the server."""
    labels = {"app.kubernetes.io/name": "prometheus"}
    files = {re.sub(r"[^-._a-zA-Z0-9]", "_", name): text for name, text in rules.items()}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": SPACE}},
        {
            "apiVersion": f"{_GROUP}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": f"{SPACE}-{NAME}"},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}],
        },
        {
            "apiVersion": f"{_GROUP}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": f"{SPACE}-{NAME}"},
            "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": f"{SPACE}-{NAME}"},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": SPACE}],
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": NAME, "namespace": SPACE},
            "data": {"prometheus.yaml": config},
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"{NAME}-rules", "namespace": SPACE},
            "data": files,
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": NAME, "namespace": SPACE, "labels": labels},
            "spec": {
                "serviceAccountName": NAME,
                "terminationGracePeriodSeconds": 2,
                "securityContext": {
                    "runAsNonRoot": True,
                    "fsGroup": 65534,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                # its node may be closed to others while a test keeps a component away
                "tolerations": [{"operator": "Exists"}],
                "containers": [
                    {
                        "name": "prometheus",
                        "image": image,
                        "imagePullPolicy": "IfNotPresent",
                        "args": [
                            "--config.file=/etc/prometheus/prometheus.yaml",
                            "--storage.tsdb.path=/prometheus",
                            "--storage.tsdb.retention.time=2h",
                            "--web.listen-address=:9090",
                        ],
                        "ports": [{"name": "http", "containerPort": 9090}],
                        "readinessProbe": {
                            "httpGet": {"path": "/-/ready", "port": "http"},
                            "periodSeconds": 2,
                        },
                        "securityContext": {
                            "allowPrivilegeEscalation": False,
                            "readOnlyRootFilesystem": True,
                            "capabilities": {"drop": ["ALL"]},
                        },
                        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
                        "volumeMounts": [
                            {"name": "config", "mountPath": "/etc/prometheus"},
                            {"name": "rules", "mountPath": "/etc/prometheus-rules"},
                            {"name": "data", "mountPath": "/prometheus"},
                        ],
                    }
                ],
                "volumes": [
                    {"name": "config", "configMap": {"name": NAME}},
                    {"name": "rules", "configMap": {"name": f"{NAME}-rules"}},
                    {"name": "data", "emptyDir": {}},
                ],
            },
        },
    ]


def exists(environment: Environment, namespace: str, name: str) -> bool:
    """Whether a ConfigMap is there."""
    return environment.get(namespace, "v1", "configmaps", name) is not None
