"""
# Task groups: order in large graphs

Two sources are loaded in the same way. Each is a group, and the checks in it are a group inside the group.

**What it shows**

- `@task_group`: a function that makes tasks; called twice it makes two groups.
- `TaskGroup("validate")` inside it: groups nest. In the graph each can be folded.
- Task ids carry the groups' ids: `load_orders.validate.check_columns`. The same name may occur in each group.
- Dependencies between groups: `open_day >> [orders, customers]` reaches the groups' first tasks, and what
  comes after a group waits for its last ones.
- `default_args` of a group count for its tasks and come before the DAG's: loads are retried three times.

**When to use it**

From about ten tasks on, or when a part repeats.

**When not**

- The number of repetitions is known only at run time: map the group (`phase4_04_dynamic_tasks`).
- To separate owners or schedules: those are properties of a DAG. Use two DAGs and an asset.

**What to change**

`load_source`. Renaming a group renames its tasks: they lose their history.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TaskGroup, task, task_group

from airflow_usecases import tables


@task
def extract_rows(source: str) -> int:
    """Read a source; returns how many rows it has."""
    return tables.measure(source)["rows"]


@task
def check_columns(source: str) -> str:
    """Check the columns of a source; returns its name."""
    return source


@task
def check_count(rows: int) -> int:
    """Give the number of rows on if there are any. Raises ValueError otherwise."""
    if rows < 1:
        raise ValueError("the source is empty")
    return rows


@task
def store_rows(source: str, rows: int) -> str:
    """Write a source that passed both checks."""
    return f"{source}: {rows}"


@task_group(default_args={"retries": 3})
def load_source(source: str) -> None:
    """Extract, validate and store one source."""
    rows = extract_rows(source)
    with TaskGroup("validate", tooltip="Both checks must pass"):
        name = check_columns(source)
        count = check_count(rows)
    rows >> name
    store_rows(name, count)


with DAG(
    dag_id="phase5_03_task_groups",
    description="Groups that repeat, and a group inside a group",
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
    tags=["phase5", "task_groups"],
):
    open_day = EmptyOperator(task_id="open_day")
    orders = load_source.override(group_id="load_orders")("orders")
    customers = load_source.override(group_id="load_customers")("customers")
    close_day = EmptyOperator(task_id="close_day")

    open_day >> [orders, customers] >> close_day
