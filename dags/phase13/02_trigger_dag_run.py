"""
# Starting another DAG

A campaign selects inactive customers. If there are enough, it starts the export DAG with the selection's
parameters, waits for it, and starts the daily digest, at most once a day.

**What it shows**

- `TriggerDagRunOperator` with `conf`: the child reads `dag_run.conf`; its `params` check it (a wrong type is
  refused before anything runs).
- Conditional triggering: `@task.short_circuit` before the trigger. Too few customers: the trigger is skipped
  and no run exists.
- Parent and child: `wait_for_completion=True, deferrable=True`. The parent holds no worker while the child
  runs; a failed child fails the parent. Only `dagrun_timeout` limits this wait: in Airflow 3.3.2 a deferred
  task has no `execution_timeout`.
- A retry does not start a second export: `trigger_run_id` is made of the parent's run, `reset_dag_run=True`
  runs the existing one again.
- `skip_when_already_exists`: the digest's run id is the day, so that the second campaign of a day skips it.
- `logical_date=None`: the child is no run of a schedule. It takes what it needs from `conf`.

**When to use it**

When this DAG knows *whether* and *with what* the other must run, and needs its result.

**When not**

- The other DAG needs data only, whoever made it: assets (`phase14_02_dataset_consumer`).
- The children are your own steps: task groups and mapped tasks, one run, one graph.
- To start a run later than the trigger: `run_after` is no template; compute the date where you parse, or
  schedule the child.

**What to change**

`CUSTOMERS`, the threshold `minimum`, and the child. `fail_when_dag_is_paused` makes the parent fail at once
when somebody paused the child; otherwise it would wait until `dagrun_timeout`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from airflow_usecases import campaign

DAG_ID = "phase13_02_trigger_dag_run"
EXPORT = f"{DAG_ID}__child_export"
DIGEST = f"{DAG_ID}__child_digest"

START = pendulum.datetime(2024, 1, 1, tz="UTC")
DEFAULT_ARGS: dict[str, Any] = {
    "owner": "platform",
    "retries": 1,
    "retry_delay": timedelta(minutes=2),
    "execution_timeout": timedelta(minutes=10),
}


@task(multiple_outputs=False)
def export_customers() -> dict[str, Any]:
    """Write the selection for the mailing system; what to export came with `conf`."""
    params = get_current_context()["params"]
    if params["fail"]:
        raise AirflowFailException("the mailing system refused the file")
    customers = campaign.select_inactive(campaign.CUSTOMERS, params["inactive_days"])
    return {
        "lines": len(campaign.export_lines(customers, params["campaign"])),
        "campaign": params["campaign"],
    }


with DAG(
    dag_id=EXPORT,
    description="Exports one selection of customers; started by the campaign",
    doc_md="Helper of `phase13_02_trigger_dag_run`: exports one selection. It never runs by itself.",
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=3,
    dagrun_timeout=timedelta(minutes=30),
    default_args=DEFAULT_ARGS,
    params={
        "campaign": Param("manual", type="string", minLength=1, maxLength=60),
        "inactive_days": Param(90, type="integer", minimum=1),
        "fail": Param(False, type="boolean", description="Fail, to see what the parent does"),
    },
    tags=["phase13", "trigger_dag_run"],
):
    export_customers()


@task
def collect_digest() -> str:
    """Name the day of the digest."""
    return str(get_current_context()["params"]["day"])


with DAG(
    dag_id=DIGEST,
    description="One digest a day; started by the first campaign of the day",
    doc_md="Helper of `phase13_02_trigger_dag_run`: the daily digest, one run a day at most.",
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args=DEFAULT_ARGS,
    params={"day": Param("2024-01-01", type="string", format="date")},
    tags=["phase13", "trigger_dag_run"],
):
    collect_digest()


@task
def select_customers() -> int:
    """How many customers the campaign reaches."""
    days = get_current_context()["params"]["inactive_days"]
    return len(campaign.select_inactive(campaign.CUSTOMERS, days))


@task(multiple_outputs=False)
def plan_export() -> dict[str, Any]:
    """The child's `conf`. From a task it keeps its types; out of templates every value would be text."""
    params = get_current_context()["params"]
    wanted = {name: params[name] for name in ("campaign", "inactive_days")}
    return wanted | {"fail": params["fail_child"]}


@task.short_circuit
def check_reach(customers: int) -> bool:
    """True when the campaign reaches enough customers; otherwise everything after it is skipped."""
    return bool(customers >= get_current_context()["params"]["minimum"])


with DAG(
    dag_id=DAG_ID,
    description="Start a child DAG with conf if it is worth it, wait for it, pass its failure on",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args=DEFAULT_ARGS,
    params={
        "campaign": Param("we-miss-you", type="string", minLength=1, maxLength=60),
        "inactive_days": Param(90, type="integer", minimum=1),
        "minimum": Param(
            2, type="integer", minimum=1, description="Smallest number of customers worth an export"
        ),
        "fail_child": Param(False, type="boolean", description="Let the child fail"),
    },
    tags=["phase13", "trigger_dag_run"],
):
    plan = plan_export()
    # The child has retries of its own; a child that failed for good fails the parent at once.
    trigger_export = TriggerDagRunOperator(
        task_id="trigger_export",
        trigger_dag_id=EXPORT,
        trigger_run_id="export__{{ run_id }}",
        conf=plan,
        logical_date=None,
        reset_dag_run=True,
        wait_for_completion=True,
        deferrable=True,
        poke_interval=5,
        fail_when_dag_is_paused=True,
        retries=0,
    )
    trigger_digest = TriggerDagRunOperator(
        task_id="trigger_digest",
        trigger_dag_id=DIGEST,
        trigger_run_id="digest__{{ (dag_run.logical_date or dag_run.run_after).strftime('%Y-%m-%d') }}",
        conf={"day": "{{ (dag_run.logical_date or dag_run.run_after).strftime('%Y-%m-%d') }}"},
        logical_date=None,
        skip_when_already_exists=True,
    )
    check_reach(select_customers()) >> plan >> trigger_export >> trigger_digest
