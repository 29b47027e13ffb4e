"""
# Logs and traces

One batch of orders goes through four tasks on different machines. One id finds all that was said about it.

**What it shows**

- Structured log lines: `log.info("region priced", region="north", orders=3)`. The event is a constant text,
  the facts are fields; Airflow writes each line as one JSON object, and a log store can search by field.
- A correlation id: the caller's (`conf.correlation_id`) or else the run id. The first task passes it on by
  XCom; `traced` binds it, so that every line in its block has it, those of other libraries too.
- A trace: each task opens a span below the first one's, named by the `traceparent` that came by XCom (W3C
  Trace Context). A span has a duration and a parent, so the slow part of the batch is seen at once.
- Spans are OpenTelemetry's. Without a collector they are log lines; with `OTEL_EXPORTER_OTLP_ENDPOINT` in the
  environment they go to Jaeger, Tempo or whatever listens there, unchanged.

**When to use it**

A run that is one part of a longer story: the order came from a web shop, the result goes to another service.
Send `traceparent` in the header of your own HTTP calls, and the trace goes on there.

**When not**

- You want to know how long tasks took: `[traces] otel_on` makes Airflow send a span per run and per task.
- `log.info(f"priced {n} orders")` is enough for you: it is not, once somebody counts them.

**What to change**

The spans' names and attributes. No personal data in either: logs are kept longer, and read by more people.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TypedDict

import pendulum
import structlog
from airflow.sdk import Param, dag, get_current_context, task

from airflow_usecases import sales

log = structlog.get_logger(__name__)

REGIONS = ("north", "south", "west")


class Trace(TypedDict):
    """What passes from task to task."""

    correlation_id: str
    traceparent: str


@task(multiple_outputs=False)
def open_batch() -> Trace:
    """Begin the trace and choose the correlation id."""
    from airflow_usecases.tracing import traced

    context = get_current_context()
    correlation_id = context["params"]["correlation_id"] or context["run_id"]
    with traced("order_batch", correlation_id, run_id=context["run_id"]) as traceparent:
        log.info("batch opened", orders=len(sales.ORDERS))
    return {"correlation_id": correlation_id, "traceparent": traceparent}


@task(map_index_template="{{ region }}")
def price_region(region: str, trace: Trace) -> str:
    """Price the orders of one region; returns the revenue. Two spans: the task's, and the arithmetic's."""
    from airflow_usecases.tracing import traced

    with traced("price_region", trace["correlation_id"], trace["traceparent"], region=region) as above:
        orders = sales.sales_of_region(region)
        with traced("add_amounts", trace["correlation_id"], above, orders=len(orders)):
            revenue = sales.price_orders(orders)["revenue"]
        log.info("region priced", region=region, orders=len(orders), revenue=revenue)
    return str(revenue)


@task
def publish_total(trace: Trace, revenues: list[str]) -> str:
    """Publish the batch's total."""
    from airflow_usecases.tracing import traced

    with traced("publish_total", trace["correlation_id"], trace["traceparent"]):
        total = str(sum(map(Decimal, revenues), Decimal(0)))
        log.info("total published", total=total)
    return total


@dag(
    dag_id="phase12_02_logging_tracing",
    description="JSON log lines with one correlation id, and the spans of one trace over several tasks",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=4,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "platform",
        "retries": 1,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=5),
    },
    params={
        "correlation_id": Param(
            None,
            type=["null", "string"],
            pattern="^[A-Za-z0-9_.:+-]{1,100}$",
            description="The caller's id of this batch; empty: the run id",
        )
    },
    tags=["phase12", "logging", "tracing"],
)
def price_batch() -> None:
    """Wire the tasks; runs at parse time."""
    trace = open_batch()
    publish_total(trace, price_region.partial(trace=trace).expand(region=REGIONS))


price_batch()
