"""
# Producing assets

A shop's nightly export. Each thing that others build on is an **asset** (Airflow 2 said dataset); a task that
names it in `outlets` reports a new state of it when the task succeeds.

**What it shows**

| asset | kind | how the event gets its facts (`extra`) |
|---|---|---|
| orders_s3, _gcs, _local | files; three outlets of one task | `outlet_events[asset].extra = {...}` |
| orders_table | a table | `yield Metadata(asset, {...})` |
| fx_rates | an API that was refreshed | `yield Metadata(asset, {...})` |
| churn_model_v7 | a model, its version known at run time only | `outlet_events[alias].add(...)` |
| orders_summary | one function = one asset = one DAG | `@asset`, in `..._child_summary` |

- The event is recorded when the task **succeeds**. A failed task reports nothing.
- `extra` is small JSON: rows, day, checksum. Consumers decide by it without opening the data.
- A URI is a name. Airflow does not look at the bucket; who writes there without Airflow posts the event to
  `/api/v2/assets/events`.

**When to use it**

As soon as a second DAG needs what this one makes.

**When not**

- Steps of one DAG: dependencies are enough.
- Thousands of changes a minute: an event per change floods the scheduler. Report a batch.

**What to change**

`lake.URIS`, and the Variable `platform_shop_lake`: the folder (or `s3://conn_id@bucket/...`) for each kind of
store. Without it the files go to `/tmp` of the worker: enough to see the events, not to read them elsewhere.
`@asset` takes no `dagrun_timeout`, `max_active_runs` or `doc_md`; `house_asset` below adds them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import (
    DAG,
    Asset,
    AssetAlias,
    Metadata,
    ObjectStoragePath,
    Param,
    Variable,
    asset,
    get_current_context,
    task,
)

from airflow_usecases import lake, sales
from airflow_usecases.run_dates import run_day

DAG_ID = "phase14_01_dataset_producer"
ORDERS_S3, ORDERS_GCS, ORDERS_LOCAL, ORDERS_TABLE, FX_RATES = (
    Asset(name, uri=lake.URIS[name])
    for name in ("orders_s3", "orders_gcs", "orders_local", "orders_table", "fx_rates")
)
CHURN_MODELS = AssetAlias(lake.MODEL_ALIAS)

START = pendulum.datetime(2024, 1, 1, tz="UTC")
DEFAULT_ARGS: dict[str, Any] = {
    "owner": "platform",
    "retries": 2,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
    "execution_timeout": timedelta(minutes=10),
}
TAGS = ["phase14", "assets"]


@task(outlets=[ORDERS_S3, ORDERS_GCS, ORDERS_LOCAL])
def export_orders(*, outlet_events: Any) -> None:
    """Write the orders to three stores; each of the three assets gets an event with the file's facts."""
    roots = Variable.get("platform_shop_lake", default={}, deserialize_json=True)
    content = lake.orders_csv(sales.ORDERS)
    for kind, outlet in (("s3", ORDERS_S3), ("gs", ORDERS_GCS), ("file", ORDERS_LOCAL)):
        root = ObjectStoragePath(roots.get(kind, f"file:///tmp/shop-lake/{kind}"))
        root.mkdir(parents=True, exist_ok=True)
        (root / "orders.csv").write_bytes(content)
        outlet_events[outlet].extra = lake.file_facts(content)


@task(outlets=[ORDERS_TABLE])
def load_orders_table() -> Iterator[Metadata]:
    """Load the table (a SQL operator in real life) and say what is in it."""
    day = run_day(get_current_context()["dag_run"])
    yield Metadata(ORDERS_TABLE, extra=lake.table_facts(sales.ORDERS, day))


@task(outlets=[FX_RATES])
def refresh_rates() -> Iterator[Metadata]:
    """Ask the rates service for the report's currency."""
    yield Metadata(FX_RATES, extra=lake.rate_facts(get_current_context()["params"]["currency"]))


@task(outlets=[CHURN_MODELS])
def register_model(*, outlet_events: Any) -> str:
    """Register a model version. The asset becomes known only now; the alias leads consumers to it."""
    version = get_current_context()["params"]["model_version"]
    name, uri = lake.model_asset(version)
    outlet_events[CHURN_MODELS].add(Asset(name, uri=uri), extra={"version": version, "accuracy": 0.91})
    return name


with DAG(
    dag_id=DAG_ID,
    description="Report files, a table, an API and a model as assets, with facts in each event",
    doc_md=__doc__,
    schedule="0 3 * * *",
    start_date=START,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args=DEFAULT_ARGS,
    params={
        "currency": Param("EUR", type="string", enum=sorted(lake.RATES)),
        "model_version": Param(7, type="integer", minimum=1),
    },
    tags=TAGS,
):
    export_orders() >> load_orders_table() >> [refresh_rates(), register_model()]


class house_asset(asset):  # noqa: N801 - a decorator, as `asset` is
    """`@asset` whose DAG keeps the rules of the house: limits, owner, documentation."""

    def create_dag(self, *, default_dag_id: str) -> DAG:
        """The DAG around the function."""
        dag = super().create_dag(default_dag_id=default_dag_id)
        dag.start_date = START
        dag.max_active_runs = 1
        dag.dagrun_timeout = timedelta(minutes=30)
        dag.default_args.update(DEFAULT_ARGS)
        dag.doc_md = f"Helper of `{DAG_ID}`: {self.description}."
        return dag


@house_asset(
    name="orders_summary",
    uri=lake.URIS["orders_summary"],
    dag_id=f"{DAG_ID}__child_summary",
    description="The day's summary of orders: one function, one asset, one DAG",
    schedule=[ORDERS_TABLE],
    tags=TAGS,
)
def summarise_orders(self: Asset, outlet_events: Any) -> None:
    """Write the summary; `self` is the asset, a parameter named like an asset would be an inlet."""
    facts = lake.table_facts(sales.ORDERS, run_day(get_current_context()["dag_run"]))
    outlet_events[self].extra = facts
