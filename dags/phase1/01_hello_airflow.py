"""
# Hello, Airflow

The smallest DAG that is complete: a night's order load as a line of placeholders.

`open_day >> extract_orders >> load_orders >> close_day`

**What it shows**

- `with DAG(...)`: every operator created inside the block belongs to the DAG.
- `a >> b`: b starts when a has succeeded. Nothing else decides the order, neither lines nor names.
- `EmptyOperator`: a task without work. The scheduler marks it as done and starts no process for it.
- `default_args`: settings that every task gets unless it brings its own.
- `schedule=None`: the DAG runs only when somebody triggers it.

**When to use it**

To agree on a pipeline's shape before there is code, as the file that a new DAG is copied from, or to check
that an installation picks DAGs up and runs them.

**When not**

For real work: an `EmptyOperator` never runs anything, so it has no log either.

**What to change**

`dag_id`, `tags` and `owner` first; then replace one placeholder after the other by a task that works.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

with DAG(
    dag_id="phase1_01_hello_airflow",
    description="The smallest complete DAG: four placeholders in a line",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=10),
    default_args={
        "owner": "platform",
        "retries": 1,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=5),
    },
    tags=["phase1", "basics"],
):
    open_day = EmptyOperator(task_id="open_day")
    extract_orders = EmptyOperator(task_id="extract_orders")
    load_orders = EmptyOperator(task_id="load_orders")
    close_day = EmptyOperator(task_id="close_day")

    open_day >> extract_orders >> load_orders >> close_day
