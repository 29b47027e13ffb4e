"""The real Prometheus operator takes what the charts give; a plain configuration finds the same targets.

A control plane without a node: pods are objects whose status the test writes. What Prometheus would be
configured with is read from the Secrets that its operator makes, and checked by Prometheus' own programs.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.charts.support import OPERATOR_CHART, Chart, Object, merged, render_chart
from tests.controller import definitions
from tests.controller.api import Api
from tests.controller.process import eventually
from tests.controller.stack import free_port

from devcluster.controlplane import ControlPlane
from devcluster.tools import tool
from tenant_operator.adapters.helm import _Yaml12Loader
from tenant_operator.core import kinds
from tenant_operator.core.kinds import Kind
from tenant_operator.plan import values
from tenant_operator.plan.monitoring import MonitoringDefaults
from tenant_operator.plan.tenant import Tenant, parse

ROOT = Path(__file__).resolve().parents[2]
SCRAPE_CONFIG = ROOT / "manifests" / "monitoring" / "prometheus" / "scrape-config.yaml"
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
    log: Path
    tenants: Mapping[str, Chart]

    def secret(self, name: str, key: str) -> str:
        """A file that the operator generated; "" while there is none."""
        found = self.api.find(kinds.SECRET, name, MONITORING)
        data = (found or {}).get("data") or {}
        return gzip.decompress(base64.b64decode(data[key])).decode() if key in data else ""

    def config(self) -> Object:
        """The configuration of Prometheus."""
        # the config-reloader beside Prometheus puts the number of the shard in
        text = self.secret("prometheus-main", "prometheus.yaml.gz").replace("$(SHARD)", "0")
        return dict(yaml.safe_load(text) or {}) if text else {}

    def routing(self) -> str:
        """The configuration of Alertmanager."""
        return self.secret("alertmanager-main-generated", "alertmanager.yaml.gz")

    def rule_files(self) -> dict[str, str]:
        """The rule files that Prometheus would mount."""
        found = self.api.list(_CONFIG_MAP, MONITORING)
        maps = [item for item in found if item["metadata"]["name"].startswith("prometheus-main-rulefiles-")]
        return {name: text for item in maps for name, text in (item.get("data") or {}).items()}


_CONFIG_MAP = next(kind for kind in kinds.RENDERED if kind.kind == "ConfigMap")


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


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Everything applied; the operator has had its first look when its Secrets are there."""
    directory = tmp_path_factory.mktemp("prometheus-operator")
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
        log = directory / "prometheus-operator.log"
        stack.enter_context(prometheus_operator(plane, log))
        all_ = {
            f"{kind}{end}": {} for kind in ("podMonitor", "rule") for end in ("Selector", "NamespaceSelector")
        }
        both = {f"alertmanagerConfig{end}": {} for end in ("Selector", "NamespaceSelector")}
        main = {"name": "main", "namespace": MONITORING}
        api.create(PROMETHEUS, {"metadata": main, "spec": {"version": "v3.5.0", **all_}})
        api.create(ALERTMANAGER, {"metadata": main, "spec": {"version": "v0.28.1", **both}})
        made = Cluster(directory, plane, api, log, {**tenants, OPERATOR: platform})
        eventually(lambda: made.config() and made.routing() and made.rule_files(), WAIT, log.read_text)
        yield made


def apply(api: Api, chart: Chart, *wanted: str, namespace: str = "") -> None:
    for (kind, _), obj in chart.objects.items():
        if kind in wanted:
            metadata = {**obj["metadata"], "namespace": namespace or obj["metadata"]["namespace"]}
            api.create(KINDS[kind], {**obj, "metadata": metadata})


