"""Cron, presets and the interval timetable: what Airflow's scheduler makes of each."""

from __future__ import annotations

import ast
import datetime
import re

import pendulum
import pytest
import time_machine
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "phase2_01_scheduled_dag"
NOW = datetime.datetime(2026, 3, 5, 12, 10, tzinfo=datetime.UTC)  # a Thursday
INTERVAL = 'CronDataIntervalTimetable("30 6 * * 1-5", timezone="UTC")'


def documented() -> dict[str, str]:
    """First column of the documentation's table -> its third."""
    rows = re.findall(r"^\| `(.+?)` \| .+ \| (.+) \|$", bag().dags[DAG_ID].doc_md, re.MULTILINE)
    return {expression: interval for expression, interval in rows if expression != "schedule="}


def schedule_of(expression: str):
    """The object that the documented expression stands for."""
    from airflow.sdk import CronDataIntervalTimetable

    if expression == INTERVAL:
        return CronDataIntervalTimetable("30 6 * * 1-5", timezone="UTC")
    return ast.literal_eval(expression)


def next_runs(schedule, count: int = 3):
    """The next runs that the scheduler would make of a DAG that has just been deployed."""
    from airflow.sdk import DAG
    from airflow.serialization.serialized_objects import DagSerialization

    dag = DAG("probe", schedule=schedule, start_date=pendulum.datetime(2024, 1, 1, tz="UTC"), catchup=False)
    return runs_of(DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag)), count)


def runs_of(scheduled, count: int = 3):
    last, found = None, []
    while len(found) < count:
        info = scheduled.next_dagrun_info(last_automated_run_info=last)
        if info is None:
            break
        found.append(info)
        last = info
    return found


def times_of(runs):
    return [info.run_after.strftime("%a %d %H:%M") for info in runs]


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)


@pytest.mark.covers("P02.1")
def test_the_dag_has_a_cron_trigger_timetable_no_catchup_and_one_run_at_a_time():
    from airflow.sdk import CronTriggerTimetable

    dag = bag().dags[DAG_ID]
    assert type(dag.timetable) is CronTriggerTimetable
    assert dag.timetable.expression == "30 6 * * 1-5"
    assert dag.catchup is False
    assert dag.max_active_runs == 1


@pytest.mark.covers("P02.1")
@time_machine.travel(NOW, tick=False)
def test_the_newest_missed_tick_runs_at_once_and_the_next_ones_skip_the_weekend():
    from airflow.serialization.serialized_objects import DagSerialization

    dag = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(bag().dags[DAG_ID]))
    runs = runs_of(dag)
    assert times_of(runs) == ["Thu 05 06:30", "Fri 06 06:30", "Mon 09 06:30"]
    for info in runs:
        assert info.data_interval.start == info.data_interval.end == info.logical_date == info.run_after


@pytest.mark.covers("P02.1")
@pytest.mark.parametrize(
    ("expression", "timetable", "times"),
    [
        ('"30 6 * * 1-5"', "CronTriggerTimetable", ["Thu 05 06:30", "Fri 06 06:30", "Mon 09 06:30"]),
        ('"@once"', "OnceTimetable", ["Mon 01 00:00"]),  # the start date, 2024-01-01
        ('"@hourly"', "CronTriggerTimetable", ["Thu 05 12:00", "Thu 05 13:00", "Thu 05 14:00"]),
        ('"@daily"', "CronTriggerTimetable", ["Thu 05 00:00", "Fri 06 00:00", "Sat 07 00:00"]),
        ('"@weekly"', "CronTriggerTimetable", ["Sun 01 00:00", "Sun 08 00:00", "Sun 15 00:00"]),
    ],
)
@time_machine.travel(NOW, tick=False)
def test_each_documented_schedule_has_these_next_run_times_and_an_empty_interval(
    expression, timetable, times
):
    from airflow.sdk import DAG

    assert documented()[expression].startswith("empty")
    dag = DAG("probe", schedule=schedule_of(expression), start_date=pendulum.datetime(2024, 1, 1, tz="UTC"))
    assert type(dag.timetable).__name__ == timetable
    runs = next_runs(schedule_of(expression))
    assert times_of(runs) == times
    for info in runs:
        assert info.data_interval.start == info.data_interval.end


@time_machine.travel(NOW, tick=False)
def test_every_documented_schedule_is_proven_here():
    assert set(documented()) == {'"30 6 * * 1-5"', '"@once"', '"@hourly"', '"@daily"', '"@weekly"', INTERVAL}


@pytest.mark.covers("P02.1")
@time_machine.travel(NOW, tick=False)
def test_the_interval_timetable_has_the_same_ticks_but_covers_the_time_since_the_tick_before():
    assert documented()[INTERVAL] == "last tick to this one"
    runs = next_runs(schedule_of(INTERVAL))
    assert [(info.data_interval.start, info.run_after) for info in runs] == [
        (at("2026-03-04T06:30"), at("2026-03-05T06:30")),  # the tick that is just over
        (at("2026-03-05T06:30"), at("2026-03-06T06:30")),
        (at("2026-03-06T06:30"), at("2026-03-09T06:30")),  # Monday's run carries Friday's date
    ]
    for info in runs:
        assert info.logical_date == info.data_interval.start
        assert info.run_after == info.data_interval.end


def test_the_old_argument_schedule_interval_does_not_exist():
    from airflow.sdk import DAG

    with pytest.raises(TypeError, match="schedule_interval"):
        DAG("probe", schedule_interval="@daily")


@pytest.mark.covers("P02.1")
def test_a_monday_run_reports_on_the_whole_weekend():
    done = run(DAG_ID, logical_date=at("2026-03-09T06:30"))
    assert done.state == "success"
    assert done.xcom("choose_report_days") == {"first_day": "2026-03-06", "last_day": "2026-03-08", "days": 3}
    assert done.xcom("build_report") == "sales_2026-03-06_2026-03-08"


def test_a_run_without_logical_date_uses_the_time_at_which_it_was_due():
    done = run(DAG_ID, logical_date=None, run_after=at("2026-03-04T09:00"))
    assert done.logical_date is None
    assert done.xcom("choose_report_days") == {"first_day": "2026-03-03", "last_day": "2026-03-03", "days": 1}
