"""What watches a tenant comes with it, changes with its spec and goes with it, on a real API server."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.controller import definitions
from tests.controller.stack import Stack, TenantUnderTest, running

from devcluster.tools import tool
from tenant_operator.core import kinds
from tenant_operator.core.kinds import Object

KINDS = {kind.kind: kind for kind in (*kinds.OPTIONAL, *kinds.RENDERED)}
SLO = {"name": "runs", "metric": "dagRunSuccess", "objective": "99.5"}
OWNER = {"team": "payments", "email": "payments@example.com", "slack": "#payments"}
SLACK = {"slack": {"apiUrlSecretRef": {"name": "chat", "key": "url"}}}
DEFAULTS = {
    "monitoring": {
        "podMonitorLabels": {"release": "prometheus"},
        "prometheusRuleLabels": {"release": "prometheus"},
        "alertmanagerConfigLabels": {"alertmanager": "main"},
        "grafanaUrl": "https://grafana.example.com",
        "runbookUrl": "https://example.com/runbook",
        "prometheusNamespace": "monitoring",
        "alertmanager": {"email": True, "smarthost": "relay.example.com:25", "from": "airflow@example.com"},
    }
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A cluster with the kinds of Prometheus' and Grafana's operators, and an installation's defaults."""
    directory = tmp_path_factory.mktemp("monitoring")
    file = directory / "defaults.yaml"
    file.write_text(yaml.safe_dump(DEFAULTS))
    with running(directory, TENANT_DEFAULTS_FILE=str(file)) as made:
        definitions.install(made.api, definitions.optional())
        yield made


@pytest.fixture(scope="module")
def watched(stack: Stack) -> TenantUnderTest:
    """A tenant with everything."""
    tenant = stack.tenant("watched")
    tenant.prepare_namespace()
    stack.api.secret("chat", tenant.namespace, url="https://hooks.slack.com/services/x")
    tenant.create(owner=OWNER, monitoring={"slo": [SLO], "alerts": SLACK})
    tenant.wait_released()
    # the operator sees the kinds come one by one; the inventory is told when their objects are applied
    wanted = {kind.kind for kind in kinds.OPTIONAL}
    tenant.until(lambda: {id_.kind for id_ in tenant.inventory()} >= wanted)
    tenant.until(lambda: all(tenant.objects(kind) for kind in kinds.OPTIONAL))
    tenant.wait_released()
    return tenant


def one(tenant: TenantUnderTest, kind: str) -> Object:
    (found,) = tenant.objects(KINDS[kind]).values()
    return found


def boards(tenant: TenantUnderTest) -> Object | None:
    return tenant.objects(KINDS["ConfigMap"]).get(f"{tenant.name}-dashboards")


def test_the_condition_tells_what_is_installed(watched: TenantUnderTest) -> None:
    says = "4 dashboards in folder payments, 1 SLO, alerts to Slack and e-mail"
    watched.until(lambda: watched.conditions()["MonitoringReady"]["message"] == says)


