"""Every alert fires once and is silent once, with promtool; no alert can be changed without a red test."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import yaml
from tests.charts.support import render_chart
from tests.dashboards.alert_cases import mutants, promtool
from tests.dashboards.alert_cases.case import ACTIVE as ACTIVE_TENANT
from tests.dashboards.alert_cases.case import PAUSED, Fires, rising, steady
from tests.dashboards.recording.playback import Recorded

from devcluster.tools import tool
from tenant_dashboards import signals
from tenant_dashboards.alerts import registry, render
from tenant_dashboards.alerts.model import RECORDS, metric_names
from tenant_dashboards.alerts.priorities import PRIORITIES

ROOT = Path(__file__).parents[2]
NAMES = [alert.name for alert in registry.FLEET]

#: Which alerts stand for which rule of the requirements.
ROWS = {
    "A-01": ("AirflowSchedulerHeartbeatMissing",),
    "A-02": ("AirflowTaskFailureRatioElevated",),
    "A-03": ("AirflowTasksStuckQueued",),
    "A-04": ("AirflowDatabaseCpuHigh",),
    "A-05": ("AirflowDatabaseConnectionsHigh",),
    "A-06": ("AirflowDatabaseStorageLow",),
    "A-07": ("AirflowDatabaseLatencyHigh",),
    "A-08": ("AirflowRedisCpuHigh",),
    "A-09": ("AirflowRedisMemoryHigh",),
    "A-10": ("AirflowRedisEvictionsHigh", "AirflowRedisEvictions"),
    "A-11": ("AirflowSchedulerCpuHigh",),
    "A-12": ("AirflowWorkerCpuHigh",),
    "A-13": ("AirflowReplicasBelowDesired",),
    "A-14": ("AirflowEndpointsNotReady",),
    "A-15": ("AirflowHttp5xxRatioHigh",),
    "A-16": ("AirflowResponseTimeHigh",),
    "A-17": ("AirflowDagRunDurationAboveLimit",),
    "A-19": ("AirflowTasksWithoutHeartbeatKilled",),
    "A-20": ("AirflowDeadlineMissed",),
    "A-22": ("AirflowDatabaseConnectionsElevated", "AirflowRedisMemoryElevated"),
    "A-24": ("AirflowFeatureViewStale", "AirflowDataDrift", "AirflowModelDrift", "AirflowModelBias"),
}
#: The alarms that are named where their price is told: database, Redis, services, load balancer.
THIRTEEN = [name for number in range(4, 17) for name in ROWS[f"A-{number:02}"][:1]]

#: Selectors that the recording has no series for, with the reason.
UNSEEN = {
    "airflow_task_instances_without_heartbeats_killed": "no task of the recording dies",
    'airflow_tenant_info{paused="false", state="Hibernating"}': "no tenant of the recording rests",
    'airflow_tenant_info{paused="false", state=~"Hibernat.+"}': "no tenant of the recording rests",
    "airflow_tenant_dags_revision_pending_since_timestamp_seconds": "no revision is pending at any time",
    "airflow_ti_queued": "the LocalExecutor starts a queued task before it is counted",
    "pgbouncer_exporter_pools_waiting_clients": "the other dialect of PgBouncer exporters is recorded",
}
#: What happens in the recording, or is written into it.
PROVOKED = {
    "payments": {"AirflowDagRunFailed", "AirflowDeadlineMissed", "AirflowTaskFailureRatioElevated"},
    "ml": {"AirflowTenantNotReady"},
}
HEALTHY = ("Scheduler", "DagProcessor", "Triggerer")


def _told(mutant: str) -> bool:
    """A minute more or less for the operator to list its tenants makes no difference."""
    return "60" not in mutant or "-> <" in mutant


_MATCHERS = (
    'paused="false", ',
    ', state!~"Hibernat.+"',
    '{monitored!="false"}',
    """
    unless on (tenant, namespace)
  last_over_time(airflow_tenant_info{state=~"Hibernat.+|Waking"}[30m])""",
)
#: Mutants that mean the same, with the reason.
EQUIVALENT = {
    **{
        f"{name} > {limit} -> >= {limit}": "a measured ratio or quantile is hardly ever exactly the limit"
        for name, limit in (
            ("AirflowDagRunScheduleDelayHigh", 300),
            ("AirflowDatabaseLatencyHigh", 0.02),
            ("AirflowFirstTaskStartDelayHigh", 600),
            ("AirflowHttp5xxRatioHigh", 0.01),
        )
    },
    "AirflowDatabaseStorageLow <= 50e9 -> <= 6.5e+10": "a tenth of such a volume is less than 10 GB anyway",
}


def _marked() -> list[object]:
    rows = defaultdict(list)
    for row, names in ROWS.items():
        for name in names:
            rows[name].append(row)
    return [
        pytest.param(name, marks=[pytest.mark.covers(*rows[name])] if name in rows else []) for name in NAMES
    ]


def _group(name: str, expr: str = "", variant: str = "") -> dict[str, object]:
    rule = registry.by_name(name).rule(render.RUNBOOK_URL, render.GRAFANA_URL)
    return {
        "name": name + variant,
        "rules": [{**rule, "alert": name + variant, "expr": expr or rule["expr"]}],
    }


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Name of each promtool test -> what went wrong."""
    folder = tmp_path_factory.mktemp("promtool")
    paths = [
        promtool.write(folder, name, [case for case in promtool.CASES if case.alert == name], [_group(name)])
        for name in NAMES
    ]
    files = promtool.run(folder, paths)
    return {name: failure for results in files.values() for name, failure in results.items()}


