"""
# Branching: one of several ways

A parcel is shipped by one of two carriers and gets the papers it needs, which may be none.

**What it shows**

- `BranchPythonOperator`: the callable returns the id of the task to go on with; its siblings are skipped.
- `@task.branch`: the same for a decorated function. It returns a *list* of ids here, and an empty list
  skips all.
- A skip travels: what comes after a skipped task is skipped too, if its trigger rule is `all_success`.
  Both joins have `none_failed_min_one_success` instead: they run if one way was taken and none failed.
- `send_parcel` must also run if no papers were needed: there the branch returns the join's own id.

**When to use it**

When the next step depends on data that is known only at run time.

**When not**

- Only "go on or stop": `@task.short_circuit`, or raise `AirflowSkipException`.
- The ways differ by one parameter: an `if` inside one task.

**What to change**

The rules in `airflow_usecases/routing.py`. The ids that a branch returns must be direct downstream tasks
of it.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import BranchPythonOperator
from airflow.sdk import DAG, Param, get_current_context, task

from airflow_usecases import routing

JOIN = "none_failed_min_one_success"


@task.branch
def choose_papers() -> list[str]:
    """All papers that the parcel needs; without any, straight on to sending it."""
    params = get_current_context()["params"]
    return routing.papers(params["value"], params["country"]) or ["send_parcel"]


with DAG(
    dag_id="phase4_02_branching",
    description="Choose a carrier and papers by an order's value and country; join afterwards",
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
        "value": Param(
            "49.90", type="string", pattern=r"^\d+\.\d\d$", description="Worth of the order, euros"
        ),
        "country": Param("AT", type="string", minLength=2, maxLength=2, description="Destination"),
    },
    tags=["phase4", "branching"],
):
    choose_carrier = BranchPythonOperator(
        task_id="choose_carrier",
        python_callable=routing.carrier,
        op_args=["{{ params.value }}"],
    )
    ship_standard = EmptyOperator(task_id="ship_standard")
    ship_express = EmptyOperator(task_id="ship_express")
    book_carrier = EmptyOperator(task_id="book_carrier", trigger_rule=JOIN)
    print_customs_form = EmptyOperator(task_id="print_customs_form")
    insure_parcel = EmptyOperator(task_id="insure_parcel")
    send_parcel = EmptyOperator(task_id="send_parcel", trigger_rule=JOIN)

    papers = choose_papers()
    choose_carrier >> [ship_standard, ship_express] >> book_carrier >> papers
    papers >> [print_customs_form, insure_parcel, send_parcel]
    [print_customs_form, insure_parcel] >> send_parcel
