"""
# A branch on the day of the week

Settlement files are processed from Monday to Friday; at the weekend the run ends in `skip_task`.

**What it shows**

`@task.branch` returns the id of the task to go on with; every other direct successor is skipped. The day is
the one the run is *about* (`logical_date`), not the one on which it happens to execute, so that a retry
after midnight or a backfill decides the same. A run without a logical date falls back to `run_after`.

**When to use it**

Two or more paths of which one is taken per run, by a rule that is cheap to evaluate.

**When not**

If weekend runs should not exist at all, say so in the schedule (`0 0 * * 1-5`). If there is only one path,
which is taken or not, use a short circuit.

**What to change**

The rule in `check_weekday`. A task that joins both paths needs `trigger_rule="none_failed_min_one_success"`.
"""

from __future__ import annotations

import logging
from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, get_current_context, task

from airflow_usecases.run_dates import run_day, run_moment

log = logging.getLogger(__name__)
SATURDAY = 5


@task.branch
def check_weekday() -> str:
    """Choose the path: Monday to Friday processes, Saturday and Sunday do not."""
    moment = run_moment(get_current_context()["dag_run"])
    return "process_data_task" if moment.weekday() < SATURDAY else "skip_task"


@task(multiple_outputs=False)
def process_data_task() -> dict[str, str]:
    """Process the settlement file of the day; returns where it is."""
    day = run_day(get_current_context()["dag_run"])
    log.info("processing the settlements of %s", day)
    return {"day": day, "file": f"settlements/{day}.csv"}


with DAG(
    dag_id="conditional_branching",
    description="Work on working days only: a branch that reads the run's own date",
    doc_md=__doc__,
    schedule="@daily",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "platform",
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=5),
    },
    tags=["platform", "patterns", "branching"],
):
    check_weekday() >> [process_data_task(), EmptyOperator(task_id="skip_task")]
