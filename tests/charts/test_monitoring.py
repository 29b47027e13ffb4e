"""What the charts give to Prometheus, Alertmanager and Grafana."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.charts.configurations import FULL_LOCAL, LOCAL, MONITORED, RULES
from tests.charts.support import (
    NAMESPACE,
    OPERATOR_CHART,
    RELEASE,
    TENANT_CHART,
    Chart,
    merged,
    refused,
    render_chart,
)

OPERATOR = "airflow-tenant-operator"
BOARD = {
    "uid": "__UID_TEAM__",
    "title": "Team __TENANT__ & <friends>",
    "tenant": "__TENANT__",
    "links": ["/d/__UID_SLO__", "/d/__UID_CAPACITY__", "/d/__UID_COST__"],
    "expr": 'up{namespace="__NAMESPACE__"} > 0',
    "legend": "{{pod}} {{ .Release.Name }}",
    "runbook": "__RUNBOOK_URL__",
}
ANNOTATIONS = {"prometheus.io/scrape", "prometheus.io/port", "prometheus.io/path"}


@pytest.fixture(scope="module")
def with_boards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tenant chart with two small dashboards in the place of its own."""
    copy = tmp_path_factory.mktemp("chart") / "airflow-tenant"
    shutil.copytree(TENANT_CHART, copy, ignore=shutil.ignore_patterns("dashboards", "__pycache__"))
    shutil.copytree(TENANT_CHART / "templates", copy / "templates", dirs_exist_ok=True)
    (copy / "files" / "dashboards").mkdir()
    for name in ("team", "slo"):
        text = json.dumps({**BOARD, "uid": f"__UID_{name.upper()}__"}, separators=(",", ":"))
        (copy / "files" / "dashboards" / f"{name}.json").write_text(text + "\n")
    return copy


def boards(chart: Chart, release: str = RELEASE) -> dict[str, Any]:
    data = chart[("ConfigMap", f"{release}-dashboards")]["data"]
    return {name: json.loads(text) for name, text in data.items()}


@pytest.mark.covers("G-12")
def test_a_team_s_dashboards_are_about_its_tenant_and_no_template_touches_them(with_boards: Path) -> None:
    runbook = {"monitoring": {"dashboards": {"runbookUrl": "https://wiki.example.com/airflow"}}}
    found = boards(render_chart(merged(MONITORED, runbook), with_boards))
    assert found.keys() == {"payments-team.json", "payments-slo.json"}
    assert found["payments-team.json"] == {
        "uid": "team-payments",
        "title": "Team payments & <friends>",
        "tenant": RELEASE,
        "links": ["/d/slo-payments", "/d/capacity-payments", "/d/cost-payments"],
        "expr": f'up{{namespace="{NAMESPACE}"}} > 0',
        "legend": "{{pod}} {{ .Release.Name }}",
        "runbook": "https://wiki.example.com/airflow",
    }


def test_a_long_uid_is_cut_and_stays_its_own(with_boards: Path) -> None:
    def uid(tenant: str) -> str:
        chart = render_chart(MONITORED, with_boards, release=tenant)
        return str(boards(chart, tenant)[f"{tenant}-team.json"]["uid"])

    fits = "t" * 35
    assert uid(fits) == f"team-{fits}"
    long = ["a" * 39 + letter for letter in "bc"]
    for tenant in long:
        whole = f"team-{tenant}"
        assert uid(tenant) == f"{whole[:31]}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"
        assert len(uid(tenant)) == 40
    assert uid(long[0]) != uid(long[1])


