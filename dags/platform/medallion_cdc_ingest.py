"""
# Changes of a database, through Bronze, Silver and Gold

Every quarter of an hour the changes of the table `orders` go into the lake: raw, as a history, and as totals.

**What it shows**

- **Bronze**: the changes as they came, one immutable object per batch, named by the range of log positions
  in it. **Silver**: each insert, update and delete exactly once, with the time until which it was valid,
  although the feed delivers some changes twice. **Gold**: revenue by customer, of the orders that exist
  now.
- No bookmark to lose: each layer finds out from its own objects how far it is. A run that repeats another,
  or follows one that failed half-way, adds what is missing and nothing else. Steps without work are
  *skipped*.
- Each layer is an **asset** with rows and position in its events: a consumer writes `schedule=[GOLD]` and
  never asks when this DAG runs. A skipped step emits no event.

**When to use it**

Tables of up to some million changes whose history matters.

**When not**

Silver is rewritten by each run that brings changes. When it no longer fits into a worker's memory, keep the
layers and replace `refresh_silver` by a `MERGE` into an Iceberg table.

**What to change**

Table and payload in `fetch_changes` and `airflow_usecases/cdc.py`. `lsn` must be the position of the
*commit*, as logical decoding gives it: a sequence can be overtaken by a transaction that commits later, and
its change is lost.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pendulum
from airflow.sdk import DAG, Asset, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from airflow_usecases import cdc, medallion

if TYPE_CHECKING:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    from airflow_usecases.cdc import Change
    from airflow_usecases.medallion import Step

log = logging.getLogger(__name__)

BRONZE = Asset(name="orders_bronze", uri=f"s3://{medallion.BRONZE}/orders/changes")
SILVER = Asset(name="orders_silver", uri=f"s3://{medallion.SILVER}/orders/history")
GOLD = Asset(name="orders_gold", uri=f"s3://{medallion.GOLD}/orders/revenue_by_customer")

SELECT = """
    SELECT lsn, op, order_id, payload, changed_at FROM orders_changes
    WHERE lsn > %s ORDER BY lsn LIMIT %s
"""


def _store() -> S3Hook:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    return S3Hook(aws_conn_id="aws_default")


def fetch_changes(after: int, size: int) -> Iterator[list[Change]]:
    """Batches of changes behind a position, each ordered by it."""
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    columns = ("lsn", "op", "order_id", "payload", "changed_at")
    hook = PostgresHook(postgres_conn_id="postgres_conn")
    while rows := hook.get_records(SELECT, parameters=(after, size)):
        batch = [cdc.change_of(dict(zip(columns, row, strict=True))) for row in rows]
        after = batch[-1]["lsn"]
        yield batch


def _tell(asset: Asset, step: Step | None) -> Step:
    if step is None:
        raise AirflowSkipException("nothing new")
    log.info("%s: %d rows, up to position %d", asset.name, step["rows"], step["last_lsn"])
    get_current_context()["outlet_events"][asset].extra = dict(step)
    return step


@task(outlets=[BRONZE])
def ingest_bronze() -> Step:
    """Store the changes that Bronze does not have yet; skipped when there are none."""
    store = _store()
    last: Step | None = None
    rows = 0
    size = get_current_context()["params"]["batch_rows"]
    for batch in fetch_changes(medallion.bronze_position(store), size):
        last = medallion.add_to_bronze(store, batch)
        rows += last["rows"]
    return _tell(BRONZE, {**last, "rows": rows} if last else None)


@task(outlets=[SILVER], trigger_rule="none_failed")
def refresh_silver() -> Step:
    """Add the new changes to the history; skipped when there are none."""
    return _tell(SILVER, medallion.refresh_silver(_store()))


@task(outlets=[GOLD], trigger_rule="none_failed")
def refresh_gold() -> Step:
    """Compute the totals anew; skipped when the history has not changed."""
    return _tell(GOLD, medallion.refresh_gold(_store()))


with DAG(
    dag_id="platform_ingest_cdc_bronze",
    description="Changes of orders from PostgreSQL into Bronze, Silver and Gold, each exactly once",
    doc_md=__doc__,
    schedule="*/15 * * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,  # two runs at a time would read the same positions
    dagrun_timeout=timedelta(hours=1),
    default_args={
        "owner": "platform",
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(minutes=15),
    },
    params={"batch_rows": Param(10_000, type="integer", minimum=1, description="Changes per object")},
    tags=["platform", "ingestion", "lakehouse", "confidential"],
):
    ingest_bronze() >> refresh_silver() >> refresh_gold()
