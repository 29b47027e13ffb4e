"""
# Waiting for another DAG

The morning report needs last night's ledger and the last fixing of the exchange rates. Two other DAGs make
them, on clocks of their own. The report waits for the right run of each.

**What it shows**

- `ExternalTaskSensor` looks for a run with one exact **logical date**; a run of another date never counts.
- `execution_delta`: the ledger closes at 02:00 UTC, the report starts at 06:00 UTC, so it looks 4 h back.
- `execution_date_fn`: the rates are fixed at 16:00 in Frankfurt on weekdays. Summer time moves this in UTC
  and on Monday the last fixing is Friday's, so a function computes the date. It gets the logical date; the
  parameter kept its old name in Airflow 3.
- `failed_states`: the report fails as soon as the upstream run fails. Without it the sensor looks on until
  its timeout, for a success that cannot come.
- `deferrable=True`: while it waits it holds no worker slot. The wait for a single task of the other DAG uses
  `mode="reschedule"`, the way without a triggerer.

| upstream run | wait_for_* | report |
|---|---|---|
| success | success | runs |
| failed | failed at the next look | upstream_failed, run failed |
| none, or running for too long | failed at the timeout | upstream_failed, run failed |

**When to use it**

When the upstream DAG belongs to somebody else and you may not change it, and both are scheduled by time.

**When not**

- You may add an outlet upstream: use assets (`phase14_02_dataset_consumer`); no dates to align, no waiting.
- One DAG decides whether the other runs: `phase13_02_trigger_dag_run`.
- Runs without a logical date (asset runs, `logical_date: null`): the sensor reckons from `run_after`, which
  belongs to no schedule, and waits in vain.

**What to change**

`external_dag_id`, and the date: `LEDGER_LEAD` or a function like `latest_fixing`. A manual run of this DAG
takes its moment as logical date: give it the date of a scheduled one, or there is no matching upstream run.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from airflow.sdk import DAG, CronTriggerTimetable, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from airflow_usecases import alignment

DAG_ID = "phase13_01_external_task_sensor"
LEDGER = f"{DAG_ID}__child_ledger"
RATES = f"{DAG_ID}__child_rates"

START = pendulum.datetime(2024, 1, 1, tz="UTC")
DEFAULT_ARGS: dict[str, Any] = {
    "owner": "platform",
    "retries": 1,
    "retry_delay": timedelta(minutes=2),
    "execution_timeout": timedelta(minutes=10),
}
BREAK = {"fail": Param(False, type="boolean", description="Fail, to see what the waiting DAG does")}


@task
def produce_records(records: int) -> int:
    """Stand for the upstream team's work."""
    if get_current_context()["params"]["fail"]:
        raise AirflowFailException("the source delivered nothing")
    return records


with DAG(
    dag_id=LEDGER,
    description="Closes the ledger every night at 02:00 UTC; another team's DAG",
    doc_md="Helper of `phase13_01_external_task_sensor`: closes the ledger at 02:00 UTC.",
    schedule="0 2 * * *",
    start_date=START,
    catchup=False,
    max_active_runs=2,
    dagrun_timeout=timedelta(hours=1),
    default_args=DEFAULT_ARGS,
    params=BREAK,
    tags=["phase13", "external_task_sensor"],
):
    produce_records.override(task_id="close_ledger")(1250)


with DAG(
    dag_id=RATES,
    description="Fixes the exchange rates at 16:00 in Frankfurt on weekdays; another team's DAG",
    doc_md="Helper of `phase13_01_external_task_sensor`: fixes exchange rates at 16:00 in Frankfurt.",
    schedule=CronTriggerTimetable("0 16 * * MON-FRI", timezone="Europe/Berlin"),
    start_date=START,
    catchup=False,
    max_active_runs=2,
    dagrun_timeout=timedelta(hours=1),
    default_args=DEFAULT_ARGS,
    params=BREAK,
    tags=["phase13", "external_task_sensor"],
):
    produce_records.override(task_id="fix_rates")(32)


@task(multiple_outputs=False)
def build_report() -> dict[str, Any]:
    """Read what both DAGs made (here: known counts) and describe the report."""
    dag_run = get_current_context()["dag_run"]
    day = (dag_run.logical_date or dag_run.run_after).strftime("%Y-%m-%d")
    return alignment.report(day, entries=1250, rates=32)


with DAG(
    dag_id=DAG_ID,
    description="Wait for the matching runs of two DAGs that keep different clocks",
    doc_md=__doc__,
    schedule="0 6 * * *",
    start_date=START,
    catchup=False,
    max_active_runs=2,
    dagrun_timeout=timedelta(hours=4),
    default_args=DEFAULT_ARGS,
    tags=["phase13", "external_task_sensor"],
):
    # A failed upstream run does not heal by looking again: no retries. Clear the sensor after clearing
    # upstream.
    wait_for_ledger = ExternalTaskSensor(
        task_id="wait_for_ledger",
        external_dag_id=LEDGER,
        execution_delta=alignment.LEDGER_LEAD,
        failed_states=["failed"],
        deferrable=True,
        poke_interval=5,
        timeout=timedelta(hours=3).total_seconds(),
        retries=0,
    )
    wait_for_rates = ExternalTaskSensor(
        task_id="wait_for_rates",
        external_dag_id=RATES,
        external_task_id="fix_rates",
        execution_date_fn=alignment.latest_fixing,
        failed_states=["failed", "upstream_failed"],
        mode="reschedule",
        poke_interval=60,
        timeout=timedelta(hours=3).total_seconds(),
        retries=0,
    )
    [wait_for_ledger, wait_for_rates] >> build_report()
