"""
# Metrics

An import of orders reports what it did: as it goes over StatsD, and at its end as a page for Prometheus.

**What it shows**

- `airflow.sdk.observability.stats` sends through the StatsD client that Airflow itself uses: `incr` (Counter:
  only ever grows, add it up over runs), `gauge` (Gauge: a level, the last value counts) and `timing` (what
  becomes a Histogram). No address in the DAG; where metrics are off the calls do nothing.
- The Prometheus text format, made by `prometheus_client` and put to a Pushgateway. A scrape would come too
  late: the task's process is gone after seconds.
- An agreement on time, seen from both sides: the gauge `order_import_sla_used_ratio` shows how close the run
  came, and the `DeadlineAlert` tells the team when it is missed, even if nothing ever started.

**When to use it**

Figures that somebody plots or alerts on over weeks: counts, backlogs, durations, freshness.

**When not**

- How long tasks took and how many failed: Airflow sends that by itself.
- Facts about one run, such as a list of refused orders: that is a log line, or a file whose path is an XCom.
  Here the XCom has counts per bucket, not a duration per order: it stays small when the orders do not.
- Labels with many values (order numbers, customers): each value is a time series of its own.

**What to change**

`SLA`, and the metrics in `airflow_usecases/metrics.py`. Plain StatsD drops tags: let Airflow send them with
`statsd_influxdb_enabled`, or by Datadog or OpenTelemetry.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from datetime import timedelta

import pendulum
from airflow.sdk import (
    AsyncCallback,
    DeadlineAlert,
    DeadlineReference,
    Param,
    dag,
    get_current_context,
    task,
)
from airflow.sdk.observability import stats

from airflow_usecases import metrics, sales
from airflow_usecases.metrics import Measured
from tenant_airflow_lib.notifiers import SlackFailureNotifier

log = logging.getLogger(__name__)

SLA = timedelta(minutes=30)
HTTP_TIMEOUT = 10  # seconds


@task(multiple_outputs=False)
def import_orders() -> Measured:
    """Import the orders one by one and count as it goes; returns the figures, not the orders."""
    limit = get_current_context()["params"]["largest_amount"]
    imported: Counter[str] = Counter()
    seconds = []
    rejected = 0
    for done, order in enumerate(sales.ORDERS, start=1):
        started = time.perf_counter()
        if sales.amount(order) > limit:
            rejected += 1
            stats.incr("orders.rejected")
        else:
            imported[order["region"]] += 1
            stats.incr("orders.imported", tags={"region": order["region"]})
        seconds.append(time.perf_counter() - started)
        stats.timing("orders.import", timedelta(seconds=seconds[-1]))
        stats.gauge("orders.backlog", len(sales.ORDERS) - done)
    spread = metrics.distribution(seconds)
    return {"imported": dict(imported), "rejected": rejected, "backlog": 0, "seconds": spread}


@task
def publish_metrics(measured: Measured) -> float:
    """Put the page to the Pushgateway; returns the share of the agreed time that the run used."""
    from airflow.providers.http.hooks.http import HttpHook

    run = get_current_context()["dag_run"]
    used = metrics.sla_used(run.run_after, pendulum.now("UTC"), SLA)
    stats.gauge("orders.sla_used_ratio", used)
    HttpHook(method="PUT", http_conn_id="pushgateway").run(
        "metrics/job/order_import",
        data=metrics.exposition(measured, used).encode(),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        extra_options={"timeout": HTTP_TIMEOUT},
    )
    log.info("the run used %.1f %% of the agreed time", 100 * used)
    return used


@dag(
    dag_id="phase12_01_metrics_monitoring",
    description="Counter, gauge and histogram over StatsD and Prometheus; an agreement on time",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=SLA,
        callback=AsyncCallback(
            SlackFailureNotifier,
            {"slack_webhook_conn_id": "slack_webhook", "headline": "Orders are not imported in time"},
        ),
    ),
    default_args={
        "owner": "platform",
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(minutes=10),
    },
    params={
        "largest_amount": Param(200, type="number", minimum=0, description="Orders above this are refused")
    },
    tags=["phase12", "metrics"],
)
def measure_import() -> None:
    """Wire the tasks; runs at parse time."""
    publish_metrics(import_orders())


measure_import()
