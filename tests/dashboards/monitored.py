"""A control plane with two tenants' monitoring objects, and the real Prometheus operator beside it."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.charts.support import OPERATOR_CHART, Chart, Object, merged, render_chart
from tests.controller import definitions
from tests.controller.api import Api
from tests.dashboards.prometheus_operator import PrometheusOperator

from devcluster.controlplane import ControlPlane
from devcluster.tools import tool
from tenant_operator.adapters.helm import _Yaml12Loader
from tenant_operator.core import kinds
from tenant_operator.core.kinds import Kind
from tenant_operator.plan import values
from tenant_operator.plan.monitoring import MonitoringDefaults
from tenant_operator.plan.tenant import Tenant, parse

ROOT = Path(__file__).resolve().parents[2]
MONITORING = "monitoring"
OPERATOR, OPERATOR_NAMESPACE = "airflow-tenant-operator", "airflow-tenants-system"
SERVED = frozenset(kind.kind for kind in kinds.OPTIONAL)
KINDS = {kind.kind: kind for kind in kinds.OPTIONAL}
PROMETHEUS = Kind("monitoring.coreos.com/v1", "Prometheus", "prometheuses")
ALERTMANAGER = Kind("monitoring.coreos.com/v1", "Alertmanager", "alertmanagers")
WAIT = 40.0
OBJECTIVES = [
    {"name": "runs", "metric": "dagRunSuccess", "objective": "99.5"},
    {
        "name": "settlement",
        "metric": "dagRunDuration",
        "objective": "99",
        "dag": "settlement",
        "threshold": "10m",
    },
]


def reference(key: str) -> Object:
    return {"name": "alerts", "key": key}


TENANTS: dict[str, Object] = {
    "payments": {
        "owner": {"team": "payments", "email": "payments@example.com", "slack": "#payments"},
        "monitoring": {
            "slo": OBJECTIVES,
            "dagDurations": [{"dag": "settlement", "limit": "30m"}],
            "alerts": {
                "slack": {"apiUrlSecretRef": reference("slack")},
                "pagerduty": {"routingKeySecretRef": reference("pagerduty")},
                "webhook": {"urlSecretRef": reference("webhook")},
            },
        },
    },
    "analytics": {
        "owner": {"team": "insights", "email": "insights@example.com"},
        "monitoring": {
            "slo": OBJECTIVES[:1],
            "alerts": {"webhook": {"urlSecretRef": reference("webhook")}},
        },
    },
}
GIT = [
    {"name": name, "gitSync": {"repo": f"https://git.example.com/{name}.git"}} for name in ("main", "shared")
]


@dataclass(frozen=True)
class Cluster:
    """A control plane with tenants, and the Prometheus operator's process beside it."""

    directory: Path
    plane: ControlPlane
    api: Api
    operator: PrometheusOperator
    charts: Mapping[str, Chart]

    @property
    def config(self) -> Object:
        """The configuration of Prometheus."""
        return dict(yaml.safe_load(self.operator.config(MONITORING)))

    @property
    def jobs(self) -> dict[str, Object]:
        """Its scrape jobs by name."""
        return {job["job_name"]: job for job in self.config.get("scrape_configs") or []}


def tenant_of(name: str) -> Tenant:
    spec = merged(TENANTS[name], {"dags": {"sources": GIT}})
    return parse({"metadata": {"name": name, "uid": f"uid-of-{name}", "generation": 1}, "spec": spec})


def chart_of(name: str) -> Chart:
    """What the operator would apply for a tenant of this spec."""
    tenant = tenant_of(name)
    links = MonitoringDefaults(
        grafana_url="https://grafana.example.com", runbook_url="https://wiki.example.com/runbook"
    )
    wanted = values.build(tenant, {}, values.Defaults(monitoring=links), SERVED)
    return rendered(wanted, name, tenant.namespace)


def rendered(wanted: Mapping[str, Any], release: str, namespace: str) -> Chart:
    done = subprocess.run(
        [str(tool("helm")), "template", release, str(ROOT / "charts" / "airflow-tenant"), "-n", namespace,
         "-f", "-"],
        input=json.dumps(wanted), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    objects = [obj for obj in yaml.load_all(done.stdout, Loader=_Yaml12Loader) if obj]
    return Chart(done.stdout, {(obj["kind"], obj["metadata"]["name"]): obj for obj in objects})


@contextlib.contextmanager
def monitored(directory: Path) -> Iterator[Cluster]:
    """Everything applied; the operator has had its first look when its Secrets are there."""
    with contextlib.ExitStack() as stack:
        plane = stack.enter_context(ControlPlane.start(directory / "cluster"))
        api = stack.enter_context(Api(plane))
        definitions.install(
            api,
            definitions.of_prometheus_operator(
                "alertmanagerconfigs", "alertmanagers", "podmonitors", "probes", "prometheuses",
                "prometheusrules", "scrapeconfigs", "servicemonitors",
            ),
        )  # fmt: skip
        for namespace in (MONITORING, OPERATOR_NAMESPACE, *(tenant_of(name).namespace for name in TENANTS)):
            api.create(kinds.NAMESPACE, {"metadata": {"name": namespace}})
        tenants = {name: chart_of(name) for name in TENANTS}
        for name, chart in tenants.items():
            texts = {"slack": "http://slack.example.com/x", "pagerduty": "key", "webhook": f"http://{name}/"}
            api.secret("alerts", tenant_of(name).namespace, **texts)
            apply(api, chart, "PodMonitor", "PrometheusRule", "AlertmanagerConfig")
        platform = render_chart(
            {"podMonitor": {"enabled": True}, "alerts": {"enabled": True}}, OPERATOR_CHART, OPERATOR
        )
        apply(api, platform, "PodMonitor", "PrometheusRule", namespace=OPERATOR_NAMESPACE)
        operator = stack.enter_context(PrometheusOperator.start(plane.kubeconfig, directory))
        operator.make_prometheus(MONITORING)
        operator.make_alertmanager(MONITORING)
        yield Cluster(directory, plane, api, operator, {**tenants, OPERATOR: platform})


def apply(api: Api, chart: Chart, *wanted: str, namespace: str = "") -> None:
    for (kind, _), obj in chart.objects.items():
        if kind in wanted:
            metadata = {**obj["metadata"], "namespace": namespace or obj["metadata"]["namespace"]}
            api.create(KINDS[kind], {**obj, "metadata": metadata})


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(tool(program)), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
