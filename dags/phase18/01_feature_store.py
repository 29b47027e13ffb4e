"""
# Feature store: one value for training and for serving

Orders become features of customers: how many in the last 7 days, and how much on average. They are
written to the offline store, materialized to the online store, and checked for age.

**What it shows**

- A definition (`CUSTOMER_ORDERS`): view, entity, features, and how old a value may be.
- Batch features into the offline store, which keeps each value with its time; materialization into the
  online store, which keeps the newest. `compare_stores` fails when the two disagree.
- Freshness as a watermark: the task that materializes emits an asset event with the newest event time in
  it. `check_freshness` reads the watermark from the asset, not from the task: any DAG can do the same. A
  stale view is told in the Slack channel of the connection `slack_webhook`.
- The same watermark as a metric (`features.watermark_timestamp_seconds`, beside `features.ttl_seconds`):
  the alert in Prometheus also fires when this DAG itself no longer runs, for a week after its last run.
- Point-in-time reads (`as_of` in the module) never see the future, which training would otherwise learn
  from.

**When to use it**

Several models share features, or a model that is trained on batches is served online.

**When not**

One model that scores in batches: compute its features in its own pipeline.

**What to change**

`_store`: `feast_store.FeastStore(folder)` has the same methods on Feast; apply its `feast_definitions`
(entity, push source, feature view) once. For Tecton write an adapter of the protocol `FeatureStore`. The
folder is the Variable `platform_feature_store_folder`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pendulum
from airflow.sdk import Asset, Metadata, dag, get_current_context, task
from airflow.sdk.observability import stats

from airflow_usecases.feature_store import (
    CUSTOMER_ORDERS,
    ORDERS,
    FileStore,
    compute_features,
    is_stale,
)
from tenant_airflow_lib.notifiers import SlackMessageNotifier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context

    from airflow_usecases.feature_store import FeatureStore

ONLINE = Asset(name="customer_orders_online", uri="x-features://customer_orders/online")


FOLDER = "{{ var.value.platform_feature_store_folder }}"  # an argument: rendered when the task runs


def _store(folder: str) -> FeatureStore:
    return FileStore(Path(folder))


def _now(context: Context) -> datetime:
    dag_run = context["dag_run"]
    return dag_run.logical_date or dag_run.run_after


@task
def write_features(folder: str) -> int:
    """Compute the features up to the run's date and add them to the offline store."""
    now = _now(get_current_context())
    return _store(folder).write(CUSTOMER_ORDERS, compute_features(ORDERS, now))


@task(outlets=[ONLINE])
def materialize_features(folder: str) -> Iterator[Metadata]:
    """Copy the newest values to the online store; the event carries the watermark."""
    watermark = _store(folder).materialize(CUSTOMER_ORDERS, _now(get_current_context()))
    yield Metadata(ONLINE, {"watermark": watermark, "view": CUSTOMER_ORDERS.name})


@task
def compare_stores(folder: str) -> int:
    """How many customers are served. Raises ValueError where it is not with the newest offline value."""
    store = _store(folder)
    entities = store.entities(CUSTOMER_ORDERS)
    wrong = [
        entity
        for entity in entities
        if store.online(CUSTOMER_ORDERS, entity) != store.latest(CUSTOMER_ORDERS, entity)
    ]
    if wrong:
        raise ValueError(f"online and offline values differ for {len(wrong)}: {', '.join(wrong[:10])}")
    return len(entities)


@task.branch(inlets=[ONLINE])
def check_freshness() -> str:
    """Compare the asset's newest watermark with the time that a value may be old."""
    context = get_current_context()
    watermark = context["inlet_events"][ONLINE][-1].extra["watermark"]
    tags = {"view": CUSTOMER_ORDERS.name}
    newest = datetime.fromisoformat(watermark).timestamp() if watermark else 0
    stats.gauge("features.watermark_timestamp_seconds", newest, tags=tags)
    stats.gauge("features.ttl_seconds", CUSTOMER_ORDERS.ttl.total_seconds(), tags=tags)
    stale = is_stale(watermark, _now(context), CUSTOMER_ORDERS.ttl)
    return "alert_stale_view" if stale else "publish_freshness"


@task(
    inlets=[ONLINE],
    multiple_outputs=False,
    retries=3,
    retry_exponential_backoff=2.0,
    max_retry_delay=timedelta(minutes=10),
)
def alert_stale_view() -> dict[str, str | None]:
    """Tell people which view is stale, and since when. A message that cannot be sent is tried again."""
    context = get_current_context()
    watermark = context["inlet_events"][ONLINE][-1].extra["watermark"]
    text = f"{CUSTOMER_ORDERS.name} is stale: its newest value is from {watermark or 'never'}"
    SlackMessageNotifier(text=text).notify(context)
    return {"view": CUSTOMER_ORDERS.name, "watermark": watermark}


@task
def publish_freshness() -> str:
    """Name the view that is fresh."""
    return CUSTOMER_ORDERS.name


@dag(
    dag_id="phase18_01_feature_store",
    description="Batch features, materialization, and an alert when the values get old",
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
    tags=["phase18", "feature-store"],
)
def feature_store() -> None:
    """Wire the tasks; runs at parse time."""
    materialized = materialize_features(FOLDER)
    write_features(FOLDER) >> materialized >> compare_stores(FOLDER)
    materialized >> check_freshness() >> [alert_stale_view(), publish_freshness()]


feature_store()
