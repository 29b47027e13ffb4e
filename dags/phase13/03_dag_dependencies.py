"""
# Several DAGs, one flow

Three DAGs share the way of an order: *ingest* (another team's) -> *transform* (this one) -> *report*. No run
waits for a time: the asset starts the next DAG, and what must be known travels by XCom and shared state.

**What it shows**

- Asset between DAGs: `ingest` names `orders_ingested` as outlet, this DAG has it as `schedule`.
- Cross-DAG XCom: the event knows the run that caused it. `event.source_task_instance.xcom_pull()` reads
  exactly this run's manifest, also when ten other ingests finished in between.
- Shared state: the watermark (highest order id) lives in `asset_state_store` of the asset, beside the data it
  describes. It outlives runs; no Variable that two teams could overwrite.
- What one run took: the manifest is in the task's own `task_state_store`, which outlives tries and clears. A
  second try, or a rerun of an ingest of last week, hands on the same orders although the watermark has moved
  (and its event starts transform again).
  (XComs of a task are gone when it starts again; `[state_store] clear_on_success` must stay off.)
- The graph: Airflow knows all of it (menu *Browse, DAG Dependencies*). `dependency_graph` draws its answer as
  Mermaid, this is it:

```mermaid
flowchart LR
  ingest["...__child_ingest"] --> orders[("orders_ingested")] --> transform["phase13_03_dag_dependencies"]
  transform --> report["...__child_report"]
```

How a failure travels:

| fails | then |
|---|---|
| ingest | no event: transform and report do not start. **Nobody is told**: ingest needs an alert of its own |
| transform | its run failed; report does not start. A rerun reads the same manifest |
| report | `trigger_report` waits for it and fails: transform's run failed; ingest stays green |

**When to use it**

Parts with different owners, schedules or retry needs, that one DAG would tie together.

**When not**

One owner and one schedule: one DAG with task groups. A graph of DAGs is harder to rerun than a graph of
tasks.

**What to change**

The steps of `orders_flow`, and how strong a coupling is: an asset lets the next DAG be absent, a trigger with
`wait_for_completion` makes its failure yours. A manual run of this DAG takes the latest event.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Asset, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from airflow.sdk.execution_time.context import NEVER_EXPIRE

from airflow_usecases import orders_flow, sales

log = logging.getLogger(__name__)

DAG_ID = "phase13_03_dag_dependencies"
INGEST = f"{DAG_ID}__child_ingest"
REPORT = f"{DAG_ID}__child_report"
ORDERS_INGESTED = Asset("orders_ingested", uri="x-shop://orders/ingested")

START = pendulum.datetime(2024, 1, 1, tz="UTC")
DEFAULT_ARGS: dict[str, Any] = {
    "owner": "platform",
    "retries": 2,
    "retry_delay": timedelta(minutes=1),
    "execution_timeout": timedelta(minutes=10),
}
FAIL_AT = Param(
    "", type="string", enum=["", *orders_flow.STEPS], description="Which step fails, to see how far it gets"
)


def fail_if_asked(fail_at: str, step: str) -> None:
    """Fail this step for good when the run asks for it: a retry of a wanted failure shows nothing."""
    try:
        orders_flow.fail_if(fail_at, step)
    except ValueError as error:
        raise AirflowFailException(str(error)) from error


@task(multiple_outputs=False, outlets=[ORDERS_INGESTED])
def ingest_orders(*, outlet_events: Any) -> dict[str, Any]:
    """Take the orders above the watermark, hand on a manifest and move the watermark.

    A second try or a rerun hands on what this run took at first, also when the watermark has moved since.
    """
    context = get_current_context()
    fail_at = context["params"]["fail_at"]
    fail_if_asked(fail_at, "ingest")
    state, own = context["asset_state_store"][ORDERS_INGESTED], context["task_state_store"]
    watermark = int(state.get("watermark", 0))
    manifest = own.get("manifest")
    if manifest is None:
        start = 0 if context["params"]["from_start"] else watermark
        manifest = orders_flow.manifest(orders_flow.new_orders(sales.ORDERS, start), start)
        # before the watermark: whoever dies in between takes these orders again
        own.set("manifest", manifest, retention=NEVER_EXPIRE)
    state.set("watermark", max(watermark, manifest["watermark"]))
    outlet_events[ORDERS_INGESTED].extra = {"orders": manifest["orders"], "fail_at": fail_at}
    return dict(manifest)


with DAG(
    dag_id=INGEST,
    description="Takes new orders and says so by an asset event; another team's DAG",
    doc_md="Helper of `phase13_03_dag_dependencies`: takes the orders above the watermark.",
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args=DEFAULT_ARGS,
    params={
        "fail_at": FAIL_AT,
        "from_start": Param(False, type="boolean", description="Forget the watermark and take every order"),
    },
    tags=["phase13", "dag_dependencies"],
):
    ingest_orders()


@task
def write_report() -> str:
    """Describe the revenue of one ingest; it came with `conf`."""
    params = get_current_context()["params"]
    fail_if_asked(params["fail_at"], "report")
    return f"{params['orders']} orders, revenue {params['revenue']}"


with DAG(
    dag_id=REPORT,
    description="Reports one ingest; started by the transform",
    doc_md="Helper of `phase13_03_dag_dependencies`: the report on one ingest.",
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=2,
    dagrun_timeout=timedelta(minutes=30),
    default_args=DEFAULT_ARGS,
    params={
        "orders": Param(0, type="integer", minimum=0),
        "revenue": Param("0", type="string"),
        "fail_at": FAIL_AT,
    },
    tags=["phase13", "dag_dependencies"],
):
    write_report()


@task(multiple_outputs=False, inlets=[ORDERS_INGESTED])
def read_manifest(*, triggering_asset_events: Any, inlet_events: Any) -> dict[str, Any]:
    """The manifest of the run that caused this one, an XCom of another DAG; manually, of the last event."""
    if triggering_asset_events:
        events = triggering_asset_events[ORDERS_INGESTED]
    else:
        events = inlet_events[ORDERS_INGESTED]
    if not len(events):
        raise AirflowSkipException("nothing has been ingested yet")
    event = events[-1]
    source = event.source_task_instance
    log.info(
        "run %s of %s ingested %s orders", event.source_run_id, event.source_dag_id, event.extra["orders"]
    )
    return {**source.xcom_pull(), "source_run_id": event.source_run_id, "fail_at": event.extra["fail_at"]}


@task(multiple_outputs=False)
def compute_revenue(manifest: dict[str, Any]) -> dict[str, Any]:
    """Revenue of the ingested orders: the `conf` of the report."""
    fail_if_asked(manifest["fail_at"], "transform")
    revenue = orders_flow.revenue_between(sales.ORDERS, manifest["first"], manifest["last"])
    return {"orders": manifest["orders"], "revenue": revenue, "fail_at": manifest["fail_at"]}


with DAG(
    dag_id=DAG_ID,
    description="Run when another DAG has data, read its XCom, start a third DAG and answer for it",
    doc_md=__doc__,
    schedule=[ORDERS_INGESTED],
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args=DEFAULT_ARGS,
    tags=["phase13", "dag_dependencies"],
):
    TriggerDagRunOperator(
        task_id="trigger_report",
        trigger_dag_id=REPORT,
        trigger_run_id="report__{{ run_id }}",
        conf=compute_revenue(read_manifest()),
        logical_date=None,
        reset_dag_run=True,
        wait_for_completion=True,
        deferrable=True,
        poke_interval=5,
        retries=0,  # the report has retries of its own
    )
