"""Waiting for the matching run of another DAG."""

from __future__ import annotations

import datetime

import pytest
from tests.dags.library import bag

from airflow_usecases import alignment

DAG_ID = "phase13_01_external_task_sensor"
CHILDREN = {f"{DAG_ID}__child_ledger", f"{DAG_ID}__child_rates"}


def test_the_report_waits_for_both_upstream_dags():
    dag = bag().dags[DAG_ID]
    assert dag.get_task("build_report").upstream_task_ids == {"wait_for_ledger", "wait_for_rates"}
    waits = {dag.get_task(name).external_dag_id for name in ("wait_for_ledger", "wait_for_rates")}
    assert waits == CHILDREN


def test_one_sensor_uses_a_delta_the_other_a_date_function():
    dag = bag().dags[DAG_ID]
    ledger, rates = dag.get_task("wait_for_ledger"), dag.get_task("wait_for_rates")
    assert ledger.execution_delta == datetime.timedelta(hours=4)
    assert rates.execution_date_fn is alignment.latest_fixing
    assert rates.external_task_ids == ["fix_rates"]


def test_a_sensor_ends_by_itself_and_holds_no_worker_while_it_waits():
    dag = bag().dags[DAG_ID]
    ledger, rates = dag.get_task("wait_for_ledger"), dag.get_task("wait_for_rates")
    for sensor in (ledger, rates):
        assert sensor.timeout == 3 * 3600
        assert "failed" in sensor.failed_states
        assert sensor.retries == 0
    assert ledger.deferrable
    assert rates.mode == "reschedule"
    assert rates.poke_interval == 60


@pytest.mark.parametrize("month", [1, 7])
def test_the_schedules_and_the_dates_fit_in_winter_and_in_summer(month):
    """The date that each sensor asks for is a tick of the upstream DAG's own timetable."""
    dags = bag().dags
    logical_date = datetime.datetime(2026, month, 13, 6, tzinfo=datetime.UTC)
    asked = {
        f"{DAG_ID}__child_ledger": logical_date - alignment.LEDGER_LEAD,
        f"{DAG_ID}__child_rates": alignment.latest_fixing(logical_date),
    }
    from airflow.serialization.encoders import coerce_to_core_timetable
    from pendulum import instance

    for dag_id, date in asked.items():
        timetable = coerce_to_core_timetable(dags[dag_id].timetable)
        assert timetable._align_to_prev(instance(date)) == date
