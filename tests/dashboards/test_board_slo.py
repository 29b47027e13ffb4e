"""The board "DAG and task SLO": objectives, durations, delays and tasks of the recording."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.dashboards.on_recording import Shown, assert_in_bucket, board, metrics, raw, written
from tests.dashboards.recording.playback import Recorded, about

from tenant_dashboards.boards import slo
from tenant_dashboards.boards.parts import Flavour

HOUR = 3600
SLOWER = 60  # for so many hours everything but one task has taken longer
OBJECTIVES = ("Objectives", "Error budget left", "Burn rate by window", "Errors against the objective")


@pytest.fixture(scope="module")
def two_weeks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """Written: one run an hour, which takes half as long again in the last days as a week before."""
    folder = tmp_path_factory.mktemp("weeks")
    end = about()["end"] // HOUR * HOUR
    lines = [
        line for name, labels, slow, fast in _WRITTEN for line in _histogram(name, labels, slow, fast, end)
    ]
    with written(folder, lines, end - 24 * HOUR, end) as prometheus:
        yield prometheus


_TASK = 'tenant="payments",namespace="airflow-payments",dag_id="settlement",task_id="{}"'
_WRITTEN = (
    ("airflow_task_duration", _TASK.format("load"), 10, 15),
    ("airflow_task_duration", _TASK.format("check"), 4, 4),
    ("airflow_dagrun_duration_success", 'tenant="payments",dag_id="settlement"', 200, 400),
)


def _histogram(name: str, labels: str, before: float, after: float, end: int) -> Iterator[str]:
    """One observation an hour; a sample every ten minutes of the two days that are compared."""
    week = 7 * 24
    for part in ("sum", "count", *(f"bucket {bound}" for bound in (1, 5, 15, 120, 300, 600, "+Inf"))):
        value = 0.0
        for sample in range((week + 26) * 6):
            ago = week + 26 - sample / 6  # hours
            if sample % 6 == 0:
                took = after if ago < SLOWER else before
                value += took if part == "sum" else part == "count" or took <= float(part.split()[1])
            if ago <= 26 or ago > week:
                kind, _, bound = part.partition(" ")
                own = f'{labels},le="{bound}"' if bound else labels
                yield f"{name}_{kind}{{{own}}} {value:g} {end - round(ago * HOUR)}"


def test_the_first_row_says_whether_objectives_are_met_and_how_fast_budgets_burn() -> None:
    titles = [shown.title for row in board("slo").rows[:2] for shown in row.panels]
    assert tuple(titles) == OBJECTIVES


def test_every_panel_of_objectives_has_data(recorded: Recorded) -> None:
    assert {title: Shown(recorded, "slo", title).empty() for title in OBJECTIVES} == {
        title: [] for title in OBJECTIVES
    }


def test_what_was_reached_and_what_is_left_follow_from_the_objective(recorded: Recorded) -> None:
    """left = 1 - (1 - reached) / (1 - asked), shown down to -100 %."""
    shown = Shown(recorded, "slo", "Objectives")
    asked, reached, left = (shown.answer(number).last("row") for number in range(3))
    assert asked
    assert reached.keys() <= asked.keys()
    for row, share in reached.items():
        computed = 1 - (1 - share) / (1 - asked[row])
        assert left[row] == pytest.approx(max(computed, -1), abs=1e-6), row


def test_the_share_of_errors_stands_beside_the_line_that_the_objective_allows(recorded: Recorded) -> None:
    shown = Shown(recorded, "slo", "Errors against the objective")
    assert [target.spec for target in shown.panel.targets] == [False, False, True]
    allowed = shown.answer(2).last("tenant", "sloth_slo")
    assert allowed == raw(recorded, "slo:error_budget:ratio", "tenant", "sloth_slo")


def test_burn_rates_have_the_limits_of_the_alerts() -> None:
    shown = {found.title: found for found in board("slo").panels}["Burn rate by window"]
    assert [step.value for step in shown.thresholds] == [None, 1, 3, 6, 14.4]
    assert [target.legend.split()[-3:-1] for target in shown.targets] == [
        ["1", "h"],
        ["6", "h"],
        ["1", "d"],
        ["3", "d"],
    ]


def test_success_ratio_of_a_dag_is_successes_over_runs(recorded: Recorded) -> None:
    shown = Shown(recorded, "slo", "DAGs: success and duration")
    dag = "tenant", "dag_id"
    good = raw(recorded, "sum by (tenant, dag_id) (airflow_dagrun_duration_success_count)", *dag)
    bad = raw(recorded, "sum by (tenant, dag_id) (airflow_dagrun_duration_failed_count)", *dag)
    found = shown.answer(1).last("row")
    assert {tuple(row.split(" / ")) for (row,) in found} == {*good, *bad}
    for (row,), ratio in found.items():
        key = tuple(row.split(" / "))
        wanted = good.get(key, 0) / (good.get(key, 0) + bad.get(key, 0))
        assert ratio == pytest.approx(wanted, abs=0.05), row
    assert min(found.values()) < 1


@pytest.mark.covers("G-01")
def test_durations_stand_beside_last_week_and_the_limit_of_the_spec(recorded: Recorded) -> None:
    shown = Shown(recorded, "slo", "Run duration p95 against last week")
    now, before, limit = shown.panel.targets
    assert "offset 1w" in before.expr
    assert before.may_be_empty
    assert limit.spec
    assert shown.answer(2).last("tenant", "dag_id") == raw(
        recorded, "airflow_tenant_dag_duration_limit_seconds", "tenant", "dag_id"
    )
    found = shown.answer(0).last("tenant", "dag_id")
    assert found
    for (tenant, dag), p95 in found.items():
        buckets = f'airflow_dagrun_duration_success_bucket{{tenant="{tenant}",dag_id="{dag}"}}'
        assert_in_bucket(recorded, buckets, 0.95, p95)
    assert "offset" not in now.expr.replace("offset 1d", "")


@pytest.mark.covers("G-03")
def test_the_schedulers_loop_and_the_schedule_delay_are_the_recorded_ones(recorded: Recorded) -> None:
    loop = Shown(recorded, "slo", "Scheduler loop")
    assert metrics(loop.panel) == {
        "airflow_scheduler_scheduler_loop_duration_bucket",
        "airflow_scheduler_critical_section_duration_bucket",
    }
    assert loop.empty() == []
    delay = Shown(recorded, "slo", "Schedule delay")
    for number, q in enumerate((0.5, 0.95)):
        found = delay.answer(number).last("tenant")
        assert found
        for (tenant,), value in found.items():
            assert_in_bucket(recorded, f'airflow_dagrun_schedule_delay_bucket{{tenant="{tenant}"}}', q, value)


@pytest.mark.covers("G-03")
def test_delay_of_first_tasks_is_shown_by_dag(recorded: Recorded) -> None:
    found = Shown(recorded, "slo", "First task start delay, p95").answer(0).last("tenant", "dag_id")
    assert found
    for (tenant, dag), value in found.items():
        buckets = f'airflow_dagrun_first_task_start_delay_bucket{{tenant="{tenant}",dag_id="{dag}"}}'
        assert_in_bucket(recorded, buckets, 0.95, value)


def test_the_canary_shows_the_whole_way(recorded: Recorded) -> None:
    shown = Shown(recorded, "slo", "Canary, end to end")
    assert metrics(shown.panel) == {"airflow_canary_latency_bucket"}
    assert shown.empty() == []


@pytest.mark.covers("G-13")
def test_the_table_of_slow_tasks_has_mean_outliers_change_and_waiting_of_every_task(
    recorded: Recorded,
) -> None:
    shown = Shown(recorded, "slo", "Slowest tasks and outliers")
    task = "tenant", "dag_id", "task_id"
    means = shown.answer(0).last(*task)
    counted = "sum by (tenant, dag_id, task_id) (airflow_task_duration_{})"
    total, count = (raw(recorded, counted.format(part), *task) for part in ("sum", "count"))
    assert {*means} == {*count}
    for key, mean in means.items():
        assert mean == pytest.approx(total[key] / count[key], rel=0.15, abs=0.2), key
    p95, outliers, waiting = (shown.answer(number).last("row") for number in (1, 2, 4))
    assert p95.keys() == outliers.keys() == {(" / ".join(key),) for key in means}
    assert waiting
    for row, share in outliers.items():
        assert share == pytest.approx(p95[row] / means[tuple(row[0].split(" / "))], rel=1e-6), row
    assert "offset 1w" in shown.panel.targets[3].expr
    assert shown.panel.sort == "Mean"


@pytest.mark.covers("G-13")
def test_a_task_that_got_slower_since_last_week_shows_by_how_much(two_weeks: Recorded) -> None:
    shown = Shown(two_weeks, "slo", "Slowest tasks and outliers")
    assert shown.answer(3).last("row") == {
        ("payments / settlement / load",): pytest.approx(0.5, abs=0.05),
        ("payments / settlement / check",): pytest.approx(0, abs=0.05),
    }


@pytest.mark.covers("G-01")
def test_last_weeks_durations_are_those_of_last_week(two_weeks: Recorded) -> None:
    shown = Shown(two_weeks, "slo", "Run duration p95 against last week")
    now, before = (shown.answer(number).last("dag_id")[("settlement",)] for number in (0, 1))
    assert 300 < now <= 600
    assert 120 < before <= 300
    table = Shown(two_weeks, "slo", "DAGs: success and duration")
    assert table.answer(3).last("row")[("payments / settlement",)] == pytest.approx(before, rel=0.05)


@pytest.mark.covers("G-13")
@pytest.mark.parametrize(
    ("title", "metric"),
    [
        ("Task duration p95, 1 d", "airflow_task_duration_bucket"),
        ("Time in state scheduled p95, 1 d", "airflow_task_scheduled_duration_bucket"),
    ],
)
def test_trend_of_duration_and_waiting_is_the_recorded_one(
    recorded: Recorded, title: str, metric: str
) -> None:
    shown = Shown(recorded, "slo", title)
    assert metrics(shown.panel) == {metric}
    found = shown.answer(0).last("tenant", "dag_id", "task_id")
    assert found
    for (tenant, dag, task), value in found.items():
        buckets = f'{metric}{{tenant="{tenant}",dag_id="{dag}",task_id="{task}"}}'
        assert_in_bucket(recorded, buckets, 0.95, value)


def test_repeated_tries_are_a_share_of_all_tries(recorded: Recorded) -> None:
    dag = "tenant", "dag_id"
    again = raw(recorded, 'sum by (tenant, dag_id) (airflow_ti_finish{state="up_for_retry"})', *dag)
    every = raw(recorded, "sum by (tenant, dag_id) (airflow_ti_finish)", *dag)
    found = Shown(recorded, "slo", "Share of tries that are repeated, 1 d").answer(0).last(*dag)
    assert found.keys() == again.keys()
    for key, share in found.items():
        assert share == pytest.approx(again[key] / every[key], abs=0.1), key


def test_a_choice_of_one_dag_shows_no_other(recorded: Recorded) -> None:
    every = Shown(recorded, "slo", "Task duration p95, 1 d").answer(0).last("tenant", "dag_id", "task_id")
    chosen = sorted(every)[0][1]
    one = Shown(recorded, "slo", "Task duration p95, 1 d", dag_id=chosen)
    assert {dag for _, dag, _ in one.answer(0).last("tenant", "dag_id", "task_id")} == {chosen}


def test_a_teams_own_board_does_not_repeat_its_name() -> None:
    made = slo.build(Flavour.TEAM)
    assert not [
        target for shown in made.panels for target in shown.targets if target.legend.endswith(" {{tenant}}")
    ]
    assert [variable.name for variable in made.variables] == [
        "tenant",
        "namespace",
        "slo",
        "dag_id",
        "task_id",
    ]
