"""
# DAGs that can be tested

Invoices out of order lines. What matters here is where the code is, and which test finds which mistake.

**What it shows**

- *Logic apart*: discounts, tax and rounding are in `airflow_usecases/invoices.py`, without Airflow. Their
  tests take milliseconds and cover every line. This file is wiring only.
- *Input from outside*: the lines are a param, so a test gives its own. No file, clock or network is hidden
  in a task.
- Four kinds of test, in the order in which they are cheap; see `tests/dags/phase11/test_01_dag_testing.py`:
  1. unit tests of the module, with the coverage measured,
  2. a task's function by itself: `load_lines.function(params)`,
  3. the file loads, without a cycle and with the intended edges: `airflow.dag_processing.dagbag.DagBag`,
  4. the whole run in one process: `dag.test()`, with states and XComs.

**When to use it**

For each DAG whose tasks decide anything.

**When not**

A DAG of ready-made operators has no logic of its own: tests 3 and 4 are enough.

**What to change**

Name the module after your topic. Its name must be unique in the bundle: all bundles of a process share
`sys.path`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import DAG, Param, task

from airflow_usecases import invoices

if TYPE_CHECKING:
    from airflow_usecases.invoices import Invoice, Line

LINES = [
    {"customer": "Ines", "country": "PT", "quantity": 10, "unit_price": "2.50"},
    {"customer": "Ines", "country": "PT", "quantity": 1, "unit_price": "99.99"},
    {"customer": "Mei", "country": "JP", "quantity": 3, "unit_price": "19.90"},
]


@task
def load_lines(params: dict[str, Any] | None = None) -> list[Line]:
    """Read the lines; Airflow fills an argument that has the name of a part of the context."""
    return list((params or {})["lines"])


@task(multiple_outputs=False)
def write_invoices(lines: list[Line]) -> dict[str, Invoice]:
    """One invoice for each customer."""
    return invoices.invoices(lines)


@task
def sum_invoices(of: dict[str, Invoice]) -> str:
    """What all customers pay."""
    return invoices.total(of)


with DAG(
    dag_id="phase11_01_dag_testing",
    description="A DAG made for tests: logic apart, input from outside",
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
    params={"lines": Param(LINES, type="array", items={"type": "object"})},
    tags=["phase11", "testing"],
):
    sum_invoices(write_invoices(load_lines()))
