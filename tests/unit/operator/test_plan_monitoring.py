"""What a tenant's monitoring becomes, by what the cluster serves, and what MonitoringReady says of it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.operator.support import secret, tenant

from devcluster.tools import tool
from tenant_operator.core import kinds
from tenant_operator.core.errors import Reason
from tenant_operator.core.kinds import Object
from tenant_operator.plan.monitoring import (
    BOARDS,
    MonitoringDefaults,
    dashboard_uid,
    finding,
    network,
    values,
)

ROOT = Path(__file__).resolve().parents[3]
EVERYTHING = frozenset({"PodMonitor", "PrometheusRule", "AlertmanagerConfig", "GrafanaDashboard"})
NOTHING: frozenset[str] = frozenset()
SLO = {"name": "runs", "metric": "dagRunSuccess", "objective": "99.5"}
SLACK = {"slack": {"apiUrlSecretRef": {"name": "chat", "key": "url"}}}
OWNER = {"team": "pay", "slack": "#payments"}
INSTALLED = MonitoringDefaults.model_validate(
    {
        "podMonitorLabels": {"release": "prometheus"},
        "prometheusRuleLabels": {"role": "rules"},
        "alertmanagerConfigLabels": {"alertmanager": "main"},
        "dashboardLabels": {"grafana_dashboard": "yes"},
        "folderAnnotation": "folder",
        "grafanaUrl": "https://grafana.example.com/",
        "runbookUrl": "https://example.com/runbook",
        "prometheusNamespace": "monitoring",
        "prometheusPodLabels": {"app": "prometheus"},
        "alertmanager": {"email": True, "smarthost": "relay:25", "from": "a@example.com"},
        "fromTheFuture": 1,
    }
)
CHAT = {"chat": secret("chat", url="https://hooks.slack.com/x")}


def test_the_optional_kinds_are_those_that_the_watches_look_for() -> None:
    assert {kind.kind for kind in kinds.OPTIONAL} == EVERYTHING


def test_a_cluster_with_everything_gets_the_operators_kinds() -> None:
    who = tenant(owner=OWNER, monitoring={"slo": [SLO], "alerts": SLACK})
    found = values(who, INSTALLED, EVERYTHING)
    assert found["podMonitor"] == {"enabled": True, "labels": {"release": "prometheus"}}
    assert found["dashboards"] == {
        "enabled": True,
        "labels": {"grafana_dashboard": "yes"},
        "folderAnnotation": "folder",
        "folder": "pay",
        "runbookUrl": "https://example.com/runbook",
        "grafanaDashboard": {"enabled": True, "instanceSelector": {}},
    }
    assert found["prometheusRule"] == {"enabled": True, "labels": {"role": "rules"}}
    assert found["rulesConfigMap"]["enabled"] is False
    assert len(found["rules"]["groups"]) == 2
    routes = found["alertmanagerConfig"]
    assert (routes["enabled"], routes["labels"]) == (True, {"alertmanager": "main"})
    assert routes["spec"]["route"]["receiver"] == "notify"


def test_a_cluster_without_those_kinds_gets_annotations_and_config_maps() -> None:
    found = values(tenant(owner=OWNER, monitoring={"slo": [SLO], "alerts": SLACK}), INSTALLED, NOTHING)
    assert found["podMonitor"]["enabled"] is False
    assert "scrapeAnnotations" not in found, (
        "the chart's default, whatever the cluster has: no pod restarts by it"
    )
    assert found["dashboards"]["enabled"] is True
    assert found["dashboards"]["grafanaDashboard"]["enabled"] is False
    assert found["prometheusRule"]["enabled"] is False
    assert found["rulesConfigMap"] == {"enabled": True, "labels": {"role": "rules"}}
    assert found["alertmanagerConfig"] == {
        "enabled": False,
        "labels": {"alertmanager": "main"},
        "spec": {},
    }


@pytest.mark.parametrize("served", [EVERYTHING, NOTHING])
def test_without_objectives_there_are_no_rules(served: frozenset[str]) -> None:
    found = values(tenant(), INSTALLED, served)
    assert not found["prometheusRule"]["enabled"]
    assert not found["rulesConfigMap"]["enabled"]


@pytest.mark.parametrize("served", [EVERYTHING, NOTHING])
def test_switched_off_means_nothing_at_all(served: frozenset[str]) -> None:
    off = tenant(owner=OWNER, monitoring={"enabled": False, "slo": [SLO], "alerts": SLACK})
    assert values(off, INSTALLED, served) == {"scrapeAnnotations": False}
    assert network(off, INSTALLED) == {}


def test_dashboards_and_alerts_are_switched_off_by_themselves() -> None:
    spec = {"dashboards": False, "alerts": {"enabled": False, **SLACK}, "slo": [SLO]}
    found = values(tenant(owner=OWNER, monitoring=spec), INSTALLED, EVERYTHING)
    assert not found["dashboards"]["enabled"]
    assert not found["dashboards"]["grafanaDashboard"]["enabled"]
    assert not found["alertmanagerConfig"]["enabled"]
    assert found["prometheusRule"]["enabled"], "records stay"


def alert_links(defaults: MonitoringDefaults, **monitoring: Any) -> set[str]:
    groups = values(tenant(monitoring={"slo": [SLO], **monitoring}), defaults, EVERYTHING)["rules"]["groups"]
    return {
        rule["annotations"].get("dashboard_url", "")
        for group in groups
        for rule in group["rules"]
        if "alert" in rule
    }


def test_alerts_link_to_the_team_s_dashboard_or_else_to_the_platform_s() -> None:
    grafana = "https://grafana.example.com/d"
    assert alert_links(INSTALLED) == {f"{grafana}/slo-payments?var-slo=runs"}
    assert alert_links(INSTALLED, dashboards=False) == {
        f"{grafana}/airflow-slo?var-tenant=payments&var-slo=runs"
    }
    assert alert_links(MonitoringDefaults()) == {""}


def test_only_the_named_prometheus_may_scrape() -> None:
    assert network(tenant(), INSTALLED) == {"namespace": "monitoring", "podLabels": {"app": "prometheus"}}
    assert network(tenant(), MonitoringDefaults()) == {}


@pytest.fixture(scope="module")
def rendered() -> list[Object]:
    """The tenant chart, with a name that is too long for Grafana, and all kinds."""
    long = "a" * 40
    who = tenant(long, owner=OWNER, monitoring={"slo": [SLO], "alerts": SLACK})
    base = yaml.safe_load((ROOT / "tests/charts/lint-values.yaml").read_text())
    done = subprocess.run(
        [str(tool("helm")), "template", long, str(ROOT / "charts/airflow-tenant"), "--values", "-"],
        input=yaml.safe_dump({**base, "monitoring": values(who, INSTALLED, EVERYTHING)}),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [found for found in yaml.safe_load_all(done.stdout) if found]


def test_the_chart_takes_the_values(rendered: list[Object]) -> None:
    assert {found["kind"] for found in rendered} >= {"PodMonitor", "PrometheusRule", "AlertmanagerConfig"}


def test_the_chart_computes_the_same_uid(rendered: list[Object]) -> None:
    assert dashboard_uid("slo", "payments") == "slo-payments"
    (boards,) = (
        found["data"]
        for found in rendered
        if found["kind"] == "ConfigMap" and found["metadata"]["name"].endswith("-dashboards")
    )
    text = next(text for name, text in boards.items() if name.endswith("slo.json"))
    uid = dashboard_uid("slo", "a" * 40)
    assert len(uid) == 40
    assert f'"uid":"{uid}"' in text


def test_as_many_dashboards_are_told_as_the_chart_holds() -> None:
    assert {file.stem for file in (ROOT / "charts/airflow-tenant/files/dashboards").glob("*.json")} == set(
        BOARDS
    )


def told(
    served: frozenset[str] = EVERYTHING,
    existing: dict[str, Object] | None = None,
    owner: dict[str, str] | None = None,
    defaults: MonitoringDefaults = INSTALLED,
    **monitoring: Any,
) -> tuple[str, Reason, str]:
    found = finding(tenant(owner=owner or OWNER, monitoring=monitoring), defaults, served, existing or {})
    return found.status, found.reason, found.message


def test_the_condition_tells_what_is_installed() -> None:
    owner = {**OWNER, "email": "pay@example.com"}
    assert told(existing=CHAT, owner=owner, slo=[SLO, {**SLO, "name": "b"}], alerts=SLACK) == (
        "True",
        Reason.SUCCEEDED,
        "4 dashboards in folder pay, 2 SLOs, alerts to Slack and e-mail",
    )


def test_the_condition_tells_what_a_cluster_lacks() -> None:
    owner = {"team": "pay", "email": "pay@example.com"}
    assert told(NOTHING, owner=owner, slo=[SLO]) == (
        "True",
        Reason.SUCCEEDED,
        "no PodMonitor in the cluster: Prometheus needs the scrape configuration for tenants, "
        "4 dashboards in folder pay, "
        "1 SLO (rules in a ConfigMap: the cluster has no PrometheusRule), "
        "alerts to e-mail if the platform's Alertmanager got this tenant's routes (alertmanager-config): "
        "the cluster has no AlertmanagerConfig",
    )


@pytest.mark.parametrize(
    ("monitoring", "message"),
    [
        (
            {"enabled": False},
            "switched off by spec.monitoring.enabled: no scraping, dashboards, rules or alert routing",
        ),
        (
            {"alerts": {"enabled": False}},
            "4 dashboards in folder pay, alerts switched off by spec.monitoring.alerts.enabled",
        ),
        (
            {"alerts": {"enabled": False}, "dashboards": False},
            "scraped, alerts switched off by spec.monitoring.alerts.enabled",
        ),
    ],
)
def test_what_is_switched_off_is_in_order(monitoring: dict[str, Any], message: str) -> None:
    assert told(owner={"team": "pay"}, **monitoring) == ("True", Reason.SUCCEEDED, message)


def test_a_team_that_nobody_can_reach_is_told_which_fields_help() -> None:
    status, reason, message = told(owner={"team": "pay"})
    assert (status, reason) == ("False", Reason.NO_ALERT_CHANNEL)
    assert message == (
        "nobody is told of this tenant's alerts: set spec.owner.email, or set spec.monitoring.alerts.slack, "
        ".pagerduty or .webhook, or spec.monitoring.alerts.enabled: false if nobody wants to be told"
    )


def test_an_address_helps_only_where_alerts_are_mailed() -> None:
    owner = {"team": "pay", "email": "pay@example.com"}
    status, reason, message = told(owner=owner, defaults=MonitoringDefaults())
    assert (status, reason) == ("False", Reason.NO_ALERT_CHANNEL)
    assert "spec.owner.email is set" in message
    assert "tenantDefaults.monitoring.alertmanager.email" in message


@pytest.mark.parametrize(
    ("existing", "message"),
    [
        (
            {},
            "Secret chat is not in namespace airflow-payments "
            "(spec.monitoring.alerts.slack.apiUrlSecretRef): create it with key url",
        ),
        (
            {"chat": secret("chat", other="x")},
            "Secret chat in namespace airflow-payments has no key url "
            "(spec.monitoring.alerts.slack.apiUrlSecretRef): add it",
        ),
    ],
)
def test_a_missing_secret_of_a_channel_is_told_with_its_field(
    existing: dict[str, Object], message: str
) -> None:
    assert told(existing=existing, alerts=SLACK) == ("False", Reason.SECRET_MISSING, message)


def test_every_channel_s_secret_is_looked_for() -> None:
    alerts = {
        "pagerduty": {"routingKeySecretRef": {"name": "pager", "key": "key"}},
        "webhook": {"urlSecretRef": {"name": "hook", "key": "url"}},
    }
    _, _, message = told(alerts=alerts)
    assert "spec.monitoring.alerts.pagerduty.routingKeySecretRef" in message
    assert "spec.monitoring.alerts.webhook.urlSecretRef" in message


def test_no_secret_s_value_is_in_values_or_message() -> None:
    who = tenant(owner=OWNER, monitoring={"alerts": SLACK})
    text = str(values(who, INSTALLED, EVERYTHING)) + finding(who, INSTALLED, EVERYTHING, CHAT).message
    assert "hooks.slack.com" not in text
