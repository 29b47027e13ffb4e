"""
# The daily sales report

Revenue by region of yesterday, as a CSV file and as a mail to sales.

**What it shows**

- A query with a **parameter** for the day; nothing is put together by string.
- The report is a file of its own per day; the mail carries the totals and the path.
- `EmailOperator` on the connection `smtp_default`; the receiver is the Variable `analytics_report_receiver`.

**When to use it**

People who want the figures in their mailbox.

**When not**

Interactive questions: give them a dashboard.

**What to change**

The query, the Variable, and `report_folder`.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pendulum
from airflow.providers.smtp.operators.smtp import EmailOperator
from airflow.sdk import DAG, Param, get_current_context, task

from airflow_usecases import sales_report
from airflow_usecases.run_dates import run_moment

if TYPE_CHECKING:
    from airflow_usecases.sales_report import Report

QUERY = """
    SELECT region, COUNT(*), SUM(amount) FROM sales
    WHERE sold_at >= %(day)s::date AND sold_at < %(day)s::date + 1
    GROUP BY region ORDER BY region
"""


@task
def build_report() -> Report:
    """Query the day before the run, write the CSV; returns totals and path."""
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    context = get_current_context()
    day = (run_moment(context["dag_run"]) - timedelta(days=1)).strftime("%Y-%m-%d")
    rows = PostgresHook(postgres_conn_id="warehouse").get_records(QUERY, parameters={"day": day})
    return sales_report.write(Path(context["params"]["report_folder"]), day, rows)


with DAG(
    dag_id="analytics_report_daily_sales",
    description="Revenue by region of yesterday, as CSV and by mail",
    doc_md=__doc__,
    schedule="0 7 * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args={
        "owner": "analytics",
        "retries": 2,
        "retry_delay": timedelta(minutes=5),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=20),
        "execution_timeout": timedelta(minutes=15),
    },
    params={"report_folder": Param("/data/reports", type="string")},
    tags=["analytics", "reporting", "sales"],
):
    report = build_report()
    send_report = EmailOperator(
        task_id="send_report",
        conn_id="smtp_default",
        to="{{ var.value.analytics_report_receiver }}",
        subject="Sales of {{ ti.xcom_pull(task_ids='build_report')['day'] }}",
        html_content=(
            "{% set report = ti.xcom_pull(task_ids='build_report') %}"
            "<p>{{ report['sales'] }} sales, {{ report['revenue'] }} in {{ report['regions'] }} regions.</p>"
            "<p>{{ report['path'] }}</p>"
        ),
    )
    report >> send_report
