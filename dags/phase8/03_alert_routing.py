"""
# Alert routing

A payments team runs four jobs. Each failure reaches the people who have to act on it, and nobody else.

| Level | Meaning | Channels |
|---|---|---|
| P1 | customers are affected now | pages on-call, Slack #incidents, mail to leadership |
| P2 | today, in working hours | the team's Slack channel, mail to the team |
| P3 | this week | the team's Slack channel |
| P4 | for the record | the log |

**What it shows**

- One notifier for all of it: `AlertRouter(level=...)` in `on_failure_callback`. A task says how bad its
  failure is; it names no channel and no address.
- The team is read from the DAG's tag `team:payments`. Its `Route` says how it is reached. What the route
  leaves out, and a team without a route, takes `DEFAULT_ROUTE`: no alert is lost for a spelling mistake.
- A channel that is down is logged, and the other channels still get the alert.
- Callbacks of failures run after the last try, so a retry that helps wakes nobody.

**When to use it**

More than one team, or more than one degree of urgency.

**When not**

- One team, one channel: a `SlackFailureNotifier` says it all.
- Everything is P1: then nothing is. Give P1 to what you would get up for.

**What to change**

`ROUTES`: one entry per team. The ids are connections (`slackwebhook`; `http` for the pager), so addresses
and tokens stay out of the code. Trigger with `{"fail": ["process_payments"]}` to see a P1.
"""

from __future__ import annotations

import logging
from datetime import timedelta

import pendulum
from airflow.sdk import Param, dag, get_current_context, task

from tenant_airflow_lib.notifiers import AlertRouter, Route

log = logging.getLogger(__name__)

DEFAULT_ROUTE = Route(
    oncall="oncall",
    incidents="slack_incidents",
    leadership="data-leadership@example.com",
    slack="slack_webhook",
    mail="data-platform@example.com",
    smtp="smtp_default",
)
ROUTES = {
    "payments": Route(slack="slack_payments", mail="payments-data@example.com"),
    "fraud": Route(slack="slack_fraud", mail="fraud-data@example.com", oncall="oncall_fraud"),
}
LEVELS = {
    "process_payments": "P1",
    "refresh_limits": "P2",
    "build_dashboard": "P3",
    "archive_receipts": "P4",
}


def route_alert(level: str) -> AlertRouter:
    """The notifier of one level; where it goes is decided when it fires."""
    return AlertRouter(level=level, routes=ROUTES, default_route=DEFAULT_ROUTE)


@task
def open_business_day() -> str:
    """The day for which the jobs run."""
    run = get_current_context()["dag_run"]
    return (run.logical_date or run.run_after).strftime("%Y-%m-%d")


@task
def run_job(day: str) -> str:
    """One of the team's jobs; fails when the Param `fail` names it."""
    context = get_current_context()
    name = context["ti"].task_id
    if name in context["params"]["fail"]:
        raise RuntimeError(f"{name} did not finish for {day}")
    log.info("%s is done for %s", name, day)
    return name


@dag(
    dag_id="phase8_03_alert_routing",
    description="Four levels of alerts, each to its own channels, by the team that owns the DAG",
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
        "fail": Param(
            [],
            type="array",
            items={"type": "string", "enum": list(LEVELS)},
            description="The jobs that fail in this run",
        )
    },
    tags=["phase8", "alerting", "team:payments"],
)
def run_payment_jobs() -> None:
    """Wire the jobs; runs at parse time."""
    day = open_business_day()
    for name, level in LEVELS.items():
        run_job.override(task_id=name, on_failure_callback=[route_alert(level)])(day)


run_payment_jobs()
