"""
# Callbacks and deadlines: code that runs when something happens

The tills of a shop get a new catalogue. Every step is written down, and a catalogue that is late is reported.

**What it shows**

| hook | runs | where |
|---|---|---|
| `on_execute_callback` | before each try of a task | in the task's process |
| `on_retry_callback` | after a try that failed and will be repeated | in the task's process |
| `on_failure_callback` | after the last failed try | in the task's process |
| `on_success_callback` | after success | in the task's process |
| `on_skipped_callback` | when the task skipped itself | in the task's process |
| `on_success_callback`, `on_failure_callback` of the DAG | when the run ends | in the DAG processor |
| `deadline=DeadlineAlert(...)` | once, if the run is not done in time | in the executor (`SyncCallback`) |

- A hook takes a list of notifiers or functions. One that fails is logged; it does not change the task's
  state.
- Deadlines replace SLAs: `DAGRUN_QUEUED_AT` plus ten seconds here. The run goes on after a missed deadline.

**When to use it**

To tell people or systems what happened. Alert in `on_failure_callback`; a retry is worth a log line at most.

**When not**

- For work that the pipeline needs: a callback has no retry and shows in no graph. Make it a task.
- A task that was skipped by a branch or a trigger rule never started: no callback runs for it.

**What to change**

`RecordEvent` to a notifier of your channel, and the interval. A `SyncCallback` gets no Variables and no
connections from Airflow 3.3.2 (it answers 403), so this one only logs. `AsyncCallback` runs in the triggerer
instead, which must be able to import the function. `VariableInterval("key")` takes the interval from a
Variable; no run can be made while that is missing.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pendulum
from airflow.sdk import (
    DAG,
    BaseNotifier,
    DeadlineAlert,
    DeadlineReference,
    Param,
    SyncCallback,
    Variable,
    get_current_context,
    task,
)
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_usecases import callbacks

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context


class RecordEvent(BaseNotifier):
    """Writes one record when a task or a run comes to `event`, a word of the DAG's choice."""

    template_fields = ("event",)

    def __init__(self, event: str) -> None:
        super().__init__()
        self.event = event

    def notify(self, context: Context) -> None:
        """Into the folder that the Variable names, or into the log."""
        folder = Variable.get("platform_callbacks_folder", default="")
        callbacks.write(callbacks.record_of(self.event, context), folder)


@task
def load_catalogue() -> int:
    """Load the articles; `work_seconds` stands for the time that this takes."""
    time.sleep(get_current_context()["params"]["work_seconds"])
    return 120


@task
def fetch_rates() -> str:
    """Fetch exchange rates from a service that fails on the first `failing_tries` tries."""
    context = get_current_context()
    if context["ti"].try_number <= context["params"]["failing_tries"]:
        raise ConnectionError("the rate service does not answer")
    return "1.08"


@task
def load_promotions() -> None:
    """There are no promotions today."""
    raise AirflowSkipException("no promotions")


@task(trigger_rule="none_failed")
def publish_catalogue() -> str:
    """Send the catalogue to the tills, unless they shall refuse it."""
    if get_current_context()["params"]["tills_refuse"]:
        raise AirflowFailException("the tills refuse the catalogue")
    return "published"


with DAG(
    dag_id="phase5_04_callbacks",
    description="Callbacks of tasks and runs, and a deadline",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "platform",
        "retries": 2,
        "retry_delay": timedelta(seconds=5),
        "execution_timeout": timedelta(minutes=5),
        "on_execute_callback": [RecordEvent("execute")],
        "on_retry_callback": [RecordEvent("retry")],
        "on_failure_callback": [RecordEvent("failure")],
        "on_success_callback": [RecordEvent("success")],
        "on_skipped_callback": [RecordEvent("skipped")],
    },
    on_success_callback=[RecordEvent("run_success")],
    on_failure_callback=[RecordEvent("run_failure")],
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(seconds=10),
        callback=SyncCallback(callbacks.record_missed_deadline),
        name="catalogue_is_late",
    ),
    params={
        "work_seconds": Param(0, type="number", minimum=0, maximum=60, description="How long the load takes"),
        "failing_tries": Param(1, type="integer", minimum=0, description="Tries of fetch_rates that fail"),
        "tills_refuse": Param(False, type="boolean", description="Whether publishing fails"),
    },
    tags=["phase5", "callbacks"],
):
    [load_catalogue(), fetch_rates(), load_promotions()] >> publish_catalogue()
