"""The boards "Tenants overview", "Cost and usage" and "Operator": the figures are the recorded ones."""

from __future__ import annotations

import math

import pytest
from tests.dashboards.on_recording import Shown, panel, raw
from tests.dashboards.recording.playback import Recorded

from tenant_dashboards.boards import states
from tenant_dashboards.panels.model import Panel

READY, NOT_READY = "payments", "ml"


def column(shown: Panel, title: str) -> int:
    """The number of the query behind a column."""
    source = next(c.source for c in shown.columns if c.title == title)
    return "ABCDEFGHIJ".index(source.removeprefix("Value #"))


def test_the_tenants_table_has_a_line_for_each_tenant_with_its_state_and_alerts(recorded: Recorded) -> None:
    shown = Shown(recorded, "overview", "Tenants")
    tenants = set(raw(recorded, "group by (tenant) (airflow_tenant_info)", "tenant"))
    assert set(shown.answer(0).last("tenant")) == tenants
    state = shown.answer(column(shown.panel, "State")).last("tenant")
    assert set(state) == tenants
    assert state[(READY,)] == states.READY
    assert state[(NOT_READY,)] != states.READY
    alerts = shown.answer(column(shown.panel, "Alerts")).last("tenant")
    firing = 'count by (tenant) (ALERTS{alertstate="firing",tenant!=""})'
    assert {key: value for key, value in alerts.items() if value} == raw(recorded, firing, "tenant")
    assert set(alerts) == tenants


def test_the_states_add_up_to_all_tenants(recorded: Recorded) -> None:
    others = [
        Shown(recorded, "overview", title).answer(0).last()[()]
        for title in ("Progressing", "Degraded", "Suspended or at rest")
    ]
    ((numbers, share),) = Shown(recorded, "overview", "Ready").answer(0).last("ready", "wanted").items()
    ready, wanted = (float(number) for number in numbers)
    everybody = raw(recorded, "count(group by (tenant) (airflow_tenant_info))")[()]
    assert ready + sum(others) == everybody
    assert wanted == everybody - others[-1]
    assert share == ready / wanted
    assert ready >= 1


def test_the_list_of_alerts_is_what_fires(recorded: Recorded) -> None:
    labels = ("alertname", "tenant")
    listed = Shown(recorded, "overview", "Firing alerts").answer(0).last("severity", "about", *labels)
    firing = raw(recorded, 'count by (alertname, tenant) (ALERTS{alertstate="firing"})', *labels)
    assert {key[2:] for key in listed} == set(firing)
    assert all(value >= 0 for value in listed.values())


def test_the_tenants_with_the_most_failures_are_the_recorded_ones(recorded: Recorded) -> None:
    found = Shown(recorded, "overview", "Failed task tries").answer(0).last("tenant")
    # the recording begins before the first task: a counter's last value is all that failed
    failed = raw(recorded, "sum by (tenant) (max_over_time(airflow_ti_failures[1h]))", "tenant")
    assert found.keys() == failed.keys()
    assert all(math.isclose(found[key], failed[key], rel_tol=0.1, abs_tol=1) for key in failed)


@pytest.mark.covers("G-16")
def test_each_component_of_a_ready_tenant_is_shown_as_its_own_health_answer_says(recorded: Recorded) -> None:
    shown = Shown(recorded, "overview", "Component health")
    names = {
        "API server": "api-server", "Database": "metadatabase", "Scheduler": "scheduler",
        "DAG processor": "dag.processor", "Triggerer": "triggerer",
    }  # fmt: skip
    for title, component in names.items():
        found = shown.answer(column(shown.panel, title)).last("tenant")
        healthy = f'min by (tenant) (airflow_tenant_component_healthy{{component=~"{component}"}})'
        assert found == raw(recorded, healthy, "tenant")
        assert found[(READY,)] == 1
    queued = shown.answer(column(shown.panel, "Tasks queued")).last("tenant")
    assert queued == raw(recorded, "sum by (tenant) (airflow_executor_queued_tasks)", "tenant")
    volumes = shown.answer(column(shown.panel, "Fullest volume")).last("tenant")
    assert set(volumes) >= {(READY,)}
    assert all(0 < share <= 1 for share in volumes.values())


@pytest.mark.covers("G-16")
def test_a_stopped_scheduler_is_seen_as_unhealthy_and_its_heartbeat_grows_old(recorded: Recorded) -> None:
    unhealthy = Shown(recorded, "overview", "Unhealthy components").answer(0)
    worst = {labels["component"]: max(v for _, v in points) for labels, points in unhealthy.series}
    assert worst["scheduler"] >= 1
    ages = Shown(recorded, "overview", "Oldest heartbeat").answer(0)
    oldest = {labels["component"]: max(v for _, v in points) for labels, points in ages.series}
    assert oldest["scheduler"] > 60
    assert oldest["scheduler"] > oldest["triggerer"]


@pytest.mark.covers("G-09")
@pytest.mark.parametrize("resource", ["CPU", "Memory"])
def test_the_components_use_what_all_containers_of_the_namespace_use(
    resource: str, recorded: Recorded
) -> None:
    shown = Shown(recorded, "cost", f"{resource} by component")
    parts = shown.answer(0).last("namespace", "component")
    assert {component for _, component in parts} >= {"scheduler", "api-server", "dag-processor", "triggerer"}
    container = '{container!="",container!="POD",namespace=~"airflow-.+"}'
    used = (
        f"rate(container_cpu_usage_seconds_total{container}[60s])"
        if resource == "CPU"
        else f"container_memory_working_set_bytes{container}"
    )
    for (namespace,), total in raw(recorded, f"sum by (namespace) ({used})", "namespace").items():
        mine = sum(value for (where, _), value in parts.items() if where == namespace)
        assert math.isclose(mine, total, rel_tol=0.01), namespace


@pytest.mark.covers("G-09")
@pytest.mark.parametrize("resource", ["CPU", "Memory"])
def test_a_component_is_compared_with_its_own_limit(resource: str, recorded: Recorded) -> None:
    shares = Shown(recorded, "cost", f"{resource} of the limit").answer(0)
    assert {labels["component"] for labels, _ in shares.series} >= {"scheduler", "api-server"}
    assert all(0 <= value <= 1.05 for _, points in shares.series for _, value in points)
    assert [step.value for step in panel("cost", f"{resource} of the limit").thresholds] == [None, 0.8, 0.95]


@pytest.mark.covers("M-07")
def test_the_operator_s_board_tells_passes_and_who_is_not_ready(recorded: Recorded) -> None:
    passes = Shown(recorded, "operator", "Passes over tenants, by result").answer(0)
    assert {labels["result"] for labels, _ in passes.series} >= {"success", "error", "requeue"}
    table = Shown(recorded, "operator", "Tenants that are not ready")
    assert [tenant for (tenant,) in table.answer(0).last("tenant")] == [NOT_READY]
    assert Shown(recorded, "operator", "Operators up").answer(0).last()[()] == 1
    assert Shown(recorded, "operator", "Leaders").answer(0).last()[()] == 1
