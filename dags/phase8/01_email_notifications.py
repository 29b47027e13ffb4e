"""
# Mail

The figures of a shop's day are mailed as a report; when their load fails, a mail says where and why.

**What it shows**

- `EmailOperator`: mail as a task. It is part of the work, so it has retries, and it fails when nobody got it.
- `SmtpNotifier` in `on_failure_callback`: mail about a task. It is sent after the last try only, and a mail
  server that is down is logged but never fails the task a second time.
- Both render templates: subject and body read the run, the XComs and, in a callback, `exception`. The body is
  HTML and nothing is escaped for you: put `| e` behind every text that is not your own.
- An error may hold a password, and only Airflow's logs hide it: the filter `masked` (of the tenant library,
  made known in `user_defined_filters`) puts `***` there. It goes before `truncate` and `e`.
- Sender and server come from the connection `smtp_default`. The old `email_on_failure`, `email_on_retry` and
  `email=` arguments are deprecated: the notifier replaces all three.

**When to use it**

A report for people who do not open Airflow; an alert for a team that lives in its mailbox.

**When not**

- The alert has to wake somebody: mail is read tomorrow. See the alert routing DAG.
- The attachment is large: mail a link.

**What to change**

The Params `report_to` and `alert_to`, and the two bodies. Trigger with `{"fail_load": true}` to get both
mails.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.providers.smtp.operators.smtp import EmailOperator
from airflow.sdk import Param, dag, get_current_context, task

from airflow_usecases import sales
from tenant_airflow_lib.notifiers import masked

REPORT = """\
<h3>Sales of {{ ti.xcom_pull('summarise_sales')['day'] }}</h3>
<table>
  <tr><th align="left">Orders</th><td>{{ ti.xcom_pull('summarise_sales')['orders'] }}</td></tr>
  <tr><th align="left">Revenue</th><td>{{ ti.xcom_pull('summarise_sales')['revenue'] }}</td></tr>
</table>
"""

FAILURE = """\
<h3>{{ dag.dag_id }}.{{ ti.task_id }} failed</h3>
<table>
  <tr><th align="left">Run</th><td>{{ run_id | e }}</td></tr>
  <tr><th align="left">Try</th><td>{{ ti.try_number }} of {{ ti.max_tries + 1 }}</td></tr>
  <tr><th align="left">Error</th><td>{{ exception | masked | truncate(500) | e }}</td></tr>
  <tr><th align="left">Log</th><td><a href="{{ ti.log_url | e }}">{{ ti.log_url | e }}</a></td></tr>
</table>
"""

MAIL_FAILURE = SmtpNotifier(
    to="{{ params.alert_to }}",
    subject="[Airflow] {{ dag.dag_id }}.{{ ti.task_id }} failed",
    html_content=FAILURE,
)


@task(multiple_outputs=False)
def summarise_sales() -> sales.Summary:
    """The day's figures."""
    run = get_current_context()["dag_run"]
    day = (run.logical_date or run.run_after).strftime("%Y-%m-%d")
    priced = sales.price_orders(sales.ORDERS)
    return sales.summarise(day, priced["amounts"], priced["revenue"])


@task(on_failure_callback=[MAIL_FAILURE])
def load_warehouse(summary: sales.Summary) -> int:
    """Load the figures and return how many orders; fails on request, as a warehouse does unasked."""
    if get_current_context()["params"]["fail_load"]:
        raise ConnectionError("warehouse <dwh> is not reachable")
    return summary["orders"]


@dag(
    dag_id="phase8_01_email_notifications",
    description="A report by mail, and a mail when a task has failed",
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
        "report_to": Param("sales@example.com", type="string", format="email", description="Who reads it"),
        "alert_to": Param("data-oncall@example.com", type="string", format="email", description="Who acts"),
        "fail_load": Param(False, type="boolean", description="Let the load fail, to see the second mail"),
    },
    user_defined_filters={"masked": masked},
    tags=["phase8", "mail"],
)
def report_sales() -> None:
    """Wire the tasks; runs at parse time."""
    summary = summarise_sales()
    send_report = EmailOperator(
        task_id="send_report",
        conn_id="smtp_default",
        to="{{ params.report_to }}",
        subject="{{ dag.dag_id }} / {{ task.task_id }}: {{ ti.xcom_pull('summarise_sales')['day'] }}",
        html_content=REPORT,
        retries=3,
        retry_delay=timedelta(minutes=1),
        retry_exponential_backoff=2.0,
        max_retry_delay=timedelta(minutes=10),
    )
    summary >> send_report
    load_warehouse(summary)


report_sales()
