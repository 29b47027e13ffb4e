"""Functions as tasks."""

from __future__ import annotations

import datetime

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

from airflow_usecases import sales

DAG_ID = "phase2_02_taskflow_api"
MARCH_2 = datetime.datetime(2026, 3, 2, 4, tzinfo=datetime.UTC)


def expected(day: str):
    priced = sales.price_orders(sales.ORDERS)
    return sales.summarise(day, priced["amounts"], priced["revenue"])


@pytest.mark.covers("P02.2")
def test_the_result_is_that_of_the_plain_functions():
    done = run(DAG_ID, logical_date=MARCH_2)
    assert done.state == "success"
    assert done.xcom("summarise_day") == expected("2026-03-02")
    assert done.xcom("summarise_day")["revenue"] == "476.00"


@pytest.mark.covers("P02.2")
def test_a_run_without_logical_date_takes_the_day_at_which_it_was_due():
    done = run(DAG_ID, logical_date=None, run_after=MARCH_2 - datetime.timedelta(days=1))
    assert done.state == "success"
    assert done.logical_date is None
    assert done.xcom("summarise_day") == expected("2026-03-01")


@pytest.mark.covers("P02.2")
def test_multiple_outputs_are_one_xcom_per_key():
    done = run(DAG_ID, logical_date=MARCH_2)
    priced = sales.price_orders(sales.ORDERS)
    pushed = done.xcoms("price_orders")
    assert set(pushed) == {"return_value", "amounts", "revenue"}
    assert pushed["amounts"] == priced["amounts"]
    assert pushed["return_value"] == priced


@pytest.mark.covers("P02.2")
def test_the_calls_are_the_dependencies():
    dag = bag().dags[DAG_ID]
    assert {task.task_id: task.upstream_task_ids for task in dag.tasks} == {
        "choose_day": set(),
        "extract_orders": set(),
        "price_orders": {"extract_orders"},
        "summarise_day": {"choose_day", "price_orders"},
    }
