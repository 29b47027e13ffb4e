"""
# Consuming assets

Revenue in euro needs the day's orders *and* the exchange rates. The DAG runs when both are new, whichever
comes last; no clock, no sensor.

**What it shows**

- `schedule=[a, b]`: one event of each starts one run. Ten new rates before the first orders are still one
  run.
- `triggering_asset_events`: the events that caused this run, per asset, with their `extra`, source DAG and
  run.
- Such a run has **no logical date**; `ds` and `data_interval_start` do not exist. The day comes from the
  event.
- A manual run has no triggering events; `inlet_events` gives the last known ones.

**When to use it**

When the run depends on data, not on the time: upstream may be late, twice a day, or another team's.

**When not**

- It must run at nine even without new data: `AssetOrTimeSchedule` (`phase14_03_dataset_patterns`).
- Each event must be handled alone: events that arrive while a run waits are handed over together.

**What to change**

The two assets (name and URI as the producer writes them) and `convert_revenue`. While the DAG is paused no
event starts it; the next run after that gets the events of the pause too.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, task
from airflow.sdk.exceptions import AirflowSkipException

from airflow_usecases import lake, sales

ORDERS_TABLE = Asset("orders_table", uri=lake.URIS["orders_table"])
FX_RATES = Asset("fx_rates", uri=lake.URIS["fx_rates"])


@task(inlets=[ORDERS_TABLE, FX_RATES], multiple_outputs=False)
def read_events(*, triggering_asset_events: Any, inlet_events: Any) -> dict[str, Any]:
    """The facts of the newest event of each asset, and how many events this run stands for."""
    facts: dict[str, Any] = {}
    handled = 0
    for asset in (ORDERS_TABLE, FX_RATES):
        events = triggering_asset_events[asset] if triggering_asset_events else inlet_events[asset]
        if not len(events):
            raise AirflowSkipException(f"nobody has reported {asset.name} yet")
        facts[asset.name] = dict(events[-1].extra)
        handled += len(events) if triggering_asset_events else 0
    return facts | {"events": handled}


@task(multiple_outputs=False)
def convert_revenue(facts: dict[str, Any]) -> dict[str, str]:
    """The day's revenue in the currency of the rate."""
    orders, rate = facts["orders_table"], facts["fx_rates"]
    [revenue] = sales.convert([orders["revenue"]], rate["rate"])
    return {"day": orders["day"], "currency": rate["currency"], "revenue": revenue}


with DAG(
    dag_id="phase14_02_dataset_consumer",
    description="Run once when two assets are both new, and read what their events say",
    doc_md=__doc__,
    schedule=[ORDERS_TABLE, FX_RATES],
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "platform",
        "retries": 1,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=5),
    },
    tags=["phase14", "assets"],
):
    convert_revenue(read_events())
