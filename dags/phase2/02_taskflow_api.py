"""
# TaskFlow: functions as tasks

A day of orders: extract, price, summarise. Plain functions; the calls between them are the dependencies.

**What it shows**

- `@dag` makes a DAG of a function, `@task` a task. Calling a task inside a DAG runs nothing: it returns a
  reference to the later result. Passing this reference on creates the dependency *and* the XCom.
- `multiple_outputs=True`: each key of the returned dict is an XCom of its own, so that a consumer takes
  `priced["revenue"]` without the rest.
- `multiple_outputs=False`: one XCom. Without either, a dict or TypedDict as return type means True.
- The run's date: `get_current_context()["dag_run"]`. `logical_date` is empty when a run is triggered without
  one or by an asset, and then `ds` does not exist; `run_after` always exists.
- The arithmetic is in a module without Airflow, where it is tested without a run.

**When to use it**

Whenever a task is Python code. It is the default style of new DAGs.

**When not**

- An operator for the job exists (SQL, S3, Kubernetes): use it, and pass its `.output` to functions.
- The data is large: XComs go through the database. Write a file and pass its path.

**What to change**

`extract_orders`: read from your source. What it returns must be JSON and below 48 KB.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import dag, get_current_context, task

from airflow_usecases import sales

if TYPE_CHECKING:
    from airflow_usecases.sales import Order, Summary


@task
def choose_day() -> str:
    """The day of this run as ISO date."""
    dag_run = get_current_context()["dag_run"]
    return (dag_run.logical_date or dag_run.run_after).strftime("%Y-%m-%d")


@task
def extract_orders() -> list[Order]:
    """Read the orders of the day."""
    return list(sales.ORDERS)


@task(multiple_outputs=True)
def price_orders(orders: list[Order]) -> dict[str, Any]:
    """Price each order; pushes `amounts` and `revenue` as two XComs."""
    return sales.price_orders(orders)


@task(multiple_outputs=False)
def summarise_day(day: str, amounts: dict[str, str], revenue: str) -> Summary:
    """The day's figures, the result of this DAG."""
    return sales.summarise(day, amounts, revenue)


@dag(
    dag_id="phase2_02_taskflow_api",
    description="Functions as tasks; their arguments and results are XComs",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "platform",
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=5),
    },
    tags=["phase2", "taskflow"],
)
def summarise_orders() -> None:
    """Wire the tasks; runs at parse time."""
    priced = price_orders(extract_orders())
    summarise_day(choose_day(), priced["amounts"], priced["revenue"])


summarise_orders()
