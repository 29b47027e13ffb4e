"""The classic PythonOperator."""

from __future__ import annotations

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "phase3_02_python_operator"


@pytest.mark.covers("P03.2")
def test_the_xcom_holds_the_arguments_and_the_run_id_of_the_context():
    done = run(DAG_ID)
    assert done.state == "success"
    assert done.xcom("convert_amounts") == {
        "amounts": ["10.00", "249.00", "0.05"],
        "currency": "CHF",
        "rate": "1.08",
        "euros": ["10.80", "268.92", "0.05"],
        "run_id": done.run_id,
    }


@pytest.mark.covers("P03.2")
def test_keyword_arguments_are_templates():
    done = run(DAG_ID, conf={"rate": "2"})
    assert done.xcom("convert_amounts")["rate"] == "2"
    assert done.xcom("convert_amounts")["euros"] == ["20.00", "498.00", "0.10"]


@pytest.mark.covers("P03.2")
def test_the_whole_context_reaches_a_callable_that_asks_for_it():
    done = run(DAG_ID)
    assert done.xcom("write_receipt") == f"3 amounts from CHF at 1.08 by {done.run_id}"


def test_both_tasks_are_classic_operators():
    assert {task.task_type for task in bag().dags[DAG_ID].tasks} == {"PythonOperator"}


def test_a_rate_that_is_no_number_is_refused_before_a_task_runs():
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError):
        run(DAG_ID, conf={"rate": "a lot"})