@pytest.mark.covers("G-12")
def test_grafana_s_sidecar_finds_the_dashboards_by_label_and_puts_them_into_the_team_s_folder(
    with_boards: Path,
) -> None:
    def metadata(**settings: Any) -> dict[str, Any]:
        values = merged(MONITORED, {"monitoring": {"dashboards": settings}})
        found: dict[str, Any] = render_chart(values, with_boards)[("ConfigMap", "payments-dashboards")]
        return found["metadata"]  # type: ignore[no-any-return]

    own = metadata()
    assert own["labels"]["grafana_dashboard"] == "1"
    assert own["annotations"]["grafana_folder"] == "payments-team"
    # more than what client-side apply may write into an annotation
    assert own["annotations"]["argocd.argoproj.io/sync-options"] == "ServerSideApply=true"
    other = metadata(labels={"x": "y"}, folderAnnotation="k8s-sidecar-target-directory", folder="Bank / A")
    assert other["labels"]["x"] == "y"
    assert other["annotations"]["k8s-sidecar-target-directory"] == "Bank / A"
    assert "grafana_folder" not in other["annotations"]
    values = merged(MONITORED, {"labels": {"airflowtenants.io/team": ""}})
    alone = render_chart(values, with_boards)[("ConfigMap", "payments-dashboards")]
    assert alone["metadata"]["annotations"]["grafana_folder"] == RELEASE


@pytest.mark.covers("G-12")
def test_grafana_operator_gets_an_object_a_dashboard_that_refers_to_the_config_map(with_boards: Path) -> None:
    chart = render_chart(MONITORED, with_boards)
    for board in ("team", "slo"):
        found = chart[("GrafanaDashboard", f"payments-{board}")]
        assert found["apiVersion"] == "grafana.integreatly.org/v1beta1"
        assert found["spec"] == {
            "allowCrossNamespaceImport": True,
            "instanceSelector": {"matchLabels": {"dashboards": "grafana"}},
            "folder": "payments-team",
            "configMapRef": {"name": "payments-dashboards", "key": f"payments-{board}.json"},
        }
        assert found["spec"]["configMapRef"]["key"] in boards(chart)
    values = merged(MONITORED, {"monitoring": {"dashboards": {"grafanaDashboard": {"enabled": False}}}})
    assert not render_chart(values, with_boards).kind("GrafanaDashboard")


def test_nothing_is_made_unless_it_is_asked_for(with_boards: Path) -> None:
    chart = render_chart(LOCAL, with_boards)
    for kind in ("AlertmanagerConfig", "GrafanaDashboard", "PodMonitor", "PrometheusRule"):
        assert not chart.kind(kind)
    names = {name for kind, name in chart.objects if kind == "ConfigMap"}
    assert not names & {"payments-dashboards", "payments-rules"}


@pytest.mark.covers("M-01", "M-02")
def test_the_exporter_is_found_by_annotations_and_by_a_pod_monitor() -> None:
    def annotations(values: dict[str, Any]) -> dict[str, str]:
        chart = render_chart(values)
        assert not ANNOTATIONS & chart[("Service", "payments-statsd")]["metadata"]["annotations"].keys()
        found: dict[str, str] = chart.pods["statsd"].metadata["annotations"]
        return found

    plain = annotations(merged(LOCAL, {"statsd": {"podAnnotations": {"own": "x"}}}))
    assert {key: plain[key] for key in ANNOTATIONS} == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9102",
        "prometheus.io/path": "/metrics",
    }
    assert plain["own"] == "x"
    ports = {port["name"]: port for port in render_chart(LOCAL).pods["statsd"].main["ports"]}
    assert ports["ingest"] == {"name": "ingest", "protocol": "UDP", "containerPort": 9125}
    assert ports["metrics"]["containerPort"] == 9102
    assert annotations(MONITORED).keys() >= ANNOTATIONS
    never = merged(LOCAL, {"monitoring": {"scrapeAnnotations": False}})
    assert not ANNOTATIONS & annotations(never).keys()


def test_what_the_monitoring_system_brings_or_takes_along_restarts_no_pod() -> None:
    """The operator renders `podMonitor` and its like by what the cluster has just now."""
    metrics = {"postgresql": {"metrics": {"enabled": True}}}
    without = render_chart(merged(FULL_LOCAL, metrics))
    with_ = render_chart(merged(FULL_LOCAL, metrics, {"monitoring": MONITORED["monitoring"]}))
    assert ("PodMonitor", RELEASE) in with_.objects
    assert ("PodMonitor", RELEASE) not in without.objects
    for id_, obj in without.objects.items():
        if id_[0] in {"Deployment", "StatefulSet"}:
            assert with_[id_]["spec"] == obj["spec"], id_


