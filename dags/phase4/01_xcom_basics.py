"""
# XCom: small messages between tasks

Two tables are measured, a third task compares them, a fourth compares this run with an earlier one.

**What it shows**

- A return value is the XCom `return_value`.
- `ti.xcom_push(key, value)`: an XCom of its own name. Each measuring task pushes `table` and `measured_for`.
- `ti.xcom_pull(task_ids=[a, b], key=...)`: a list, in the order of the ids.
- `ti.xcom_pull(task_ids, dag_id=..., run_id=...)`: from another run, also of another DAG. Without
  `run_id` a pull sees its own run only, whatever `dag_id` says.
- A pull creates no dependency. The `>>` is needed, or the consumer may run first and get `None`.

**When to use it**

For facts about data: a path, a row count, a date, an id.

**When not**

For the data itself. An XCom is a row in Airflow's database that every reader loads: keep it below 48 KB.
Write large results to storage and pass the path, or install an object storage backend for XComs.

**What to change**

`MEASURES`. To compare with an earlier run, trigger with `{"baseline_run_id": "<its run id>"}`.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task

from airflow_usecases.tables import Measure, changes, measure, total_rows

log = logging.getLogger(__name__)
MEASURES = ("measure_orders", "measure_customers")


@task(multiple_outputs=False)  # or each key of the result would be one more XCom
def measure_table(table: str) -> Measure:
    """Measure a table; the result is the return value, its name and day are two XComs of their own."""
    context = get_current_context()
    day = (context["dag_run"].logical_date or context["dag_run"].run_after).strftime("%Y-%m-%d")
    context["ti"].xcom_push(key="table", value=table)
    context["ti"].xcom_push(key="measured_for", value=day)
    return measure(table)


@task
def compare_tables() -> str:
    """Pull from both measuring tasks: once the return values, once a named key."""
    ti = get_current_context()["ti"]
    measures = ti.xcom_pull(task_ids=list(MEASURES))
    tables = ti.xcom_pull(task_ids=list(MEASURES), key="table")
    return f"{' and '.join(tables)}: {total_rows(measures)} rows"


@task
def compare_runs() -> list[str]:
    """What changed since the run `baseline_run_id`; empty without one."""
    context: Any = get_current_context()
    run_id = context["params"]["baseline_run_id"]
    if not run_id:
        log.info("no run to compare with")
        return []
    ti, dag_id = context["ti"], context["params"]["baseline_dag_id"]
    before = ti.xcom_pull(task_ids=list(MEASURES), dag_id=dag_id, run_id=run_id)
    now = ti.xcom_pull(task_ids=list(MEASURES))
    return changes(before, now)


with DAG(
    dag_id="phase4_01_xcom_basics",
    description="Push, pull, named keys, several tasks, other runs",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "platform",
        "retries": 1,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=5),
    },
    params={
        "baseline_run_id": Param("", type="string", description="Run to compare with; empty: none"),
        "baseline_dag_id": Param("phase4_01_xcom_basics", type="string", description="The DAG of that run"),
    },
    tags=["phase4", "xcom"],
):
    measures = [
        measure_table.override(task_id="measure_orders")("orders"),
        measure_table.override(task_id="measure_customers")("customers"),
    ]

    measures >> compare_tables() >> compare_runs()
