"""The branch follows the day that the run is about."""

from __future__ import annotations

import datetime

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "conditional_branching"
FRIDAY = datetime.datetime(2026, 3, 6, tzinfo=datetime.UTC)
SATURDAY = datetime.datetime(2026, 3, 7, tzinfo=datetime.UTC)


@pytest.mark.covers("D000-2")
def test_it_is_scheduled_daily():
    assert bag().dags[DAG_ID].schedule == "@daily"


@pytest.mark.covers("D000-2")
def test_a_friday_is_processed():
    done = run(DAG_ID, logical_date=FRIDAY)
    assert done.states == {"check_weekday": "success", "process_data_task": "success", "skip_task": "skipped"}
    assert done.xcom("process_data_task") == {"day": "2026-03-06", "file": "settlements/2026-03-06.csv"}


@pytest.mark.covers("D000-2")
def test_a_saturday_is_not():
    done = run(DAG_ID, logical_date=SATURDAY)
    assert done.states == {"check_weekday": "success", "process_data_task": "skipped", "skip_task": "success"}
    assert done.state == "success"


@pytest.mark.covers("D000-2")
@pytest.mark.parametrize(("moment", "chosen"), [(FRIDAY, "process_data_task"), (SATURDAY, "skip_task")])
def test_a_run_without_logical_date_takes_the_day_from_which_it_may_run(moment, chosen):
    done = run(DAG_ID, logical_date=None, run_after=moment)
    assert done.logical_date is None
    assert done.of("success") == {"check_weekday", chosen}