def test_every_metrics_port_has_a_name_that_the_pod_monitor_keeps_and_no_other_port_has() -> None:
    chart = render_chart(MONITORED)
    (endpoint,) = chart[("PodMonitor", RELEASE)]["spec"]["podMetricsEndpoints"]
    assert "port" not in endpoint
    keep = endpoint["relabelings"][0]
    assert (keep["action"], keep["regex"]) == ("keep", "metrics|.+-metrics|git-metrics-.+")
    names = {
        (pod.component, port["name"])
        for pod in chart.pods.values()
        for container in pod.containers
        for port in container.get("ports", [])
        if "metrics" in port["name"]
    }
    assert names == {("statsd", "metrics")} | {
        (component, f"git-metrics-{index}")
        for component in ("scheduler", "dag-processor", "triggerer")
        for index in (0, 1)
    }
    assert all(len(name) <= 15 for _, name in names)


def test_rules_are_given_to_the_operator_or_as_a_file_with_the_same_words() -> None:
    chart = render_chart(MONITORED)
    rule, file = chart[("PrometheusRule", "payments-rules")], chart[("ConfigMap", "payments-rules")]
    assert rule["spec"] == RULES
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    assert yaml.safe_load(file["data"]["payments.rules.yaml"]) == RULES
    assert file["metadata"]["labels"]["prometheus_rule"] == "1"


def test_the_alertmanager_config_is_as_the_values_say() -> None:
    found = render_chart(MONITORED)[("AlertmanagerConfig", "payments-alerts")]
    assert found["spec"] == MONITORED["monitoring"]["alertmanagerConfig"]["spec"]
    assert found["metadata"]["labels"]["alertmanager"] == "main"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"podMonitor": {"interval": "often"}}, "/monitoring/podMonitor/interval"),
        ({"podMonitor": {"sampleLimit": 0}}, "/monitoring/podMonitor/sampleLimit"),
        ({"dashboards": {"label": "x"}}, "'label'"),
        ({"rules": {"groups": [{"name": "a"}]}}, "/monitoring/rules/groups/0"),
        ({"prometheusRule": {"labels": {"a": "b c"}}}, "/monitoring/prometheusRule/labels/a"),
        ({"alertmanagerConfig": {"enabled": True}}, "needs monitoring.alertmanagerConfig.spec"),
        ({"prometheusRule": {"enabled": True}}, "need monitoring.rules.groups"),
        ({"rulesConfigMap": {"enabled": True}}, "need monitoring.rules.groups"),
    ],
)
def test_wrong_values_are_refused(settings: dict[str, Any], says: str) -> None:
    assert says in refused(merged(LOCAL, {"monitoring": settings}))


def test_the_team_s_dashboards_are_compact_and_no_token_is_left() -> None:
    files = sorted(TENANT_CHART.glob("files/dashboards/*.json"))
    for file in files:
        text = file.read_text().strip()
        assert text == json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False), file.name
    if files:
        text = json.dumps(boards(render_chart(MONITORED)))
        for token in ("__TENANT__", "__NAMESPACE__", "__UID_", "__RUNBOOK_URL__", "__GRAFANA_URL__"):
            assert token not in text


# The operator's chart


@pytest.fixture(scope="module")
def operator_chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The operator's chart with one dashboard and one rule file in the place of its own."""
    copy = tmp_path_factory.mktemp("operator") / "tenant-operator"
    shutil.copytree(OPERATOR_CHART, copy)
    for folder in ("dashboards", "rules"):
        shutil.rmtree(copy / "files" / folder, ignore_errors=True)
        (copy / "files" / folder).mkdir()
    (copy / "files" / "dashboards" / "overview.json").write_text(
        json.dumps({"uid": "airflow-overview", "legend": "{{pod}}"}) + "\n"
    )
    rule = {
        "alert": "AirflowOperatorDown",
        "expr": 'absent(up{job="airflow-operator"} == 1)',
        "annotations": {
            "summary": "{{ $labels.job }} is {{ $value }}",
            "runbook_url": "__RUNBOOK_URL__#airflowoperatordown",
            "dashboard_url": "__GRAFANA_URL__/d/airflow-operator?var-tenant={{ $labels.tenant }}",
        },
    }
    (copy / "files" / "rules" / "alerts.yaml").write_text(
        yaml.safe_dump({"groups": [{"name": "airflow", "rules": [rule]}]})
    )
    return copy


