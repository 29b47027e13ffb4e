"""
# Check the data before using it

The day's orders are judged by three rules. Good data is processed; bad data raises the alarm and is left
alone.

**What it shows**

- Rules of a file (no nulls in `critical_column`, at least 1,000 rows) and of a database (every order has a
  date), with the checks that all teams share: `tenant_airflow_lib.checks`.
- The SQL selects what must **not** be there, and the check counts it. A check on `SELECT COUNT(*)` of bad
  rows would be the wrong way round: 0, the good case, counts as false.
- The reports are kept in S3 (`quality-results`), one object per day, also when the data is bad.
- `choose_path` goes on to `process_data_task` or to `send_alert_task`. The latter *fails* on purpose, with
  the violated rules as its error, and the run is red.
- The notifiers are in `default_args`: Slack and the team are also told when a rule could not be judged at all
  (no file, no database) or the reports could not be kept. Tasks after a failed one never start and tell
  nothing, so one cause is one alert.

**When to use it**

Between the arrival of data and its first use.

**When not**

To repair data: reject it and let the producer deliver again.

**What to change**

`SUITE`, `SQL_RULES` and the receivers.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from airflow_usecases.run_dates import run_day
from tenant_airflow_lib import checks
from tenant_airflow_lib.checks.tasks import check_sql, validate_file
from tenant_airflow_lib.notifiers import MailFailureNotifier, SlackFailureNotifier

if TYPE_CHECKING:
    from tenant_airflow_lib.checks import ReportDict

BUCKET = "quality-results"
SUITE = checks.Suite(
    name="orders",
    expectations=[checks.NotNull(column="critical_column"), checks.RowCount(min_value=1000)],
)
SQL_RULES = {"orders.order_date is set": "SELECT 1 FROM orders WHERE order_date IS NULL"}
ALERT = [
    SlackFailureNotifier(slack_webhook_conn_id="slack_webhook"),
    MailFailureNotifier(to="team@company.com"),
]


@task
def keep_results(reports: list[ReportDict]) -> str:
    """Write the reports of the day to S3; returns the key."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    context = get_current_context()
    key = f"{context['dag'].dag_id}/{run_day(context['dag_run'])}.json"
    text = json.dumps({"run_id": context["run_id"], "reports": reports}, sort_keys=True)
    S3Hook(aws_conn_id="aws_default").load_string(text, key, BUCKET, replace=True)
    return key


@task.branch
def choose_path(reports: list[ReportDict]) -> str:
    """Process good data; raise the alarm for bad."""
    return "process_data_task" if all(report["success"] for report in reports) else "send_alert_task"


@task
def process_data_task() -> int:
    """Use the data; here: count its rows."""
    with checks.read_csv(get_current_context()["params"]["data_path"]) as table:
        return sum(1 for _ in table.rows)


@task(retries=0)
def send_alert_task(reports: list[ReportDict]) -> None:
    """Fail with the violated rules; the notifiers of all tasks tell people."""
    violated = [f"{report['suite']}: {rule}" for report in reports for rule in report["violated"]]
    raise AirflowFailException(f"violated: {'; '.join(violated)}")


with DAG(
    dag_id="data_quality_pipeline",
    description="Judges the day's orders by shared checks; processes good data, alerts on bad",
    doc_md=__doc__,
    schedule="@daily",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    default_args={
        "owner": "platform",
        "retries": 2,
        "retry_delay": timedelta(minutes=2),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=20),
        "execution_timeout": timedelta(minutes=15),
        "on_failure_callback": ALERT,
    },
    params={"data_path": Param("/data/orders.csv", type="string", description="CSV file with a header")},
    tags=["platform", "quality"],
):
    reports = [
        validate_file.override(task_id="check_file")("{{ params.data_path }}", SUITE.to_dict()),
        check_sql.override(task_id="check_orders_table")("postgres_conn", SQL_RULES),
    ]
    chosen = choose_path(reports)
    keep_results(reports) >> chosen >> [process_data_task(), send_alert_task(reports)]