@pytest.mark.parametrize("name", _marked())
def test_fires_when_it_should_and_stays_silent_when_it_is_just_not_enough(
    name: str, outcomes: dict[str, str]
) -> None:
    cases = [case for case in promtool.CASES if case.alert == name]
    silent = [case for case in cases if not isinstance(case, Fires)]
    assert len(silent) < len(cases), "a case that fires"
    assert any(case.series or case.base not in (ACTIVE_TENANT, PAUSED) for case in silent), "a near miss"
    assert {promtool.name_of(case): outcomes[promtool.name_of(case)] for case in cases} == {
        promtool.name_of(case): "" for case in cases
    }


def test_a_changed_threshold_or_comparison_is_noticed(tmp_path: Path) -> None:
    paths, changed = [], {}
    for name in NAMES:
        cases = [case for case in promtool.CASES if case.alert == name]
        made = mutants.mutants(registry.by_name(name).expr)
        variants = [f"_{number}" for number in range(len(made))]
        groups = [_group(name, expr, variant) for variant, expr in zip(variants, made.values(), strict=True)]
        paths.append(promtool.write(tmp_path, name, cases, groups, variants=variants))
        for variant, what in zip(variants, made, strict=True):
            changed[name + variant] = f"{name} {what.partition(': ')[2]}"
    noticed = promtool.noticed(promtool.run(tmp_path, paths))
    assert noticed <= changed.keys()
    assert len(changed) > 2 * len(NAMES)
    assert sorted(what for rule, what in changed.items() if rule not in noticed) == sorted(EQUIVALENT)


def test_a_tenant_that_is_suspended_or_gone_is_not_told_and_a_restarting_operator_hides_none(
    tmp_path: Path,
) -> None:
    names = (
        "AirflowTenantNotReady",
        "AirflowSchedulerHeartbeatMissing",
        "AirflowEndpointsNotReady",
        "AirflowTenantQuotaNearlyFull",
    )
    cases = [case for case in promtool.CASES if case.alert in names]
    changed = []
    for record, expr in RECORDS.items():
        changes = {
            **{what: text for what, text in mutants.mutants(expr).items() if _told(what)},
            **{f"without {part}": expr.replace(part, "") for part in _MATCHERS if part in expr},
            "without memory": expr[: expr.index("\n  or on")],
        }
        changed += [(f"{record}: {what}", {**RECORDS, record: text}) for what, text in changes.items()]
    left = {f"_{number}": change for number, change in enumerate(changed)}
    # A case ends with the first expression that cannot be computed: the others have their turn without it.
    while noticed := {"_" + rule.rpartition("_")[2] for rule in _noticed(tmp_path, names, cases, left)}:
        assert noticed <= left.keys()
        left = {variant: change for variant, change in left.items() if variant not in noticed}
    assert [what for what, _ in left.values()] == []


def _noticed(
    folder: Path,
    names: Iterable[str],
    cases: list[promtool.Case],
    variants: Mapping[str, tuple[str, Mapping[str, str]]],
) -> set[str]:
    """The rules of any variant that a case is against; a variant has records and alerts of its own."""
    rules, groups = [], []
    for variant, (_, records) in variants.items():
        rules += [{"record": name + variant, "expr": _on(variant, expr)} for name, expr in records.items()]
        groups += [_group(name, _on(variant, registry.by_name(name).expr), variant) for name in names]
    active = {"name": "airflow-tenants-active", "rules": rules}
    path = promtool.write(folder, "records", cases, groups, active, list(variants))
    return promtool.noticed(promtool.run(folder, [path])) if variants else set()


def _on(variant: str, expr: str) -> str:
    """The expression on the records of a variant."""
    return re.sub("|".join(RECORDS), lambda record: record[0] + variant, expr)


