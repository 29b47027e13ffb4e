"""The real Prometheus operator takes what the charts give; a plain configuration finds the same targets.

A control plane without a node: pods are objects whose status the test writes. What Prometheus would be
configured with is read from the Secrets that its operator makes, and checked by Prometheus' own programs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import urllib3
import yaml
from tests.charts.support import Chart, Object
from tests.controller.api import Api
from tests.controller.process import eventually
from tests.dashboards.monitored import (
    KINDS,
    MONITORING,
    OPERATOR,
    OPERATOR_NAMESPACE,
    ROOT,
    TENANTS,
    WAIT,
    Cluster,
    monitored,
    run,
)
from tests.dashboards.prometheus_operator import prometheus

from tenant_operator.core import kinds

SCRAPE_CONFIG = ROOT / "manifests" / "monitoring" / "prometheus" / "scrape-config.yaml"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with monitored(tmp_path_factory.mktemp("prometheus-operator")) as made:
        yield made


@pytest.mark.covers("M-02")
def test_every_object_is_accepted_and_becomes_a_part_of_the_configuration(cluster: Cluster) -> None:
    jobs = {
        "podMonitor/airflow-payments/payments/0",
        "podMonitor/airflow-analytics/analytics/0",
        f"podMonitor/{OPERATOR_NAMESPACE}/{OPERATOR}/0",
    }
    eventually(lambda: cluster.jobs.keys() == jobs, WAIT, lambda: sorted(cluster.jobs))
    rules = cluster.api.list(KINDS["PrometheusRule"])
    assert len(rules) > len(TENANTS), "rules of the tenants and of the platform"
    starts = [f"{rule['metadata']['namespace']}-{rule['metadata']['name']}-" for rule in rules]

    def files() -> list[str]:
        return sorted(cluster.operator.rule_files(MONITORING))

    eventually(lambda: len(files()) == len(rules), WAIT, files)
    assert all(any(file.startswith(start) for file in files()) for start in starts)
    for name in TENANTS:
        wanted = f"airflow-{name}/{name}-alerts"
        eventually(lambda wanted=wanted: wanted in cluster.operator.routing(MONITORING), WAIT)
    assert not cluster.operator.complaints()


def test_an_object_that_is_wrong_is_complained_about(cluster: Cluster) -> None:
    """Else the silence of the test above would say nothing."""
    before = len(cluster.operator.complaints())
    relabelings = [{"action": "keep", "regex": "("}]
    wrong = {
        "metadata": {"name": "wrong", "namespace": MONITORING},
        "spec": {"selector": {}, "podMetricsEndpoints": [{"port": "x", "relabelings": relabelings}]},
    }
    cluster.api.create(KINDS["PodMonitor"], wrong)
    try:
        eventually(
            lambda: len(cluster.operator.complaints()) > before,
            WAIT,
            cluster.operator.log.read_text,
            pause=0.5,
        )
    finally:
        cluster.api.delete(KINDS["PodMonitor"], "wrong", MONITORING)


def test_prometheus_own_program_finds_no_fault_in_configuration_and_rules(
    cluster: Cluster, tmp_path: Path
) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    files = cluster.operator.rule_files(MONITORING)
    for name, text in files.items():
        (rules / name).write_text(text)
    file = tmp_path / "prometheus.yaml"
    file.write_text(yaml.safe_dump({**cluster.config, "rule_files": [f"{rules}/*.yaml"]}))
    done = run("promtool", "check", "config", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert files
    assert done.stdout.count(" rules found") == len(files)


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
        for component, template in pods_of(cluster.charts[name]).items():
            phase = "Succeeded" if component == "migrate-database" else "Running"
            pod = f"{name}-{component}-0"
            make_pod(cluster.api, pod, f"airflow-{name}", template, f"10.1.0.{number}", phase)
            number += 1
    statsd = pods_of(cluster.charts["payments"])["statsd"]
    make_pod(cluster.api, "payments-statsd-old", "airflow-payments", statsd, "10.1.0.200", "Failed")
    (operator,) = pods_of(cluster.charts[OPERATOR]).values()
    make_pod(cluster.api, f"{OPERATOR}-0", OPERATOR_NAMESPACE, operator, "10.1.0.250")
    plain = yaml.safe_load(SCRAPE_CONFIG.read_text())["scrape_configs"]
    # nobody answers at these addresses, and nobody needs to be asked
    jobs = [{**job, "scrape_interval": "1h"} for job in (*cluster.jobs.values(), *plain)]
    config = {"global": {"scrape_interval": "1h"}, "scrape_configs": jobs}
    with prometheus(config, cluster.plane.kubeconfig, cluster.directory) as url:
        yield Targets(eventually(lambda: settled(url, len(jobs)), WAIT, pause=0.5))


def settled(url: str, jobs: int) -> dict[str, set[frozenset[tuple[str, str]]]]:
    """The targets by job, once every job has some; several seconds lie between first and last."""
    try:
        answer = urllib3.request("GET", f"{url}/api/v1/targets?state=active", timeout=5, retries=False)
        active = answer.json()["data"]["activeTargets"]
    except urllib3.exceptions.HTTPError:
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
    theirs = cluster.jobs
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