@contextlib.contextmanager
def prometheus_operator(plane: ControlPlane, log: Path) -> Iterator[None]:
    command = [str(tool("prometheus-operator")), f"--web.listen-address=127.0.0.1:{free_port()}"]
    environment = {**os.environ, "KUBECONFIG": str(plane.kubeconfig)}
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def complaints(cluster: Cluster) -> list[str]:
    """What the Prometheus operator has against our objects, in its log and in Events."""
    ours = ("podmonitor", "prometheusrule", "alertmanagerconfig", "skipping", "reject", "invalid")
    lines = [
        line
        for line in cluster.log.read_text().splitlines()
        if ("level=warn" in line.lower() or "level=error" in line.lower())
        and any(word in line.lower() for word in ours)
    ]
    for namespace in {obj["metadata"]["namespace"] for obj in cluster.api.list(KINDS["PodMonitor"])}:
        events = cluster.api.list(kinds.EVENT, namespace)
        lines += [event["message"] for event in events if event["involvedObject"]["kind"] in KINDS]
    return lines


@pytest.mark.covers("M-02")
def test_every_object_is_accepted_and_becomes_a_part_of_the_configuration(cluster: Cluster) -> None:
    jobs = {
        "podMonitor/airflow-payments/payments/0",
        "podMonitor/airflow-analytics/analytics/0",
        f"podMonitor/{OPERATOR_NAMESPACE}/{OPERATOR}/0",
    }
    eventually(
        lambda: {job["job_name"] for job in cluster.config()["scrape_configs"]} == jobs, WAIT, cluster.config
    )
    wanted = {
        (obj["metadata"].get("namespace"), obj["metadata"]["name"])
        for obj in cluster.api.list(KINDS["PrometheusRule"])
    }
    assert len(wanted) > len(TENANTS), "rules of the tenants and of the platform"
    starts = {f"{namespace}-{name}-" for namespace, name in wanted}
    eventually(
        lambda: all(any(file.startswith(start) for file in cluster.rule_files()) for start in starts),
        WAIT,
        lambda: (starts, sorted(cluster.rule_files())),
    )
    assert len(cluster.rule_files()) == len(wanted)
    for name in TENANTS:
        assert f"airflow-{name}/{name}-alerts" in cluster.routing()
    assert not complaints(cluster)


def test_an_object_that_is_wrong_is_complained_about(cluster: Cluster) -> None:
    """Else the silence of the test above would say nothing."""
    relabelings = [{"action": "keep", "regex": "("}]
    wrong = {
        "metadata": {"name": "wrong", "namespace": MONITORING},
        "spec": {"selector": {}, "podMetricsEndpoints": [{"port": "x", "relabelings": relabelings}]},
    }
    cluster.api.create(KINDS["PodMonitor"], wrong)
    try:
        eventually(lambda: complaints(cluster), WAIT, cluster.log.read_text)
    finally:
        cluster.api.delete(KINDS["PodMonitor"], "wrong", MONITORING)
        cluster.log.write_text("")
        for event in cluster.api.list(kinds.EVENT, MONITORING):
            cluster.api.delete(kinds.EVENT, event["metadata"]["name"], MONITORING)


def test_prometheus_own_program_finds_no_fault_in_configuration_and_rules(
    cluster: Cluster, tmp_path: Path
) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    for name, text in cluster.rule_files().items():
        (rules / name).write_text(text)
    config = {**cluster.config(), "rule_files": [f"{rules}/*.yaml"]}
    file = tmp_path / "prometheus.yaml"
    file.write_text(yaml.safe_dump(config))
    done = run("promtool", "check", "config", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" rules found") == len(cluster.rule_files())


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({"tenant": "payments", "severity": "critical"}, {"payments"}),
        ({"tenant": "payments", "severity": "warning"}, {"payments"}),
        ({"tenant": "analytics", "severity": "critical"}, {"analytics"}),
        ({"tenant": "nobody", "severity": "critical"}, set()),
    ],
)
def test_a_tenant_s_alert_is_routed_to_its_own_receivers(
    cluster: Cluster, tmp_path: Path, labels: dict[str, str], receivers: set[str]
) -> None:
    file = tmp_path / "alertmanager.yaml"
    file.write_text(cluster.routing())
    checked = run("amtool", "check-config", str(file))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    alert = [f"{key}={value}" for key, value in {**labels, "alertname": "AirflowSLOBurnFast"}.items()]
    where = f"namespace=airflow-{labels['tenant']}"
    done = run("amtool", "config", "routes", "test", f"--config.file={file}", where, *alert)
    assert done.returncode == 0, done.stderr
    found = {name.split("/")[0] for name in done.stdout.strip().split(",") if "/" in name}
    assert found == {f"airflow-{name}" for name in receivers}, done.stdout


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(tool(program)), *arguments], capture_output=True, text=True, timeout=60, check=False
    )