@pytest.mark.covers("A-04", "A-11", "A-12")
@pytest.mark.parametrize(
    ("name", "container"),
    [
        ("AirflowDatabaseCpuHigh", "postgresql"),
        ("AirflowSchedulerCpuHigh", "scheduler"),
        ("AirflowWorkerCpuHigh", "base"),
    ],
)
def test_an_alert_on_cpu_can_fire_with_what_the_chart_gives_its_pods(
    name: str, container: str, tmp_path: Path
) -> None:
    given = _resources(container)
    pod = f'{{N,pod="p",container="{container}"'
    cores = {kind: _cores(given[kind]["cpu"]) for kind in given if "cpu" in given[kind]}
    used = 0.9 * min(cores.values()) * 60
    case = Fires(
        name,
        "90% of what the chart gives",
        5,
        {
            f"container_cpu_usage_seconds_total{pod}}}": rising(used),
            **{
                f'kube_pod_container_resource_{kind}{pod},resource="cpu"}}': steady(value)
                for kind, value in cores.items()
            },
        },
        shown="90%",
        labels={} if container == "postgresql" else {"pod": "p"},
    )
    path = promtool.write(tmp_path, name, [case], [_group(name)])
    assert promtool.run(tmp_path, [path]) == {path.name: {promtool.name_of(case): ""}}


def _resources(container: str) -> dict[str, dict[str, str]]:
    """What a container gets from the chart's own values."""
    secrets = {"fernetKey": "a", "apiSecretKey": "b", "jwtSecret": "c"}
    database = {"postgresql": {"auth": {"password": "d"}}}
    objects = render_chart(
        {**secrets, **database, "executor": "KubernetesExecutor"}, release="payments"
    ).objects
    templates = [
        yaml.safe_load(text)
        for item in objects.values()
        for key, text in (item.get("data") or {}).items()
        if "pod" in key and item["kind"] == "ConfigMap"
    ]
    pods = [item["spec"]["template"] for item in objects.values() if "template" in item.get("spec", {})]
    for pod in [*pods, *templates]:
        for entry in pod["spec"]["containers"]:
            if entry["name"] == container:
                found: dict[str, dict[str, str]] = entry["resources"]
                return found
    raise AssertionError(container)


def _cores(text: str) -> float:
    return float(text.removesuffix("m")) / 1000 if text.endswith("m") else float(text)


def test_the_rule_files_are_what_the_alerts_say_and_nothing_else() -> None:
    for path, content in render.files().items():
        assert (ROOT / path).read_text(encoding="utf-8") == content, f"{path}: python -m tenant_dashboards"
    for folder in ("dashboards/generated/rules", "charts/tenant-operator/files/rules"):
        made = {path.name for path in render.files() if path.parent == Path(folder)}
        assert {path.name for path in (ROOT / folder).iterdir()} == made


