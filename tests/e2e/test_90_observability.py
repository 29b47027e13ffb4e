"""What a platform team sees of tenants that run: series, dashboards, and an alert that tells the truth."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.dashboards.prometheus_operator import PrometheusOperator
from tests.e2e import monitoring
from tests.e2e.monitoring import NAME, SPACE, Prometheus, exists
from tests.e2e.support import Environment, path, ready, scratch_tenant

from demo.cluster import OPERATOR, OPERATOR_NAMESPACE
from demo.kube import TENANTS
from demo.process import wait_for

#: Every label that a target in a tenant's namespace has.
LABELS = {"job", "tenant", "team", "namespace", "pod", "container", "component", "instance"}
TAINT = "observability-test"


@pytest.fixture(scope="module")
def prometheus(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus in the cluster, with what the real Prometheus operator made of the charts' objects."""
    kube = environment.kube
    environment.wait_ready("payments", "analytics")
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    folder = tmp_path_factory.mktemp("prometheus-operator")
    with PrometheusOperator.start(environment.platform.target.kubeconfig, folder) as operator:
        operator.make_prometheus(SPACE, NAME)
        config, rules = wait_for(
            "the Prometheus operator's configuration of both tenants and of our operator",
            lambda: _complete(operator),
            seconds=120,
            seen=operator.complaints,
        )
        assert operator.complaints() == []
    kube.apply(
        *monitoring.objects(
            environment.platform.images["prometheus"],
            monitoring.often(config),
            {name: monitoring.quicker(text) for name, text in rules.items()},
        )
    )
    wait_for(
        "Prometheus",
        lambda: (pod := environment.get(SPACE, "v1", "pods", NAME)) and ready(pod),
        seconds=180,
    )
    with kube.forward(SPACE, f"pod/{NAME}", 9090) as url:
        yield Prometheus(url)
    kube.delete(f"/api/v1/namespaces/{SPACE}")


def _complete(operator: PrometheusOperator) -> tuple[str, dict[str, str]] | None:
    config, rules = operator.config(SPACE, NAME), operator.rule_files(SPACE, NAME)
    wanted = ("podMonitor/airflow-payments/payments", "podMonitor/airflow-analytics/analytics", OPERATOR)
    if not all(name in config for name in wanted) or not any(OPERATOR in name for name in rules):
        return None
    return config, rules


@pytest.mark.covers("M-02", "M-06")
@pytest.mark.parametrize(
    ("tenant", "git_sync_in"),
    [
        ("payments", {"scheduler", "dag-processor", "triggerer"}),  # its scheduler runs the tasks
        ("analytics", {"dag-processor", "triggerer"}),
    ],
)
def test_a_tenants_series_arrive_by_its_pod_monitor_with_exactly_the_promised_labels(
    prometheus: Prometheus, environment: Environment, tenant: str, git_sync_in: set[str]
) -> None:
    namespace = environment.tenant(tenant).namespace
    beats = prometheus.wait(f'rate(airflow_scheduler_heartbeat{{tenant="{tenant}"}}[30s]) > 0')
    assert {beat["metric"]["namespace"] for beat in beats} == {namespace}
    targets = [t for t in prometheus.targets() if t["labels"].get("tenant") == tenant]
    assert {target["labels"]["component"] for target in targets} == {"statsd"} | git_sync_in
    for target in targets:
        assert target["health"] == "up", target["lastError"]
        assert set(target["labels"]) == LABELS
        assert target["labels"]["job"] == "airflow-tenant"
        assert target["labels"]["namespace"] == namespace
    assert prometheus.wait(f'git_sync_count_total{{tenant="{tenant}", status=~"success|noop"}}')


@pytest.mark.covers("M-07")
def test_the_operators_series_speak_of_the_tenants_and_keep_their_namespaces(
    prometheus: Prometheus, environment: Environment
) -> None:
    found = prometheus.wait("airflow_tenant_info", lambda samples: len(samples) >= 2)
    namespaces = {sample["metric"]["tenant"]: sample["metric"]["namespace"] for sample in found}
    for tenant in ("payments", "analytics"):
        assert namespaces[tenant] == environment.tenant(tenant).namespace
    assert {sample["metric"]["job"] for sample in found} == {"airflow-operator"}
    unready = (
        'airflow_tenant_status_condition{type="Ready", status="True", tenant=~"payments|analytics"} == 1'
    )
    assert len(prometheus.wait(unready)) == 2


