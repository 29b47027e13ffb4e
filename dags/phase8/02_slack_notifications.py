"""
# Slack

An import of orders tells a Slack channel how it ended: a message in blocks, with the facts and a link.

**What it shows**

- Notifier *objects* in `on_success_callback` and `on_failure_callback`. The object is the callback. Building
  one inside a function of your own sends nothing; call it: `notifier(context)`.
- `SlackMessageNotifier` of the shared library sends by the Slack provider as its `SlackWebhookNotifier`
  does, but imports it late: that takes a third of a second, which the DAG processor would pay at every parse.
- Such a call is in `warn_of_late_start`: a function as callback, for a message that is sent on a condition.
- Block Kit: `header` is the line in the notification, `section` holds the facts in two columns, `context` is
  the small print. `text` is what screen readers and phones show; Slack asks for it beside `blocks`.
- All of it is a template. An error message may contain `<`, `>` and `&`, which Slack reads as links and
  mentions (`<!channel>` calls everybody): `ERROR` replaces exactly these three, as Slack's manual says.
- It may hold a password, too, which only Airflow's logs hide: `masked` (of the tenant library, made known in
  `user_defined_filters`) puts `***` there before anything is cut or replaced.
- The webhook's address is a secret: it is the password of the connection `slack_webhook`, not in this file.

**When to use it**

News for a team: it is done, it failed, look here. One webhook belongs to one channel.

**When not**

- The message must reach somebody at night: page them.
- Every retry or every task would post: people mute the channel. Post when a run or a last try is over.

**What to change**

The facts in `blocks`. Trigger with `{"fail_import": true}` for the failure message.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import Param, dag, get_current_context, task

from airflow_usecases import sales
from tenant_airflow_lib.notifiers import SlackMessageNotifier, masked

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

log = logging.getLogger(__name__)

CONNECTION = "slack_webhook"
ERROR = (
    "{{ exception | masked | truncate(500)"
    " | replace('&', '&amp;') | replace('<', '&lt;') | replace('>', '&gt;') }}"
)


def blocks(headline: str, facts: dict[str, str]) -> list[dict[str, Any]]:
    """A message of Block Kit: header, facts in two columns, and where to read on. All are templates."""
    fields = [{"type": "mrkdwn", "text": f"*{name}*\n{value}"} for name, value in facts.items()]
    link = "<{{ ti.log_url }}|Log of try {{ ti.try_number }}> · {{ run_id }}"
    return [
        {"type": "header", "text": {"type": "plain_text", "text": headline}},
        {"type": "section", "fields": fields},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": link}]},
    ]


TELL_SUCCESS = SlackMessageNotifier(
    slack_webhook_conn_id=CONNECTION,
    text="{{ dag.dag_id }} imported {{ ti.xcom_pull(ti.task_id) }} orders",
    blocks=blocks(
        "Orders imported",
        {"DAG": "{{ dag.dag_id }}", "Orders": "{{ ti.xcom_pull(ti.task_id) }}"},
    ),
)
TELL_FAILURE = SlackMessageNotifier(
    slack_webhook_conn_id=CONNECTION,
    text="{{ dag.dag_id }}.{{ ti.task_id }} failed",
    blocks=blocks(
        "Import of orders failed",
        {"DAG": "{{ dag.dag_id }}", "Task": "{{ ti.task_id }}", "Error": ERROR},
    ),
)


def warn_of_late_start(context: Context) -> None:
    """Tell the channel when the task starts later after the run was due than `late_after_seconds`."""
    late = pendulum.now("UTC") - context["dag_run"].run_after
    if late.total_seconds() <= context["params"]["late_after_seconds"]:
        return
    warning = SlackMessageNotifier(
        slack_webhook_conn_id=CONNECTION,
        text=f"{{{{ dag.dag_id }}}} starts {int(late.total_seconds())} seconds late",
    )
    warning(context)  # renders the templates and sends; without this call nothing would happen


@task(
    on_execute_callback=[warn_of_late_start],
    on_success_callback=[TELL_SUCCESS],
    on_failure_callback=[TELL_FAILURE],
)
def import_orders() -> int:
    """Import the orders and return how many."""
    if get_current_context()["params"]["fail_import"]:
        raise ValueError("column <price> & column <quantity> are missing <!channel>")
    return len(sales.ORDERS)


@dag(
    dag_id="phase8_02_slack_notifications",
    description="Slack messages in blocks when a task ends, and one on a condition",
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
        "fail_import": Param(False, type="boolean", description="Let the import fail, to see the message"),
        "late_after_seconds": Param(600, type="integer", minimum=0, description="Later than this is late"),
    },
    user_defined_filters={"masked": masked},
    tags=["phase8", "slack"],
)
def announce_import() -> None:
    """Wire the task; runs at parse time."""
    import_orders()


announce_import()
