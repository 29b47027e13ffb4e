"""The SLO rules of a tenant, evaluated by the real promtool on written series."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.operator.support import NAMESPACE, tenant

from devcluster.tools import tool
from tenant_operator.plan.slo import Links, rule_groups

_SECONDS = 100
PLACE = f'tenant="payments",namespace="{NAMESPACE}"'
RUNS = {"name": "runs", "metric": "dagRunSuccess", "objective": "99.5", "dag": "settlement"}
SAME = 'dag_id="settlement",pod="statsd-1"'
FAST, SLOW, ABSENT = "AirflowSLOBurnFast", "AirflowSLOBurnSlow", "AirflowSLOSeriesAbsent"

Case = dict[str, Any]


def series(name: str, values: str, labels: str = SAME) -> dict[str, str]:
    return {"series": f"{name}{{{PLACE},{labels}}}", "values": values}


def failed(values: str, labels: str = SAME) -> dict[str, str]:
    return series("airflow_dagrun_duration_failed_count", values, labels)


def succeeded(values: str, labels: str = SAME) -> dict[str, str]:
    return series("airflow_dagrun_duration_success_count", values, labels)


def firing(alert: str, at: str, times: int, slo: str = "runs") -> Case:
    return {
        "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing",slo="{slo}"}}) or vector(0)',
        "eval_time": at,
        "exp_samples": [{"labels": "{}", "value": times}],
    }


def about(expression: str, at: str, value: float) -> Case:
    """The expression, rounded to a hundredth, is this at that time."""
    return {
        "expr": f"round(max({expression}), 0.01)",
        "eval_time": at,
        "exp_samples": [{"labels": "{}", "value": value}],
    }


def check(folder: Path, slo: Case, inputs: list[dict[str, str]], *expected: Case, every: str = "1m") -> None:
    """Run promtool; a wrong expectation fails with promtool's own words."""
    groups = rule_groups(tenant(monitoring={"slo": [slo]}), Links("http://runbook", "http://grafana/d/slo-x"))
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}, sort_keys=False))
    test = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": every,
        "tests": [{"interval": every, "input_series": inputs, "promql_expr_test": list(expected)}],
    }
    (folder / "test.yaml").write_text(yaml.safe_dump(test, sort_keys=False))
    done = subprocess.run(
        [str(tool("promtool")), "test", "rules", "test.yaml"],
        cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def step(count: int, every: int, value: int = 0) -> str:
    """Values of a counter that grows by one every so many minutes, `count` times, from `value` on."""
    return " ".join(f"{value + i}x{every - 1}" for i in range(count + 1))


def test_a_burst_of_failures_pages_at_once(tmp_path: Path) -> None:
    """Ten good runs an hour; then every run fails."""
    check(
        tmp_path,
        RUNS,
        [succeeded(step(20, 6) + f" 20x{3 * 60}"), failed("0x120 " + step(30, 6))],
        firing(FAST, "2h", 0),
        firing(FAST, "2h35m", 1),
        firing(SLOW, "2h10m", 0),
    )


def test_the_page_ends_when_runs_succeed_again(tmp_path: Path) -> None:
    check(
        tmp_path,
        RUNS,
        [
            succeeded(step(20, 6) + " 20x60 " + step(30, 6, 20)),
            failed("0x120 " + step(10, 6) + " 10x240"),
        ],
        firing(FAST, "2h50m", 1),
        firing(FAST, "3h40m", 0),
    )


def test_a_smoulder_is_a_warning_and_no_page(tmp_path: Path) -> None:
    """Ten runs an hour, of which one fails every six hours: 1.7 % are bad, 3.3 times what 99.5 % allow."""
    check(
        tmp_path,
        RUNS,
        [succeeded(step(240, 6)), failed(" ".join(f"{i}x359" for i in range(6)))],
        firing(FAST, "23h50m", 0),
        firing(SLOW, "23h50m", 1),
    )


@pytest.mark.parametrize("minute", ["6h5m", "6h30m", "8h", "20h"])
def test_one_failed_run_of_a_dag_that_runs_three_times_a_day_wakes_nobody(
    tmp_path: Path, minute: str
) -> None:
    check(
        tmp_path,
        RUNS,
        [succeeded("1x480 2x480 3x480"), failed("0x360 1x1080")],
        firing(FAST, minute, 0),
        firing(SLOW, minute, 0),
    )


def test_a_sparse_dag_that_fails_each_time_is_a_warning(tmp_path: Path) -> None:
    """Three runs a day, all bad. Between two runs the short windows hold none: the last one counts."""
    check(
        tmp_path,
        RUNS,
        [failed("0x480 1x480 2x480 3x480")],
        firing(SLOW, "15h", 0),
        firing(SLOW, "17h", 1),
        firing(SLOW, "23h", 1),
        firing(FAST, "23h", 0),
    )


def test_without_traffic_nothing_burns_and_nothing_is_claimed(tmp_path: Path) -> None:
    check(
        tmp_path,
        RUNS,
        [succeeded("7x600")],
        firing(FAST, "9h", 0),
        firing(SLOW, "9h", 0),
        {
            "expr": 'slo:sli_error:ratio_rate1h{sloth_slo="runs"}',
            "eval_time": "9h",
            "exp_samples": [],
        },
    )


def test_the_first_failures_ever_seen_count(tmp_path: Path) -> None:
    """Counters begin with their first event: `increase` alone misses it, and all of one that stays at 1."""
    check(
        tmp_path,
        RUNS,
        [succeeded("5x300"), failed("_x120 1x60 2x60 3x60")],
        about("slo:sli_errors:increase5m", "1h59m", 0),
        about("slo:sli_errors:increase5m", "2h3m", 1),
        about("sum_over_time(slo:sli_errors:increase5m[30m]) / 5", "2h20m", 1),
    )


def test_a_series_that_was_away_for_some_minutes_is_not_counted_anew(tmp_path: Path) -> None:
    check(
        tmp_path,
        RUNS,
        [succeeded("900x200"), failed("40x60 _x20 40x120")],
        about("slo:sli_errors:increase5m", "1h23m", 0),
    )


def test_another_pod_of_the_exporter_starts_from_nothing_and_loses_nothing(tmp_path: Path) -> None:
    moved = SAME.replace("statsd-1", "statsd-2")
    check(
        tmp_path,
        RUNS,
        [succeeded("50x60"), succeeded("_x70 1x10 2x60", moved), failed("_x75 1x100", moved)],
        about("sum_over_time(slo:sli_events:increase5m[30m]) / 5", "1h35m", 3),
        about("slo:sli_error:ratio_rate30m", "1h35m", 0.33),
    )


def test_the_budget_that_is_left_is_that_of_the_events(tmp_path: Path) -> None:
    """300 runs, 3 of them bad, at 95 %: a fifth of the budget is used, however the runs spread over time."""
    slo = {**RUNS, "objective": "95", "window": "7d"}
    check(
        tmp_path,
        slo,
        [succeeded("_x10 1+1x296 297x1200"), failed("_x5 1x700 2x100 3x700")],
        about("slo:sli_error:ratio_rate7d", "20h", 0.01),
        about("slo:period_burn_rate:ratio", "20h", 0.2),
        about("slo:period_error_budget_remaining:ratio", "20h", 0.8),
        about("slo:objective:ratio", "20h", 0.95),
        about("slo:time_period:days", "20h", 7),
    )


def bucket(metric: str, bound: str, values: str) -> dict[str, str]:
    return series(f"{metric}_bucket", values, f'{SAME},le="{bound}"')


@pytest.mark.parametrize("bound", ["600", "600.0"])
def test_slow_runs_are_bad_whichever_way_prometheus_writes_the_bound(tmp_path: Path, bound: str) -> None:
    slo = {"name": "runs", "metric": "dagRunDuration", "objective": "90", "threshold": "10m"}
    metric = "airflow_dagrun_duration_success"
    check(
        tmp_path,
        slo,
        [
            series(f"{metric}_count", "_x9 1+1x39 40x60"),
            bucket(metric, bound, "_x9 1+1x29 30x70"),
            bucket(metric, "+Inf", "_x9 1+1x39 40x60"),
        ],
        about("slo:sli_error:ratio_rate1h", "1h5m", 0.25),
    )


def test_late_runs_are_bad(tmp_path: Path) -> None:
    slo = {"name": "runs", "metric": "scheduleDelay", "objective": "90", "threshold": "1m"}
    metric = "airflow_dagrun_schedule_delay"
    check(
        tmp_path,
        slo,
        [series(f"{metric}_count", "_x9 1+1x39 40x60"), bucket(metric, "60", "_x9 1+1x19 20x80")],
        about("slo:sli_error:ratio_rate1h", "1h5m", 0.5),
    )


@pytest.mark.parametrize(
    ("metric", "bad", "good"),
    [
        ("taskSuccess", "airflow_ti_failures", "airflow_ti_successes"),
        (
            "deadlines",
            "airflow_deadline_alerts_deadline_missed",
            "airflow_deadline_alerts_deadline_not_missed",
        ),
    ],
)
def test_bad_and_good_events_have_counters_of_their_own(
    tmp_path: Path, metric: str, bad: str, good: str
) -> None:
    slo = {"name": "runs", "metric": metric, "objective": "90"}
    check(
        tmp_path,
        slo,
        [series(bad, "_x9 1+1x9 10x60"), series(good, "_x9 1+1x29 30x60")],
        about("slo:sli_error:ratio_rate1h", "1h5m", 0.25),
    )


def test_another_tenant_s_and_another_dag_s_failures_do_not_count(tmp_path: Path) -> None:
    foreign = 'airflow_dagrun_duration_failed_count{tenant="b",namespace="airflow-b",dag_id="settlement"}'
    check(
        tmp_path,
        RUNS,
        [
            succeeded("_x9 1+1x39 40x60"),
            failed("_x9 1+1x39 40x60", 'dag_id="other",pod="statsd-1"'),
            {"series": foreign, "values": "_x9 1+1x39 40x60"},
        ],
        about("slo:sli_error:ratio_rate1h", "1h5m", 0),
    )


def test_an_objective_that_sees_no_event_for_a_week_is_told(tmp_path: Path) -> None:
    check(tmp_path, RUNS, [], firing(ABSENT, "5d", 0), firing(ABSENT, "7d1h", 1), every="10m")


@pytest.mark.parametrize(("paused", "told"), [("true", 0), ("false", 1)])
def test_nobody_asks_a_paused_tenant_for_events(tmp_path: Path, paused: str, told: int) -> None:
    info = {"series": f'airflow_tenant_info{{{PLACE},team="pay",paused="{paused}"}}', "values": "1x1020"}
    check(tmp_path, RUNS, [info], firing(ABSENT, "7d1h", told), every="10m")


def resting(values: str) -> dict[str, str]:
    return {
        "series": f'airflow_tenant_info{{{PLACE},team="pay",paused="false",state="Hibernated"}}',
        "values": values,
    }


def test_a_tenant_at_rest_is_asked_for_no_event_and_waking_it_has_a_week(tmp_path: Path) -> None:
    asleep = [firing(ABSENT, "7d1h", 0), firing(ABSENT, "13d", 0)]
    rested = [firing(ABSENT, "15d", 0), firing(ABSENT, "21d", 1)]
    check(tmp_path, RUNS, [resting("1x1872 stale")], *asleep, *rested, every="10m")  # 13 days


def test_who_rests_every_night_is_told_of_an_objective_without_events(tmp_path: Path) -> None:
    nights = " ".join(["_x71 1x71 stale"] * 8)  # twelve hours each, ten minutes a step
    check(tmp_path, RUNS, [resting(nights)], firing(ABSENT, "7d1h", 1), every="10m")


def test_nobody_is_paged_for_a_tenant_at_rest(tmp_path: Path) -> None:
    """It failed until it was put to rest, and the windows look back for days."""
    given = [failed(step(60, 1)), succeeded("1x200"), resting("_x40 1x80 stale")]
    check(tmp_path, RUNS, given, firing(FAST, "39m", 1), firing(FAST, "41m", 0), firing(FAST, "100m", 0))


def test_a_weekly_dag_is_not_called_silent(tmp_path: Path) -> None:
    """Its histogram expires 26 hours after the run and comes back with 1."""
    check(tmp_path, RUNS, [succeeded("1x156 _x700 1x300")], firing(ABSENT, "7d1h", 0), every="10m")