@pytest.mark.parametrize("folder", ["dashboards/generated/rules", "charts/tenant-operator/files/rules"])
def test_promtool_has_nothing_to_say_about_the_rule_files(folder: str) -> None:
    files = sorted(map(str, (ROOT / folder).glob("*.yaml")))
    checked = subprocess.run(
        [str(tool("promtool")), "check", "rules", "--lint=all", "--lint-fatal", *files],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stderr + checked.stdout


def test_names_begin_with_airflow_are_words_in_capitals_and_occur_once() -> None:
    assert len({alert.name for alert in registry.ALL}) == len(registry.ALL)
    for alert in registry.ALL:
        assert re.fullmatch(r"Airflow([A-Z][a-z0-9]+|[A-Z]{3})+(5xx[A-Z][A-Za-z]+)?", alert.name), alert.name


def test_every_alert_says_what_where_and_what_to_do() -> None:
    for alert in registry.ALL:
        assert all((alert.summary, alert.description, alert.needs)), alert.name
        pipelines = set(re.findall(r"\{\{ (\$value.*?) \}\}", alert.summary + alert.description))
        assert len(pipelines) <= 1, f"{alert.name} shows its value in {pipelines}"


def test_alerts_use_only_metrics_that_are_named_in_signals() -> None:
    known = set(RECORDS)
    for metric in vars(signals).values():
        if isinstance(metric, signals.Metric):
            parts = ("_bucket", "_sum", "_count") if metric.kind == signals.HISTOGRAM else ("",)
            known |= {metric.name + part for part in parts}
    used = {name for alert in registry.FLEET for name in metric_names(alert.expr)}
    used |= {name for expr in RECORDS.values() for name in metric_names(expr)}
    assert len(used) > 60
    assert sorted(used - known) == []


def test_every_series_that_an_alert_asks_for_is_sent_by_somebody(recorded: Recorded) -> None:
    """With its label matchers: a wrong component or namespace would make an alert silent for ever."""
    asked = set()
    for alert in registry.FLEET:
        names = metric_names(alert.expr)
        found = re.finditer(r"([a-z][\w:]*)(\{[^}]*\})?", alert.expr)
        asked |= {match[0] for match in found if match[1] in names}
    assert len(asked) > 70
    assert {selector for selector in asked if not recorded.series(selector)} <= set(UNSEEN)


def test_every_expression_works_on_real_series_and_finds_what_happened(recorded: Recorded) -> None:
    """Nothing fails on what real programs send (duplicates, missing labels), and the healthy are not told."""
    found: dict[str, set[str]] = defaultdict(set)
    for alert in registry.FLEET:
        for series in recorded.query_range(alert.expr):
            found[series["metric"].get("tenant", "")].add(alert.name)
            assert not alert.link.tenant or series["metric"]["team"], alert.name
    for tenant, names in PROVOKED.items():
        assert names <= found[tenant]
    for series in recorded.query_range('ALERTS{alertstate="firing", tenant=~"payments|analytics"}'):
        assert series["metric"]["alertname"] not in {f"Airflow{name}HeartbeatMissing" for name in HEALTHY}


@pytest.mark.covers("A-24")
def test_the_dags_of_the_library_send_what_the_alerts_about_data_read() -> None:
    sent: set[str] = set()
    for file in ("phase10/03_data_profiling", "phase18/01_feature_store", "phase18/03_auto_retraining"):
        text = (ROOT / f"dags/{file}.py").read_text(encoding="utf-8")
        sent |= set(re.findall(r'stats\.gauge\("([\w.]+)"', text))
        for names in re.findall(r'for name, value in \{(.+?)\}\.items\(\):\n\s+stats\.gauge\(f"model', text):
            sent |= {f"model.{name}" for name in re.findall(r'"(\w+)":', names)}
    read = {name for alert in registry.FLEET if alert.area == "data" for name in metric_names(alert.expr)}
    assert len(read - set(RECORDS)) == 8
    assert read - set(RECORDS) <= {f"airflow_{name.replace('.', '_')}" for name in sent}


@pytest.mark.covers("A-21", "X-26")
def test_one_table_holds_the_three_scales_and_the_channels_of_each_level() -> None:
    severities = {name: row.severity for name, row in PRIORITIES.items()}
    assert severities == {"P0": "critical", "P1": "critical", "P2": "warning", "P3": "info", "P4": "info"}
    routes: dict[str, tuple[str, ...]] = {}
    source = (ROOT / "dags/lib/src/tenant_airflow_lib/notifiers/router.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "CHANNELS":
            routes = ast.literal_eval(node.value)
    words = {
        "oncall": "on-call page",
        "incidents": "Slack #incidents",
        "leadership": "mail to leadership",
        "slack": "Slack of the team",
        "mail": "mail to the team",
    }
    assert set(routes) == {"P1", "P2", "P3", "P4"}
    for level, channels in routes.items():
        assert PRIORITIES[level].channels == (tuple(words[channel] for channel in channels) or ("log",))
    assert PRIORITIES["P0"].channels == PRIORITIES["P1"].channels


@pytest.mark.covers("A-21", "S003-50")
def test_the_clock_of_support_runs_for_every_alert() -> None:
    clock = {name: (row.respond, row.resolve) for name, row in PRIORITIES.items()}
    assert clock == {
        "P0": ("15 minutes", "2 hours"),
        "P1": ("1 hour", "4 hours"),
        "P2": ("4 hours", "24 hours"),
        "P3": ("1 business day", "as agreed"),
        "P4": ("none", "none"),
    }
    for path in (ROOT / "dashboards/generated/rules").glob("*.yaml"):
        for rule in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"][0]["rules"]:
            if "alert" in rule:
                priority = rule["labels"]["priority"]
                assert clock[priority][0] != "none"
                assert rule["labels"]["severity"] == PRIORITIES[priority].severity


def test_a_link_to_a_dashboard_names_one_that_exists_with_variables_that_it_has() -> None:
    for alert in registry.ALL:
        path = ROOT / f"dashboards/generated/platform/{alert.link.board}.json"
        board = json.loads(path.read_text(encoding="utf-8"))
        assert alert.link.path().partition("?")[0] == f"/d/{board['uid']}"
        variables = {variable["name"] for variable in board["templating"]["list"]}
        assert set(re.findall(r"var-(\w+)=", alert.link.path())) <= variables, alert.name


@pytest.mark.covers("A-26")
def test_there_are_twenty_alarms_and_among_them_the_thirteen_named_ones() -> None:
    assert len(THIRTEEN) == len(set(THIRTEEN)) == 13
    assert set(THIRTEEN) <= {alert.name for alert in registry.ALL}
    assert len(registry.ALL) >= 20
    assert len(registry.ALL) == 63