def test_the_installation_s_labels_and_the_team_s_folder_are_on_the_objects(watched: TenantUnderTest) -> None:
    for kind, label in (
        ("PodMonitor", {"release": "prometheus"}),
        ("PrometheusRule", {"release": "prometheus"}),
        ("AlertmanagerConfig", {"alertmanager": "main"}),
    ):
        assert one(watched, kind)["metadata"]["labels"].items() >= label.items(), kind
    made = boards(watched)
    assert made is not None
    assert made["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert made["metadata"]["annotations"]["grafana_folder"] == "payments"
    assert len(watched.objects(KINDS["GrafanaDashboard"])) == len(made["data"]) == 4


def test_promtool_takes_the_rules_that_arrived(watched: TenantUnderTest, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(one(watched, "PrometheusRule")["spec"]))
    done = subprocess.run(
        [str(tool("promtool")), "check", "rules", "--lint=all", "--lint-fatal", str(tmp_path / "rules.yaml")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_keep_their_templates_on_the_way_through_helm(watched: TenantUnderTest) -> None:
    rules = [rule for group in one(watched, "PrometheusRule")["spec"]["groups"] for rule in group["rules"]]
    (fast,) = (rule for rule in rules if rule.get("alert") == "AirflowSLOBurnFast")
    notes = fast["annotations"]
    assert notes["description"].startswith("{{ $value | humanizePercentage }} of the DAG runs failed")
    assert notes["runbook_url"] == "https://example.com/runbook#airflowsloburnfast"
    assert notes["dashboard_url"] == f"https://grafana.example.com/d/slo-{watched.name}?var-slo=runs"
    page = next(r for r in one(watched, "AlertmanagerConfig")["spec"]["receivers"] if r["name"] == "page")
    assert "{{ .CommonLabels.alertname }}" in page["slackConfigs"][0]["title"]


def test_prometheus_may_come_in(watched: TenantUnderTest) -> None:
    policy = watched.objects(KINDS["NetworkPolicy"])[f"{watched.name}-statsd"]
    peers = [peer for rule in policy["spec"]["ingress"] for peer in rule["from"]]
    assert {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}} in peers


def test_no_secret_of_a_channel_leaves_its_secret(watched: TenantUnderTest) -> None:
    for kind in ("AlertmanagerConfig", "ConfigMap", "PrometheusRule"):
        assert "hooks.slack.com" not in str(watched.objects(KINDS[kind])), kind
    assert "hooks.slack.com" not in str(watched.object) + watched.stack.operator.log.read_text()


def test_objectives_dashboards_and_alerts_come_and_go_with_the_spec(stack: Stack) -> None:
    tenant = stack.create("goes", owner=OWNER, monitoring={"slo": [SLO]})
    tenant.wait_released()
    tenant.wait("MonitoringReady", says="1 SLO")
    tenant.until(lambda: tenant.objects(KINDS["PrometheusRule"]))

    tenant.edit(monitoring={"slo": []})
    tenant.until(lambda: not tenant.objects(KINDS["PrometheusRule"]))
    tenant.wait("MonitoringReady", says="4 dashboards in folder payments, alerts to e-mail")

    tenant.edit(monitoring={"dashboards": False})
    tenant.until(lambda: boards(tenant) is None and not tenant.objects(KINDS["GrafanaDashboard"]))

    tenant.edit(monitoring={"alerts": {"enabled": False}})
    tenant.until(lambda: not tenant.objects(KINDS["AlertmanagerConfig"]))
    tenant.wait("MonitoringReady", says="alerts switched off by spec.monitoring.alerts.enabled")
    assert tenant.objects(KINDS["PodMonitor"])

    tenant.edit(monitoring={"enabled": False})
    tenant.until(lambda: not tenant.objects(KINDS["PodMonitor"]))
    tenant.wait("MonitoringReady", says="switched off by spec.monitoring.enabled")
    statsd = tenant.objects(kinds.DEPLOYMENT)[f"{tenant.name}-statsd"]
    assert "prometheus.io/scrape" not in (statsd["spec"]["template"]["metadata"].get("annotations") or {})

    tenant.edit(monitoring={"enabled": True, "dashboards": True})
    tenant.until(lambda: boards(tenant) is not None and tenant.objects(KINDS["PodMonitor"]))


def test_a_team_without_a_channel_is_told_and_its_airflow_is_not_held_up(stack: Stack) -> None:
    tenant = stack.create("silent")
    tenant.wait_released()
    found = tenant.wait("MonitoringReady", "False", "NoAlertChannel")
    assert "spec.owner.email" in found["message"]
    assert "spec.monitoring.alerts" in found["message"]
    conditions = tenant.conditions()
    assert conditions["ReleaseReady"]["status"] == "True"
    assert conditions["Ready"]["reason"] != "NoAlertChannel"
    assert not tenant.objects(KINDS["AlertmanagerConfig"])

    tenant.edit(owner={"team": "team", "email": "team@example.com"})
    tenant.wait("MonitoringReady", says="alerts to e-mail")
    tenant.until(lambda: tenant.objects(KINDS["AlertmanagerConfig"]))


def test_before_the_release_is_applied_nobody_claims_to_know(stack: Stack) -> None:
    reference = {"name": "token", "key": "value"}
    tenant = stack.create(
        "early", owner=OWNER, airflow={"env": [{"name": "TOKEN", "secretKeyRef": reference}]}
    )
    tenant.wait("SecretsResolved", "False", "SecretMissing")
    tenant.wait("MonitoringReady", "Unknown", "Pending", says="not looked at yet")
    stack.api.secret("token", tenant.namespace, value="x")
    tenant.wait("MonitoringReady", says="alerts to e-mail")


def test_a_channel_s_missing_secret_is_told_until_it_comes(stack: Stack) -> None:
    tenant = stack.create("chatless", owner=OWNER, monitoring={"alerts": SLACK})
    tenant.wait_released()
    found = tenant.wait("MonitoringReady", "False", "SecretMissing")
    assert found["message"] == (
        f"Secret chat is not in namespace {tenant.namespace} "
        "(spec.monitoring.alerts.slack.apiUrlSecretRef): create it with key url"
    )
    stack.api.secret("chat", tenant.namespace, url="https://hooks.slack.com/services/x")
    tenant.wait("MonitoringReady", says="alerts to Slack", seconds=60)


def test_nothing_is_left_when_the_tenant_is_gone(stack: Stack) -> None:
    tenant = stack.create("leaves", owner=OWNER, monitoring={"slo": [SLO]})
    tenant.wait_released()
    tenant.wait("MonitoringReady", says="1 SLO")
    tenant.delete()
    tenant.wait_gone(90)
    for kind in kinds.OPTIONAL:
        assert not tenant.objects(kind), kind.kind
    assert boards(tenant) is None
