"""
# PythonOperator: the classic way to run a function

Amounts of a foreign shop are converted into euros, and a receipt says which run did it.

**What it shows**

- `op_args` and `op_kwargs`: positional and keyword arguments. Both are templates: `{{ params.rate }}` is
  replaced before the call.
- The context: a parameter that is named like a context value (`run_id`, `ti`, `dag_run`, `params`) gets it,
  and `**context` gets all of them. Nothing has to be switched on for that.
- The return value is the XCom `return_value`; the next task pulls it by task id.

**When to use it**

In old DAGs, and where a callable is handed over from elsewhere (a factory, a library) and cannot be
decorated.

**When not**

In new code: `@task` does the same with less, and its arguments carry the dependencies
(`phase2_02_taskflow_api`).

**What to change**

`python_callable`. It must be a named function: a lambda has no name for the log and cannot be tested alone.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Param

from airflow_usecases import sales

if TYPE_CHECKING:
    from airflow.sdk import Context


def convert(amounts: list[str], currency: str, *, rate: str, run_id: str) -> dict[str, Any]:
    """Convert `amounts`: positional from op_args, `rate` from op_kwargs, `run_id` from the context."""
    return {
        "amounts": amounts,
        "currency": currency,
        "rate": rate,
        "euros": sales.convert(amounts, rate),
        "run_id": run_id,
    }


def describe(**context: Any) -> str:
    """One line for the accountant; takes everything from the context."""
    run: Context = context  # type: ignore[assignment]
    result = run["ti"].xcom_pull(task_ids="convert_amounts")
    return f"{len(result['euros'])} amounts from {result['currency']} at {result['rate']} by {run['run_id']}"


with DAG(
    dag_id="phase3_02_python_operator",
    description="PythonOperator: arguments, context, return value",
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
        "rate": Param("1.08", type="string", pattern=r"^\d+(\.\d+)?$", description="Euros for one franc")
    },
    tags=["phase3", "python"],
):
    convert_amounts = PythonOperator(
        task_id="convert_amounts",
        python_callable=convert,
        op_args=[["10.00", "249.00", "0.05"], "CHF"],
        op_kwargs={"rate": "{{ params.rate }}"},
    )
    write_receipt = PythonOperator(task_id="write_receipt", python_callable=describe)

    convert_amounts >> write_receipt