@pytest.mark.covers("G-16")
def test_the_health_of_every_component_is_a_series(prometheus: Prometheus) -> None:
    healthy = prometheus.wait(
        'airflow_tenant_component_healthy{tenant="payments"} == 1', lambda samples: len(samples) >= 4
    )
    assert {sample["metric"]["component"] for sample in healthy} >= {
        "metadatabase",
        "scheduler",
        "dag-processor",
        "triggerer",
    }


def test_the_fleets_rules_are_loaded_and_none_is_broken(prometheus: Prometheus) -> None:
    prometheus.wait("count(ALERTS) or vector(0)")
    firing = {s["metric"]["alertname"] for s in prometheus.query('ALERTS{alertstate="firing"}')}
    assert not firing & {"AirflowOperatorDown", "AirflowMetricsMissing", "AirflowSchedulerHeartbeatMissing"}
    broken = prometheus.query("prometheus_rule_evaluation_failures_total > 0")
    assert broken == []


@pytest.mark.covers("G-12")
def test_the_platforms_dashboards_are_config_maps_that_the_sidecar_finds(environment: Environment) -> None:
    found = environment.kube.items(
        f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/configmaps", labelSelector="grafana_dashboard=1"
    )
    assert len(found) == 6
    assert all(len(item["data"]) == 1 for item in found)


@pytest.mark.covers("G-12")
def test_a_teams_dashboards_go_and_come_with_its_spec(environment: Environment) -> None:
    namespace = environment.tenant("payments").namespace
    name = "payments-dashboards"
    found = environment.get(namespace, "v1", "configmaps", name)
    assert found is not None
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert found["metadata"]["annotations"]["grafana_folder"] == "payments"
    with environment.restored("payments"):
        environment.patch("payments", {"monitoring": {"dashboards": False}})
        wait_for("the dashboards to go", lambda: not exists(environment, namespace, name), seconds=120)
    wait_for("the dashboards to come", lambda: exists(environment, namespace, name), seconds=120)


@pytest.mark.covers("G-12")
def test_a_tenants_dashboards_and_monitors_vanish_with_the_tenant(environment: Environment) -> None:
    name, namespace = "watched", "airflow-watched"
    monitor = path(namespace, "monitoring.coreos.com/v1", "podmonitors", name)
    environment.kube.apply(scratch_tenant(name, deletionPolicy="Retain"))
    try:
        wait_for(
            "dashboards and monitor of a tenant that is still starting",
            lambda: (
                exists(environment, namespace, f"{name}-dashboards")
                and environment.kube.get(monitor) is not None
            ),
            seconds=180,
        )
    finally:
        environment.kube.delete(f"{TENANTS}/{name}")
    wait_for(
        "both to vanish, while the namespace stays",
        lambda: (
            not exists(environment, namespace, f"{name}-dashboards") and environment.kube.get(monitor) is None
        ),
        seconds=240,
    )
    assert environment.kube.get(f"/api/v1/namespaces/{namespace}") is not None
    environment.kube.delete(f"/api/v1/namespaces/{namespace}")


@pytest.mark.covers("A-01")
def test_a_killed_scheduler_fires_its_alert_and_the_tenants_status_agrees(
    prometheus: Prometheus, environment: Environment
) -> None:
    alert = 'ALERTS{alertname="AirflowSchedulerHeartbeatMissing", alertstate="firing"}'
    kube = environment.kube
    kube.kubectl("taint", "nodes", "--all", f"{TAINT}=closed:NoSchedule", "--overwrite")
    try:
        [pod] = environment.pods("analytics", "scheduler")
        kube.delete(path(environment.tenant("analytics").namespace, "v1", "pods", pod["metadata"]["name"]))
        [firing] = prometheus.wait(alert, seconds=180)
        labels = firing["metric"]
        assert (labels["tenant"], labels["severity"]) == ("analytics", "critical")
        ready_condition = environment.wait_condition("analytics", "Ready", "False", seconds=60)
        assert "scheduler" in ready_condition.message
        told = 'airflow_tenant_status_condition{tenant="analytics", type="Ready", status="False"} == 1'
        assert prometheus.wait(told)
        assert environment.tenant("payments").ready
    finally:
        kube.kubectl("taint", "nodes", "--all", f"{TAINT}-")
    environment.wait_settled("analytics")
    assert prometheus.wait(alert, lambda samples: not samples, seconds=120) == []
