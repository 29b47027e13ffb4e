"""
# A fire drill for alerts

A run that always fails. Start it by hand after a change of a webhook, a mail server or a route, and see
whether the alert arrives.

**What it shows**

- `on_failure_callback` holds notifier **objects**: Airflow calls them with the task's context. A function
  that merely *builds* a notifier sends nothing.
- Alerts go out on the final failure. `AirflowFailException` makes the first try final, so nobody waits for
  retries.
- A channel that is down is written to the task's log and does not keep the others from being told.

**When to use it**

By hand, and announce it. There is no schedule on purpose.

**When not**

To find out whether Airflow itself is up: ask its health endpoint.

**What to change**

The channels, so that they are the ones of your team's DAGs; `message`, so that people see that this is a
drill.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from tenant_airflow_lib.notifiers import MailFailureNotifier, SlackFailureNotifier


@task
def raise_alarm() -> None:
    """Fail, with the message as error."""
    raise AirflowFailException(get_current_context()["params"]["message"])


with DAG(
    dag_id="platform_alert_test",
    description="Fails on purpose, to prove that alerts arrive",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=10),
    default_args={
        "owner": "platform",
        "retries": 0,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=2),
        "on_failure_callback": [
            SlackFailureNotifier(slack_webhook_conn_id="slack_webhook"),
            MailFailureNotifier(to="platform-alerts@example.com"),
        ],
    },
    params={"message": Param("alert drill, no action needed", type="string", minLength=1)},
    tags=["platform", "maintenance", "alerting"],
):
    raise_alarm()