def platform(chart: Path, **values: Any) -> Chart:
    return render_chart(values, chart, OPERATOR)


@pytest.mark.covers("G-12")
def test_the_platform_s_dashboards_come_with_the_operator(operator_chart: Path) -> None:
    settings: dict[str, Any] = {"enabled": True, "namespace": "grafana", "folder": "Platform"}
    chart = platform(operator_chart, dashboards=settings)
    name = f"{OPERATOR}-dashboard-overview"
    found = chart[("ConfigMap", name)]
    assert found["metadata"]["namespace"] == "grafana"
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert found["metadata"]["annotations"]["grafana_folder"] == "Platform"
    assert found["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] == "ServerSideApply=true"
    board = json.loads(found["data"]["airflow-overview.json"])
    assert board == {"uid": "airflow-overview", "legend": "{{pod}}"}
    assert not chart.kind("GrafanaDashboard")
    selector = {"matchLabels": {"dashboards": "grafana"}}
    both = platform(
        operator_chart,
        dashboards={**settings, "grafanaOperator": {"enabled": True, "instanceSelector": selector}},
    )
    assert both[("GrafanaDashboard", name)]["spec"] == {
        "allowCrossNamespaceImport": True,
        "instanceSelector": selector,
        "folder": "Platform",
        "configMapRef": {"name": name, "key": "airflow-overview.json"},
    }
    assert not [key for key in platform(operator_chart).objects if "dashboard" in key[1]]


@pytest.mark.parametrize("kind", ["PrometheusRule", "ConfigMap"])
def test_alerts_come_with_the_installation_s_addresses_and_prometheus_own_templates(
    operator_chart: Path, kind: str
) -> None:
    chart = platform(
        operator_chart,
        alerts={
            "enabled": True,
            "kind": kind,
            "labels": {"release": "prometheus"},
            "grafanaUrl": "https://grafana.example.com/",
            "runbookUrl": "https://wiki.example.com/airflow",
        },
    )
    found = chart[(kind, f"{OPERATOR}-alerts")]
    assert found["metadata"]["labels"]["release"] == "prometheus"
    rules = found["spec"] if kind == "PrometheusRule" else yaml.safe_load(found["data"]["alerts.yaml"])
    assert rules["groups"][0]["rules"][0]["annotations"] == {
        "summary": "{{ $labels.job }} is {{ $value }}",
        "runbook_url": "https://wiki.example.com/airflow#airflowoperatordown",
        "dashboard_url": "https://grafana.example.com/d/airflow-operator?var-tenant={{ $labels.tenant }}",
    }
    assert not [key for key in platform(operator_chart).objects if key[1] == f"{OPERATOR}-alerts"]


@pytest.mark.covers("G-12")
def test_the_charts_bring_all_dashboards_under_their_stable_uids() -> None:
    team = {board["uid"] for board in boards(render_chart(MONITORED)).values()}
    assert team == {f"{board}-payments" for board in ("team", "slo", "capacity", "cost")}
    chart = platform(OPERATOR_CHART, dashboards={"enabled": True})
    found = [obj["data"] for obj in chart.kind("ConfigMap") if "-dashboard-" in obj["metadata"]["name"]]
    uids = {json.loads(text)["uid"] for data in found for text in data.values()}
    names = ("overview", "team", "slo", "capacity", "cost", "operator")
    assert uids == {f"airflow-{name}" for name in names}


def test_no_token_is_left_in_what_the_operator_s_chart_brings() -> None:
    chart = platform(OPERATOR_CHART, dashboards={"enabled": True}, alerts={"enabled": True})
    assert chart.kind("PrometheusRule")
    assert "__RUNBOOK_URL__" not in chart.text
    assert "__GRAFANA_URL__" not in chart.text
    for rule in chart.kind("PrometheusRule"):
        for alert in (one for group in rule["spec"]["groups"] for one in group["rules"] if "alert" in one):
            assert alert["annotations"]["runbook_url"].endswith(f"#{alert['alert'].lower()}")