# Targets


def make_pod(
    api: Api, name: str, namespace: str, template: Object, address: str, phase: str = "Running"
) -> None:
    """A pod as a kubelet would report it."""
    lists = ("initContainers", "containers")
    spec = {key: [container(each) for each in template["spec"].get(key, [])] for key in lists}
    labels = {**template["metadata"]["labels"], "pod-template-hash": "5d8f"}
    annotations = template["metadata"].get("annotations") or {}
    metadata = {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations}
    api.create(kinds.POD, {"metadata": metadata, "spec": {"restartPolicy": "Always", **spec}})
    status = {"phase": phase, "podIP": address, "podIPs": [{"ip": address}]}
    api.merge(kinds.POD, name, {"status": status}, namespace, "status")


def container(whole: Object) -> Object:
    """What counts of it here: without volumes and secrets it needs nothing else in the namespace."""
    return {key: whole[key] for key in ("name", "image", "ports", "restartPolicy") if key in whole}


def pods_of(chart: Chart) -> dict[str, Object]:
    """Component -> pod template."""
    found = {}
    for (kind, _), obj in chart.objects.items():
        if kind in {"Deployment", "StatefulSet", "Job"}:
            template = obj["spec"]["template"]
            found[template["metadata"]["labels"]["app.kubernetes.io/component"]] = template
    return found


@dataclass(frozen=True)
class Targets:
    """Labels of the targets of each job, the operator's way and the plain way."""

    by_job: Mapping[str, set[frozenset[tuple[str, str]]]]

    def of(self, job: str) -> list[dict[str, str]]:
        return sorted((dict(labels) for labels in self.by_job[job]), key=lambda labels: labels["instance"])


@pytest.fixture(scope="module")
def targets(cluster: Cluster) -> Iterator[Targets]:
    """What a real Prometheus makes of both configurations, from the same pods."""
    number = 1
    for name in TENANTS:
        for component, template in pods_of(cluster.tenants[name]).items():
            phase = "Succeeded" if component == "migrate-database" else "Running"
            pod = f"{name}-{component}-0"
            make_pod(cluster.api, pod, f"airflow-{name}", template, f"10.1.0.{number}", phase)
            number += 1
    statsd = pods_of(cluster.tenants["payments"])["statsd"]
    make_pod(cluster.api, "payments-statsd-old", "airflow-payments", statsd, "10.1.0.200", "Failed")
    (operator,) = pods_of(cluster.tenants[OPERATOR]).values()
    make_pod(cluster.api, f"{OPERATOR}-0", OPERATOR_NAMESPACE, operator, "10.1.0.250")
    plain = yaml.safe_load(SCRAPE_CONFIG.read_text())["scrape_configs"]
    jobs = [*cluster.config()["scrape_configs"], *plain]
    for job in jobs:
        for discovery in job["kubernetes_sd_configs"]:
            discovery["kubeconfig_file"] = str(cluster.plane.kubeconfig)
    # nobody answers at these addresses, and nobody needs to be asked
    base = {"scrape_interval": "1h", "scrape_timeout": "1s"}
    config = {"global": base, "scrape_configs": [{**job, "scrape_interval": "1h"} for job in jobs]}
    file = cluster.directory / "prometheus.yaml"
    file.write_text(yaml.safe_dump(config))
    port = free_port()
    command = [str(tool("prometheus")), f"--config.file={file}", f"--web.listen-address=127.0.0.1:{port}",
               f"--storage.tsdb.path={cluster.directory / 'tsdb'}"]  # fmt: skip
    with (cluster.directory / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        found = eventually(lambda: settled(port, len(jobs)), WAIT, pause=0.5)
        yield Targets(found)
    finally:
        process.terminate()
        process.wait(20)


def settled(port: int, jobs: int) -> dict[str, set[frozenset[tuple[str, str]]]]:
    """The targets by job, once every job has some; several seconds lie between first and last."""
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port}/api/v1/targets?state=active", timeout=5
        ) as response:
            active = json.load(response)["data"]["activeTargets"]
    except OSError:
        return {}
    found: dict[str, set[frozenset[tuple[str, str]]]] = {}
    for target in active:
        found.setdefault(target["scrapePool"], set()).add(frozenset(target["labels"].items()))
    return found if len(found) == jobs else {}


