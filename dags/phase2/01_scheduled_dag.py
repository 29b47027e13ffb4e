"""
# A DAG with a schedule

A sales report every working morning at 06:30 UTC. On Mondays it covers Friday to Sunday.

**What it shows**

`schedule=` takes a cron expression, a preset or a timetable object. Each of these can be put there as it is:

| `schedule=` | runs | data interval of a run |
|---|---|---|
| `"30 6 * * 1-5"` | 06:30, Monday to Friday | empty: start = end = the tick |
| `"@once"` | one single time, then never | empty |
| `"@hourly"` | minute 0 of every hour | empty |
| `"@daily"` | 00:00 every day | empty |
| `"@weekly"` | 00:00 every Sunday | empty |
| `CronDataIntervalTimetable("30 6 * * 1-5", timezone="UTC")` | the same ticks | last tick to this one |

A cron string or a cron preset becomes a `CronTriggerTimetable`: the run's logical date *is* the moment at
which it starts, and its data interval has no length. So "which days does this run cover" is the DAG's own
decision (`choose_report_days`). With `CronDataIntervalTimetable` the interval answers that, and the logical
date is the interval's *start*: the run of Monday 06:30 carries Friday's date.

`catchup=False`: after a pause, and also when the DAG is new, only the newest missed tick runs, at once.
`max_active_runs=1`: a run that takes longer than a day delays the next one instead of overlapping with it.

**When to use it**

Work that is due at a time of day. `CronTriggerTimetable("30 6 * * 1-5", timezone="Europe/Vienna")` keeps
06:30 local time across the change to summer time.

**When not**

Work that is due when data arrives: schedule on assets. Several ticks that no single cron expression can
say: `MultipleCronTriggerTimetable`.

**What to change**

`schedule`, and `catchup=True` only if every task can be repeated for an old date without harm.
"""

from __future__ import annotations

import logging
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pendulum
from airflow.sdk import DAG, get_current_context, task

from airflow_usecases.schedules import days_since_last_run

if TYPE_CHECKING:
    from airflow_usecases.schedules import Window

log = logging.getLogger(__name__)


@task(multiple_outputs=False)
def choose_report_days() -> Window:
    """Derive the reported days from the run's date; a run without a logical date uses the time it was due."""
    dag_run = get_current_context()["dag_run"]
    due = dag_run.logical_date or dag_run.run_after
    return days_since_last_run(date(due.year, due.month, due.day))


@task
def build_report(window: Window) -> str:
    """Name the report after its days; the log says what it covers."""
    log.info("sales of %s day(s), %s to %s", window["days"], window["first_day"], window["last_day"])
    return f"sales_{window['first_day']}_{window['last_day']}"


with DAG(
    dag_id="phase2_01_scheduled_dag",
    description="A cron schedule for working mornings, and what the other schedules would do",
    doc_md=__doc__,
    schedule="30 6 * * 1-5",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args={
        "owner": "platform",
        "retries": 2,
        "retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(minutes=15),
    },
    tags=["phase2", "schedule"],
):
    build_report(choose_report_days())
