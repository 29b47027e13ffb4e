"""
# Parallel tasks

Sales of three regions are counted side by side, two reports need all three, and one task publishes both.

**What it shows**

- Fan-out: `open_day >> [a, b, c]`. Three tasks wait for one; they run at the same time if slots are free.
- List to list: `[a, b, c] >> [x, y]` is an error in Python. `cross_downstream([a, b, c], [x, y])` makes
  x and y each wait for all of a, b and c.
- Fan-in: `[x, y] >> publish`. One task waits for all of its upstream tasks.

**When to use it**

When parts do not need each other's results: regions, tables, files of a fixed list.

**When not**

- The number of parts is known only at run time: use dynamic task mapping (`expand`).
- The parts compete for one resource, such as a database with few connections: give them a pool.

**What to change**

`REGIONS`. How much runs at once is bounded by `max_active_tasks` here, by pools, and by the executor. Trigger
with `{"work_seconds": 5}` and open the Gantt view: the bars of the regions lie above each other.
"""

from __future__ import annotations

import time
from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, cross_downstream, get_current_context, task

from airflow_usecases.sales import sales_of_region

REGIONS = ("north", "south", "west")


@task
def count_sales(region: str) -> int:
    """Count the sales of one region; `work_seconds` stands for the time that a real query needs."""
    time.sleep(get_current_context()["params"]["work_seconds"])
    return len(sales_of_region(region))


with DAG(
    dag_id="phase1_02_parallel_tasks",
    description="Fan-out over regions, list-to-list dependencies, fan-in",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    max_active_tasks=4,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "platform",
        "retries": 1,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=5),
    },
    params={
        "work_seconds": Param(
            0, type="number", minimum=0, maximum=60, description="How long the work of one region takes"
        )
    },
    tags=["phase1", "parallel"],
):
    open_day = EmptyOperator(task_id="open_day")
    regions = [count_sales.override(task_id=f"count_sales_{region}")(region) for region in REGIONS]
    reports = [EmptyOperator(task_id="build_sales_report"), EmptyOperator(task_id="build_stock_report")]
    publish_reports = EmptyOperator(task_id="publish_reports")

    open_day >> regions
    cross_downstream(regions, reports)
    reports >> publish_reports
