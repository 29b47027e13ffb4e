"""
# Service levels: three deadlines, and alerts that say what broke

Every hour a model is refreshed for production. The team hears of a failure, of a retry, of success, and of a
run that is late.

**What it shows**

- `deadline=[...]`: the data after 30 minutes, the model after 1 hour, everything after 2. Each is counted
  from the moment that the run was queued: waiting for a free slot counts. A missed deadline sends a mail from
  the triggerer; the run goes on.
- Not `DAGRUN_LOGICAL_DATE`: a run without a logical date (started by the API, by another DAG, by an asset)
  would get no deadline at all, and nobody would be told.
- Deadlines belong to the DAG. What one task may take is its `execution_timeout`: that ends the task.
- A failure posts DAG, task, date, error and the log's URL to Slack and mails the on-duty list; success posts
  one line.
- Notifier objects, no functions: `on_failure_callback=[SlackFailureNotifier(...)]`. Calling
  `send_slack_notification()` inside of a function only builds a notifier, and nothing is sent.

**When to use it**

Somebody waits for the result at a known time.

**When not**

- Nobody would act on the alert: an unread mail a day teaches people to read none.
- The task has to stop when it takes too long: `execution_timeout`.

**What to change**

`SERVICE_LEVELS` and the addresses. The Slack channel (#ml-alerts) is the one of the webhook behind the
connection `slack_webhook`. Trigger with `{"fail": "train_model"}` to see the alerts.
"""

from __future__ import annotations

import logging
from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import (
    DAG,
    AsyncCallback,
    DeadlineAlert,
    DeadlineReference,
    Param,
    chain,
    get_current_context,
    task,
)

from tenant_airflow_lib.notifiers import MailFailureNotifier, SlackFailureNotifier, SlackMessageNotifier

log = logging.getLogger(__name__)

SLACK = "slack_webhook"  # posts to #ml-alerts
ALERTS = "ml-alerts@example.com"
TEAM = "ml-team@example.com"
SERVICE_LEVELS = {
    "extract_data": timedelta(minutes=30),
    "train_model": timedelta(hours=1),
    "sla_monitored_pipeline": timedelta(hours=2),
}


def alert_when_late(what: str, limit: timedelta) -> DeadlineAlert:
    """A mail to the team when `what` is not done `limit` after the run was queued."""
    return DeadlineAlert(
        name=what,
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=limit,
        callback=AsyncCallback(
            MailFailureNotifier, {"to": TEAM, "headline": f"sla_monitored_pipeline is late: {what} ({limit})"}
        ),
    )


@task
def refresh_step() -> str:
    """One step; fails when the Param `fail` names it."""
    context = get_current_context()
    name = str(context["ti"].task_id)
    if context["params"]["fail"] == name:
        raise RuntimeError(f"{name}: no space left on device")
    log.info("%s done", name)
    return name


with DAG(
    dag_id="sla_monitored_pipeline",
    description="Three deadlines, and alerts on failure, retry and success",
    doc_md=__doc__,
    schedule="@hourly",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    deadline=[alert_when_late(what, limit) for what, limit in SERVICE_LEVELS.items()],
    on_success_callback=[
        SlackMessageNotifier(slack_webhook_conn_id=SLACK, text="{{ dag.dag_id }} succeeded ({{ run_id }})")
    ],
    default_args={
        "owner": "ml-team",
        "retries": 2,
        "retry_delay": timedelta(minutes=5),
        "execution_timeout": SERVICE_LEVELS["sla_monitored_pipeline"],
        "on_failure_callback": [
            SlackFailureNotifier(slack_webhook_conn_id=SLACK),
            MailFailureNotifier(to=ALERTS),
        ],
        # dag-lint: ignore[L-23] reason: the list asked for a mail per retry; Slack hears of the end only
        "on_retry_callback": [
            MailFailureNotifier(to=ALERTS, headline="{{ ti.dag_id }}.{{ ti.task_id }} is tried again")
        ],
    },
    params={
        "fail": Param(
            None,
            type=["null", "string"],
            enum=[None, "extract_data", "train_model", "deploy_model"],
            description="The step that fails, to see the alerts",
        )
    },
    tags=["ml", "sla", "production"],
):
    chain(
        EmptyOperator(task_id="start"),
        refresh_step.override(task_id="extract_data", execution_timeout=SERVICE_LEVELS["extract_data"])(),
        refresh_step.override(task_id="train_model", execution_timeout=SERVICE_LEVELS["train_model"])(),
        refresh_step.override(task_id="deploy_model")(),
        EmptyOperator(task_id="end"),
    )
