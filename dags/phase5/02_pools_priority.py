"""
# Pools and priorities: sharing a scarce resource

Four tables are written into a warehouse that bears two writers at a time; the most important one goes first.

**What it shows**

- `pool="warehouse_writes"`: a task needs free slots of the pool to start, in whatever DAG it is. The pool
  has 2.
- `pool_slots=2`: `rebuild_report` is heavy and takes both slots: it runs alone.
- `priority_weight`: of the tasks that wait for a slot, the one with the highest weight starts first.
- `weight_rule="absolute"`: the weight is the number written here. The default, `downstream`, adds the
  weights of all tasks that come after, so that the order depends on the DAG's shape.

**When to use it**

A limit that holds over several DAGs: a database's connections, licences, an API's quota.

**When not**

- A limit within one DAG: `max_active_tasks`, `max_active_tis_per_dag`.
- To order tasks that depend on each other: `>>`. A weight only decides who goes first when slots are short.

**What to change**

The pool's name and size. The pool must exist before the DAG runs: a task in a pool that does not exist,
or one that needs more slots than the pool has, waits for ever and nothing fails. Trigger with
`{"work_seconds": 5}` and look at the Gantt view.
"""

from __future__ import annotations

import time
from datetime import timedelta

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task

POOL = "warehouse_writes"
WEIGHTS = {"orders": 40, "stock": 30, "customers": 20, "returns": 10}


@task(pool=POOL, weight_rule="absolute")
def refresh_table(table: str) -> str:
    """Write one table; `work_seconds` stands for the time that this takes."""
    time.sleep(get_current_context()["params"]["work_seconds"])
    return table


@task(pool=POOL, pool_slots=2)
def rebuild_report() -> str:
    """Needs the whole warehouse."""
    return "report"


with DAG(
    dag_id="phase5_02_pools_priority",
    description="A pool of two slots, a task that needs both, and who goes first",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args={
        "owner": "platform",
        "retries": 1,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=5),
    },
    params={
        "work_seconds": Param(
            0, type="number", minimum=0, maximum=60, description="How long the work on one table takes"
        )
    },
    tags=["phase5", "pools"],
):
    refreshed = [
        # dag-lint: ignore[L-37] reason: this DAG shows weights; its pool is shared with no other DAG
        refresh_table.override(task_id=f"refresh_{table}", priority_weight=weight)(table)
        for table, weight in WEIGHTS.items()
    ]

    refreshed >> rebuild_report()
