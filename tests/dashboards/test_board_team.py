"""The board "Team": what it shows of the recording is what the recorded series say."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from tests.dashboards.on_recording import Shown, assert_in_bucket, board, metrics, raw, written
from tests.dashboards.recording.playback import Recorded, about

from tenant_dashboards.boards import team
from tenant_dashboards.boards.parts import Flavour
from tenant_dashboards.packaging import ROOT

PAYMENTS = "payments"
GENERATED = {
    slug: json.loads((ROOT / f"dashboards/generated/platform/{slug}.json").read_text(encoding="utf-8"))
    for slug in ("team", "overview")
}
BURNING = ("Critical alerts", "Worst budget")
LIGHTS = ("Scheduler", "DAG processor", "Triggerer", "API server", "Database", "DAG sync")


def _moment(what: str) -> float:
    """When something happened during the recording, seconds since 1970."""
    return float({entry["what"]: entry["at"] for entry in about()["happened"]}[what])


def test_the_first_line_answers_whether_everything_is_up() -> None:
    first, second = board("team").rows[:2]
    assert tuple(shown.title for shown in first.panels) == (*BURNING, *LIGHTS)
    assert sum(shown.width for shown in first.panels) == 24
    assert {shown.kind for shown in (*first.panels, *second.panels)} == {"stat"}


def test_the_first_line_says_what_burns(recorded: Recorded) -> None:
    critical = Shown(recorded, "team", "Critical alerts").answer(0).last("tenant")
    fires = 'ALERTS{alertstate="firing",severity="critical",tenant!=""}'
    some = raw(recorded, f"count by (tenant) ({fires})", "tenant")
    assert some
    assert {tenant: number for tenant, number in critical.items() if number} == some
    assert set(critical) == set(raw(recorded, "group by (tenant) (airflow_tenant_info)", "tenant"))
    left = Shown(recorded, "team", "Worst budget").answer(0).last("tenant")
    worst = raw(recorded, "min by (tenant) (slo:period_error_budget_remaining:ratio)", "tenant")
    assert (PAYMENTS,) in worst
    assert left == {tenant: max(share, -1) for tenant, share in worst.items()}


@pytest.mark.parametrize("slug", ["team", "overview"])
def test_firing_alerts_are_in_the_order_of_priority_then_age(slug: str) -> None:
    table = next(one for one in GENERATED[slug]["panels"] if one.get("title") == "Firing alerts")
    order = [(one["displayName"], one.get("desc", False)) for one in table["options"]["sortBy"]]
    assert order == [("Priority", False), ("Fires for", True)]
    links = [
        link["url"]
        for override in table["fieldConfig"]["overrides"]
        if override["matcher"]["options"] == "Alert"
        for item in override["properties"]
        if item["id"] == "links"
        for link in item["value"]
    ]
    assert [url.split("/")[-1] for url in links] == ["runbook.md#${__value.text}"]


def test_two_alerts_of_the_same_name_are_two_lines_that_say_what_they_are_about(tmp_path: Path) -> None:
    end = int(about()["end"])
    own = f'tenant="{PAYMENTS}",alertname="AirflowSLOBurnFast",severity="critical",priority="P1"'
    objects = {
        'slo="runs",dag_id="settlement"': "objective runs",
        'slo="tasks"': "objective tasks",
        'dag_id="settlement"': "DAG settlement",
        'pool_name="big"': "pool big",
        'component="scheduler"': "scheduler",
        'pod="a"': "",
    }
    lines = [
        line
        for labels in objects
        for line in (
            f'ALERTS{{{own},{labels},alertstate="firing"}} 1 {end}',
            f"ALERTS_FOR_STATE{{{own},{labels}}} {end - 600} {end}",
        )
    ]
    with written(tmp_path, sorted(lines), end - 60, end) as prometheus:
        for slug in ("team", "overview"):
            found = Shown(prometheus, slug, "Firing alerts").answer(0, at=end).last("about")
            assert found == {(about_,): 600 for about_ in objects.values()}, slug


def test_every_light_is_on_while_the_tenants_run(recorded: Recorded) -> None:
    for title in LIGHTS:
        assert Shown(recorded, "team", title).answer(0).last("tenant")[(PAYMENTS,)] == 1, title


@pytest.mark.covers("G-04")
def test_the_light_of_the_scheduler_goes_out_while_it_is_stopped(recorded: Recorded) -> None:
    light = Shown(recorded, "team", "Scheduler")
    stopped, started = round(_moment("stop scheduler")), round(_moment("start scheduler"))
    assert light.answer(0, at=stopped - 10).last("tenant")[(PAYMENTS,)] == 1
    during = {
        light.answer(0, at=at).last("tenant")[(PAYMENTS,)]
        for at in range(stopped, started + 60, recorded.step)
    }
    assert 0 in during
    assert light.answer(0).last("tenant")[(PAYMENTS,)] == 1


def test_a_tenant_without_any_heartbeat_is_down_and_not_unknown(recorded: Recorded) -> None:
    """`ml` is known to the operator only."""
    assert Shown(recorded, "team", "Scheduler").answer(0).last("tenant")[("ml",)] == 0


@pytest.mark.covers("G-01")
def test_duration_of_dag_runs_is_the_recorded_one_for_success_and_failure(recorded: Recorded) -> None:
    shown = Shown(recorded, "team", "DAG run duration, p95")
    assert metrics(shown.panel) == {
        "airflow_dagrun_duration_success_bucket",
        "airflow_dagrun_duration_failed_bucket",
    }
    for number, outcome in enumerate(("success", "failed")):
        found = shown.answer(number).last("tenant", "dag_id")
        assert found, outcome
        for (tenant, dag), p95 in found.items():
            buckets = f'airflow_dagrun_duration_{outcome}_bucket{{tenant="{tenant}",dag_id="{dag}"}}'
            assert_in_bucket(recorded, buckets, 0.95, p95)


@pytest.mark.covers("G-02")
def test_failure_ratio_is_failed_over_all_tries_of_the_time_range(recorded: Recorded) -> None:
    failed = raw(recorded, "sum by (tenant) (airflow_ti_failures)", "tenant")
    passed = raw(recorded, "sum by (tenant) (airflow_ti_successes)", "tenant")
    found = Shown(recorded, "team", "Task failure ratio").answer(0).last("tenant")
    assert found[(PAYMENTS,)] > 0
    for tenant, ratio in found.items():
        wanted = failed.get(tenant, 0) / (failed.get(tenant, 0) + passed[tenant])
        assert ratio == pytest.approx(wanted, abs=0.05), tenant


@pytest.mark.covers("G-02")
def test_task_outcomes_have_every_recorded_state_with_success_and_failure(recorded: Recorded) -> None:
    shown = Shown(recorded, "team", "Task outcomes")
    states = {state for (state,) in shown.answer(0).last("state")}
    assert states == {state for (state,) in raw(recorded, "sum by (state) (airflow_ti_finish)", "state")}
    assert {"success", "failed", "up_for_retry"} <= states


@pytest.mark.covers("G-02")
@pytest.mark.parametrize(
    ("title", "query", "recorded_counter"),
    [
        ("DAG runs by outcome", "success", "airflow_dagrun_duration_success_count"),
        ("DAG runs by outcome", "failed", "airflow_dagrun_duration_failed_count"),
        ("Deadlines created, met and missed", "missed", "airflow_deadline_alerts_deadline_missed"),
        ("Task outcomes", "{{state}}", "airflow_ti_finish"),
    ],
)
def test_bars_are_whole_numbers_that_add_up_to_what_was_recorded(
    recorded: Recorded, title: str, query: str, recorded_counter: str
) -> None:
    shown = Shown(recorded, "team", title)
    bars = [value for _, points in shown.answer(query).series for _, value in points]
    assert all(value == round(value) for value in bars)
    assert sum(bars) == sum(raw(recorded, f"sum(last_over_time({recorded_counter}[1h]))").values())


def test_a_gap_in_scraping_makes_no_events_up_and_a_reset_loses_none(tmp_path: Path) -> None:
    """7 at the start, none in the gap, 1 more; then the exporter starts anew and counts 2."""
    end = int(about()["end"])
    seen = {**dict.fromkeys(range(10), 7), **dict.fromkeys(range(25, 40), 7)}
    seen |= {**dict.fromkeys(range(40, 50), 8), **dict.fromkeys(range(50, 61), 2)}
    own = f'airflow_dagrun_duration_failed_count{{tenant="{PAYMENTS}",dag_id="settlement"}}'
    lines = [f"{own} {value} {end - 3600 + minute * 60}" for minute, value in seen.items()]
    with written(tmp_path, lines, end - 3600, end) as prometheus:
        ((_, points),) = Shown(prometheus, "team", "DAG runs by outcome").answer("failed").series
        assert [value for _, value in points if value] == [7, 1, 2]


@pytest.mark.covers("G-02")
def test_the_first_failure_of_a_dag_is_counted(recorded: Recorded) -> None:
    """A StatsD counter begins with 1: increase() alone would say that nothing failed."""
    found = Shown(recorded, "team", "Failing DAGs").answer(0).last("tenant", "dag_id")
    counted = raw(
        recorded, "sum by (tenant, dag_id) (airflow_dagrun_duration_failed_count)", "tenant", "dag_id"
    )
    assert counted
    assert found == pytest.approx(counted, rel=0.1)


def test_failing_dags_say_who_owns_them_and_lead_to_the_slo_board(recorded: Recorded) -> None:
    shown = Shown(recorded, "team", "Failing DAGs")
    assert {team for (team,) in {(key[0],) for key in shown.answer(0).last("team", "dag_id")}} <= {
        "payments",
        "analytics",
    }
    (link,) = next(column for column in shown.panel.columns if column.source == "dag_id").links
    assert link.url.startswith("/d/airflow-slo?")
    assert "var-dag_id=${__value.raw}" in link.url


@pytest.mark.parametrize("slug", ["team", "slo", "capacity"])
def test_no_two_series_of_a_panel_have_the_same_name_when_all_tenants_are_chosen(
    recorded: Recorded, slug: str
) -> None:
    twice = {}
    for shown in board(slug).panels:
        if shown.kind != "table":
            counted = Counter(Shown(recorded, slug, shown.title).names())
            bad = [name for name, times in counted.items() if times > 1 or not name.strip()]
            twice[shown.title] = bad
    assert twice
    assert {title: names for title, names in twice.items() if names} == {}


def test_a_teams_own_board_links_to_its_own_boards_and_does_not_repeat_its_name() -> None:
    made = team.build(Flavour.TEAM)
    urls = [link.url for shown in made.panels for column in shown.columns for link in column.links]
    assert urls
    assert {re.split("[?#]", url)[0] for url in urls} == {
        "/d/__UID_SLO__",
        "/d/__UID_CAPACITY__",
        "__RUNBOOK_URL__",
    }
    assert not [
        target for shown in made.panels for target in shown.targets if target.legend.endswith(" {{tenant}}")
    ]
    assert "tenant" not in {column.source for shown in made.panels for column in shown.columns}


@pytest.mark.covers("G-14")
def test_pools_show_the_spec_beside_the_slots_that_are_there(recorded: Recorded) -> None:
    shown = Shown(recorded, "team", "Pools")
    pools = "tenant", "pool_name"
    size = "airflow_pool_open_slots + airflow_pool_running_slots + airflow_pool_queued_slots"
    assert shown.answer(0).last(*pools) == raw(recorded, f"max by (tenant, pool_name) ({size})", *pools)
    wanted = shown.answer(1).last("row")
    assert wanted == {
        (f"{tenant} / {pool}",): slots
        for (tenant, pool), slots in raw(recorded, "airflow_tenant_pool_slots", *pools).items()
    }
    assert (f"{PAYMENTS} / default_pool",) in {*shown.answer(2).last("row")}


@pytest.mark.covers("G-17")
def test_features_say_their_age_and_how_old_they_may_get(recorded: Recorded) -> None:
    shown = Shown(recorded, "team", "Age of features")
    view = "tenant", "view"
    watermark = raw(recorded, "last_over_time(airflow_features_watermark_timestamp_seconds[1h])", *view)
    assert watermark
    for labels, points in shown.answer(0).series:
        now, age = points[-1]
        assert age == pytest.approx(now - watermark[labels["tenant"], labels["view"]], abs=1)
    assert shown.panel.targets[1].spec
    assert shown.answer(1).last(*view) == raw(
        recorded, "last_over_time(airflow_features_ttl_seconds[1h])", *view
    )


@pytest.mark.covers("G-17")
def test_drift_of_columns_stands_beside_its_limit(recorded: Recorded) -> None:
    shown = Shown(recorded, "team", "Drift of columns")
    measured = raw(recorded, "last_over_time(airflow_drift_psi[1h])", "dataset", "column")
    assert measured
    assert shown.answer(0).last("dataset", "column") == measured
    assert shown.panel.targets[1].spec
    assert shown.answer(1).series


@pytest.mark.covers("G-17")
@pytest.mark.parametrize("title", ["Accuracy of models", "Bias of new models"])
def test_models_have_data(recorded: Recorded, title: str) -> None:
    shown = Shown(recorded, "team", title)
    assert shown.panel.targets
    assert shown.empty() == []


@pytest.mark.covers("G-17")
def test_lineage_events_are_counted_by_type_and_lost_ones_beside_them(tmp_path: Path) -> None:
    """OpenLineage's provider counts attempts as a timer, and failures; the names are those of Airflow."""
    end = int(about()["end"])
    own = f'tenant="{PAYMENTS}",namespace="airflow-payments"'
    attempts = 'airflow_ol_emit_attempts_count{%s,event_type="%s"}'
    series = [(attempts % (own, kind), 6) for kind in ("START", "COMPLETE")]
    series.append((f"airflow_ol_emit_failed{{{own}}}", 2))
    lines = [
        f"{name} {round(growth * minute / 60)} {end - 3600 + minute * 60}"
        for name, growth in series
        for minute in range(61)
    ]
    with written(tmp_path, lines, end - 3600, end) as prometheus:
        shown = Shown(prometheus, "team", "Lineage events")
        sent = shown.answer(0)
        assert {labels["event_type"] for labels, _ in sent.series} == {"START", "COMPLETE"}
        assert sum(value for _, points in sent.series for _, value in points) > 0
        assert sum(value for _, points in shown.answer(1).series for _, value in points) > 0


def test_a_gauge_that_the_exporter_forgot_is_still_shown(recorded: Recorded) -> None:
    """The exporter forgets a gauge after 15 minutes, a DAG sends it once a run."""
    for title in ("Age of features", "Drift of columns", "Accuracy of models", "Bias of new models"):
        for target in Shown(recorded, "team", title).panel.targets:
            assert "last_over_time(" in target.expr, title
            assert "[2d]" in target.expr, title
