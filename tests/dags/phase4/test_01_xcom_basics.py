"""Small messages between tasks."""

from __future__ import annotations

import datetime
import json

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "phase4_01_xcom_basics"
MARCH_2 = datetime.datetime(2026, 3, 2, tzinfo=datetime.UTC)
LIMIT = 48 * 1024  # bytes


@pytest.mark.covers("P04.1")
def test_the_consumer_pulled_from_both_tasks_in_the_order_of_the_ids():
    done = run(DAG_ID)
    assert done.state == "success"
    assert done.xcom("compare_tables") == "orders and customers: 10 rows"


@pytest.mark.covers("P04.1")
def test_named_keys_stand_beside_the_return_value():
    done = run(DAG_ID, logical_date=MARCH_2)
    assert done.xcoms("measure_orders") == {
        "return_value": {"table": "orders", "rows": 6},
        "table": "orders",
        "measured_for": "2026-03-02",
    }


@pytest.mark.covers("P04.1")
def test_another_run_is_pulled_from_by_its_run_id(monkeypatch):
    from airflow_usecases import tables

    first = run(DAG_ID)
    assert first.xcom("compare_runs") == []
    monkeypatch.setattr(tables, "ORDERS", tables.ORDERS[:4])
    second = run(DAG_ID, conf={"baseline_run_id": first.run_id})
    assert second.xcom("compare_runs") == ["orders: 6 -> 4 rows", "customers: 4 -> 4 rows"]


@pytest.mark.covers("P04.1")
def test_a_run_of_another_dag_can_be_pulled_from_too():
    other = run("phase2_02_taskflow_api")
    done = run(DAG_ID, conf={"baseline_run_id": other.run_id, "baseline_dag_id": other.dag_id})
    assert done.of("failed") == {"compare_runs"}  # that run measured nothing: it says so


def test_a_run_id_that_does_not_exist_is_no_empty_result():
    done = run(DAG_ID, conf={"baseline_run_id": "manual__never"})
    assert done.of("failed") == {"compare_runs"}


@pytest.mark.covers("P04.1")
def test_every_stored_message_is_below_48_kilobytes():
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    done = run(DAG_ID)
    with create_session() as session:
        rows = session.scalars(select(XComModel).where(XComModel.run_id == done.run_id)).all()
        sizes = {(row.task_id, row.key): len(json.dumps(row.value).encode()) for row in rows}
    assert len(sizes) == 8
    assert max(sizes.values()) < LIMIT


def test_a_pull_makes_no_dependency_so_the_dag_states_it():
    dag = bag().dags[DAG_ID]
    assert dag.get_task("compare_tables").upstream_task_ids == {"measure_orders", "measure_customers"}
    assert dag.get_task("compare_runs").upstream_task_ids == {"compare_tables"}
