"""
# A database: transactions and checks in SQL

A day's orders go into PostgreSQL: two tables in one transaction, then the database itself checks what it got,
and only a checked day is published.

**What it shows**

- `SQLExecuteQueryOperator` for plain statements with parameters, `PostgresHook` where code decides.
- A transaction: `load_orders` writes `orders` and `daily_revenue`, then commits once. An error rolls both
  back. Try it: trigger with two orders of the same `order_id`; both tables keep what they had.
- Idempotent: the day is deleted and written anew in that transaction, so a retry changes nothing.
- `SQLColumnCheckOperator` and `SQLTableCheckOperator` run *in* the database, on the run's day only
  (`partition_clause`). Try it: a negative amount fails `check_columns`, and the day is not published.
- Checks do not retry: wrong data stays wrong (`retry_on_failure=False`).

**When to use it**

Loads whose result others read while you write.

**When not**

Many rows: use the database's bulk load (`COPY`) into a staging table and move them inside it.

**What to change**

The connection `postgres_conn`, the tables in `airflow_usecases/orders_db.py`, and the param `orders`, in
place of which you read your source.
"""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task

from airflow_usecases import orders_db
from airflow_usecases.optional_providers import missing_provider
from airflow_usecases.run_dates import run_day

try:
    from airflow.providers.common.sql.operators.sql import (
        SQLColumnCheckOperator,
        SQLExecuteQueryOperator,
        SQLTableCheckOperator,
    )
except ModuleNotFoundError:
    SQLColumnCheckOperator = SQLExecuteQueryOperator = SQLTableCheckOperator = missing_provider(
        "apache-airflow-providers-common-sql"
    )

CONNECTION = "postgres_conn"
DAY = "{{ (dag_run.logical_date or dag_run.run_after).strftime('%Y-%m-%d') }}"


@task
def load_orders() -> int:
    """Write the day in one transaction; the number of orders."""
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    context = get_current_context()
    with closing(PostgresHook(CONNECTION).get_conn()) as connection:
        return orders_db.replace_day(connection, run_day(context["dag_run"]), context["params"]["orders"])


with DAG(
    dag_id="phase9_01_database_integration",
    description="Orders into PostgreSQL in one transaction, checked by the database, then published",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "platform",
        "retries": 2,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(minutes=10),
    },
    params={
        "orders": Param(list(orders_db.SAMPLE), type="array", items={"type": "object"}, description="The day")
    },
    tags=["phase9", "database"],
):
    create_tables = SQLExecuteQueryOperator(
        task_id="create_tables", conn_id=CONNECTION, sql=list(orders_db.TABLES)
    )
    check_columns = SQLColumnCheckOperator(
        task_id="check_columns",
        conn_id=CONNECTION,
        table="orders",
        partition_clause=f"day = '{DAY}'",
        column_mapping={
            "customer": {"null_check": {"equal_to": 0}},
            "order_id": {"unique_check": {"equal_to": 0}},
            "amount": {"min": {"geq_to": 0}, "max": {"leq_to": 10_000}},
        },
        retry_on_failure=False,
    )
    check_day = SQLTableCheckOperator(
        task_id="check_day",
        conn_id=CONNECTION,
        table="orders",
        partition_clause=f"day = '{DAY}'",
        checks={
            "has_orders": {"check_statement": "COUNT(*) >= 1"},
            "matches_revenue": {
                "check_statement": f"SUM(amount) = (SELECT amount FROM daily_revenue WHERE day = '{DAY}')"  # noqa: S608 - a date
            },
        },
        retry_on_failure=False,
    )
    publish_day = SQLExecuteQueryOperator(
        task_id="publish_day",
        conn_id=CONNECTION,
        sql="UPDATE daily_revenue SET published = true WHERE day = %(day)s",
        parameters={"day": DAY},
    )
    create_tables >> load_orders() >> [check_columns, check_day] >> publish_day