@pytest.mark.covers("M-02")
def test_the_pod_monitor_and_the_plain_configuration_give_identical_targets(targets: Targets) -> None:
    plain = targets.by_job["airflow-tenant"]
    by_operator = set().union(*(targets.by_job[f"podMonitor/airflow-{name}/{name}/0"] for name in TENANTS))
    assert plain == by_operator
    operator = f"podMonitor/{OPERATOR_NAMESPACE}/{OPERATOR}/0"
    assert targets.by_job["airflow-operator"] == targets.by_job[operator]


@pytest.mark.covers("M-02")
def test_a_target_has_exactly_the_labels_that_dashboards_and_alerts_use(targets: Targets) -> None:
    found = {
        (target["pod"], target["container"], target["instance"].rpartition(":")[2]): target
        for target in targets.of("podMonitor/airflow-analytics/analytics/0")
    }
    git = {
        (f"analytics-{component}-0", f"git-sync-{source}", str(2020 + index))
        for component in ("scheduler", "dag-processor", "triggerer")
        for index, source in enumerate(("main", "shared"))
    }
    assert found.keys() == {("analytics-statsd-0", "statsd", "9102"), *git}
    statsd = found[("analytics-statsd-0", "statsd", "9102")]
    assert {**statsd, "instance": ""} == {
        "job": "airflow-tenant",
        "tenant": "analytics",
        "team": "insights",
        "namespace": "airflow-analytics",
        "pod": "analytics-statsd-0",
        "container": "statsd",
        "component": "statsd",
        "instance": "",
    }
    assert all(target.keys() == statsd.keys() for target in found.values())
    components = {target["component"] for target in found.values()}
    assert components == {"statsd", "scheduler", "dag-processor", "triggerer"}
    (operator,) = targets.of("airflow-operator")
    assert operator == {
        "job": "airflow-operator",
        "namespace": OPERATOR_NAMESPACE,
        "pod": f"{OPERATOR}-0",
        "container": "operator",
        "instance": "10.1.0.250:8080",
    }


def test_both_ways_have_the_same_limits_and_keep_the_operators_own_labels(cluster: Cluster) -> None:
    plain = {job["job_name"]: job for job in yaml.safe_load(SCRAPE_CONFIG.read_text())["scrape_configs"]}
    theirs = {job["job_name"]: job for job in cluster.config()["scrape_configs"]}
    limits = ("sample_limit", "label_limit", "label_name_length_limit", "label_value_length_limit")
    both = plain["airflow-tenant"], theirs["podMonitor/airflow-payments/payments/0"]
    for key in (*limits, "scrape_interval"):
        assert both[0][key] == both[1][key], key
    assert plain["airflow-operator"]["honor_labels"] is True
    assert theirs[f"podMonitor/{OPERATOR_NAMESPACE}/{OPERATOR}/0"]["honor_labels"] is True
    assert not [job for job in both if job.get("honor_labels")]


def test_the_plain_configuration_is_a_scrape_config_file_of_prometheus(tmp_path: Path) -> None:
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump({"scrape_config_files": [str(SCRAPE_CONFIG)]}))
    done = run("promtool", "check", "config", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
