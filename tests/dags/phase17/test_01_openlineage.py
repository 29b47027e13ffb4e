"""Lineage of the pricing step. The events are proven in the live Airflow."""

from __future__ import annotations

from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "phase17_01_openlineage"


def test_the_dag_runs_also_where_nobody_listens():
    done = run(DAG_ID)
    assert done.state == "success"
    assert done.xcom("price_orders") == {"rows": 6, "revenue": "476.00", "rejected": 0}


def test_the_dag_and_its_tasks_opt_in():
    dag = bag().dags[DAG_ID]
    assert dag.params["_selective_enable_ol"] is True
    assert all(task.params["_selective_enable_ol"] is True for task in dag.tasks)
