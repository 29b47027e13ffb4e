"""
# Patterns of data-aware scheduling

Six small DAGs around the assets of a shop, one pattern each. Open *Assets* in the UI to see them as one
graph.

**What it shows**

| DAG `phase14_03_dataset_patterns...` | pattern | schedule |
|---|---|---|
| `__child_publish_orders` | fan-out: one event, several consumers; keeps the contract |  |
| (itself) | conditional *or*; checks the contract before use | `orders \\| refunds` |
| `__child_update_stock` | the second consumer of the same event | `[orders]` |
| `__child_close_day` | data or time: when both are there, and daily at 22:00 | `AssetOrTimeSchedule` |
| `__child_retrain_model` | nested: features and a reason (drift, labels) | `features & (drift \\| labels)` |
| `__child_import_prices` | a change outside: a watcher waits for a partner's marker file | `AssetWatcher` |

- A contract between teams is checked on the event's `extra`: day, rows, schema version. A broken promise
  fails the run and names the field; no consumer finds out by a wrong figure.
- `AssetAccessControl(producer_teams=...)` says whose events count. It takes effect in an Airflow with
  multi-team mode; elsewhere it documents the owner.

**When to use it**

Pick the one row that fits. `AssetAny` and `AssetAll` are what the operators `|` and `&` build.

**When not**

A condition on *values* (drift above 0.2) is no schedule: let the producer report the drift asset only then.

**What to change**

The assets, `ORDERS_CONTRACT`, and the marker file of the watcher (a path that the triggerer sees).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.triggers.file import FileDeleteTrigger
from airflow.sdk import (
    DAG,
    Asset,
    AssetAccessControl,
    AssetOrTimeSchedule,
    AssetWatcher,
    CronTriggerTimetable,
    Metadata,
    Param,
    get_current_context,
    task,
)
from airflow.sdk.exceptions import AirflowFailException

from airflow_usecases.data_contract import parse_contract
from airflow_usecases.run_dates import run_day

DAG_ID = "phase14_03_dataset_patterns"
ORDERS = Asset(
    "orders_clean",
    uri="s3://shop-lake/clean/orders",
    access_control=AssetAccessControl(producer_teams=["data_engineering"]),
)
REFUNDS = Asset("refunds_clean", uri="s3://shop-lake/clean/refunds")
FEATURES = Asset("churn_features", uri="s3://shop-lake/features/churn")
DRIFT = Asset("churn_drift", uri="x-monitor://churn/drift")
LABELS = Asset("churn_labels", uri="s3://shop-lake/labels/churn")
# The trigger removes the marker, so that each delivery is one event.
PRICES = Asset(
    "partner_prices",
    uri="file:///data/inbox/prices.csv",
    watchers=[
        AssetWatcher(
            name="prices_delivered",
            trigger=FileDeleteTrigger(filepath="/data/inbox/prices.done", poke_interval=60),
        )
    ],
)
ORDERS_CONTRACT = parse_contract(
    {
        "asset": "orders_clean",
        "owner": "data_engineering",
        "version": 2,
        "consumers": ["analytics", "ml"],
        "fields": [
            {"name": "day", "type": "date"},
            {"name": "rows", "type": "integer", "minimum": 1},
            {"name": "schema_version", "type": "integer", "minimum": 2},
            {"name": "note", "type": "string", "required": False},
        ],
    }
)

SETTINGS: dict[str, Any] = {
    "start_date": pendulum.datetime(2024, 1, 1, tz="UTC"),
    "catchup": False,
    "max_active_runs": 1,
    "dagrun_timeout": timedelta(minutes=30),
    "default_args": {
        "owner": "platform",
        "retries": 1,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=5),
    },
    "tags": ["phase14", "assets"],
}


@task(outlets=[ORDERS])
def publish_orders() -> Iterator[Metadata]:
    """Publish the day's orders if they keep the contract; a failed task reports nothing to anybody."""
    context = get_current_context()
    facts = {"day": run_day(context["dag_run"]), "rows": context["params"]["rows"], "schema_version": 2}
    broken = ORDERS_CONTRACT.violations(facts)
    if broken:
        raise AirflowFailException(f"not published, contract of {ORDERS_CONTRACT.asset}: {'; '.join(broken)}")
    yield Metadata(ORDERS, extra=facts)


with DAG(
    dag_id=f"{DAG_ID}__child_publish_orders",
    description="Checks its own contract, then reports the asset",
    doc_md=f"Helper of `{DAG_ID}`: the producer of `orders_clean`.",
    schedule=None,
    params={"rows": Param(1250, type="integer", minimum=0)},
    **SETTINGS,
):
    publish_orders()


@task(multiple_outputs=False)
def check_contract(*, triggering_asset_events: Any) -> dict[str, Any]:
    """Check the promise on every event of orders; returns how many events came of each asset."""
    for event in triggering_asset_events.get(ORDERS, ()):
        broken = ORDERS_CONTRACT.violations(event.extra)
        if broken:
            raise AirflowFailException(f"contract of {ORDERS_CONTRACT.asset}: {'; '.join(broken)}")
    return {asset.name: len(triggering_asset_events.get(asset, ())) for asset in (ORDERS, REFUNDS)}


with DAG(
    dag_id=DAG_ID,
    description="Recompute revenue after orders or refunds changed, if the contract is kept",
    doc_md=__doc__,
    schedule=(ORDERS | REFUNDS),
    **SETTINGS,
):
    check_contract() >> EmptyOperator(task_id="compute_revenue")


with DAG(
    dag_id=f"{DAG_ID}__child_update_stock",
    description="The second consumer of the same event",
    doc_md=f"Helper of `{DAG_ID}`: fan-out, a second consumer of `orders_clean`.",
    schedule=[ORDERS],
    **SETTINGS,
):
    EmptyOperator(task_id="update_stock")


with DAG(
    dag_id=f"{DAG_ID}__child_close_day",
    description="Closes the day when orders and refunds are there, and at 22:00",
    doc_md=f"Helper of `{DAG_ID}`: data or time, whichever comes first.",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 22 * * *", timezone="UTC"), assets=(ORDERS & REFUNDS)
    ),
    **SETTINGS,
):
    EmptyOperator(task_id="close_day")


with DAG(
    dag_id=f"{DAG_ID}__child_retrain_model",
    description="Retrains when features are new and there is a reason: drift or new labels",
    doc_md=f"Helper of `{DAG_ID}`: a nested condition triggers the training.",
    schedule=(FEATURES & (DRIFT | LABELS)),
    **SETTINGS,
):
    EmptyOperator(task_id="retrain_model")


with DAG(
    dag_id=f"{DAG_ID}__child_import_prices",
    description="Imports a partner's prices when the marker file appears",
    doc_md=f"Helper of `{DAG_ID}`: a watcher turns an outside change into an event.",
    schedule=[PRICES],
    **SETTINGS,
):
    EmptyOperator(task_id="import_prices")
