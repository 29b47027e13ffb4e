"""
# Retry strategies

A wholesaler's catalogue is refreshed from a supplier: four tasks, four ways to deal with a failure.

**What it shows**

- `fetch_stock_levels`: a fixed delay. Each retry follows `retry_delay` after the failure.
- `fetch_price_list`: exponential backoff. With `retry_delay` 60 s and `retry_exponential_backoff=2.0` the
  delay after try n is drawn from 60 x 2^(n-1) seconds up to twice that, and never exceeds `max_retry_delay`.
  The draw is a hash of DAG, task, logical date and try: tasks that failed together come back apart.
  The value is the multiplier (a float); `True` is a relic of Airflow 2.
- `order_samples`: a retry *policy*. It looks at the exception: a rate limit waits 15 minutes, refused
  credentials fail at once with retries left, anything else follows the task's own settings.
- `render_catalogue`: `execution_timeout` ends a task that hangs by `AirflowTaskTimeout`. The timeout is for
  one try; the next one gets the whole time again. Then `dagrun_timeout` bounds the run.

**When to use it**

Every task that talks to something over a network needs retries, a delay that grows and an upper bound.

**When not**

- The task is not idempotent: a retry after a half-done write does it twice. Repair that first.
- The error is in the data or in the request: no retry repairs it. Raise `AirflowFailException`.

**What to change**

The rules of `SUPPLIER_POLICY`; rules match exception classes, subclasses included, in order. Trigger with
`{"price_list_failures": 4}` and watch the task's tries, or with `{"render_seconds": 600}` to see the timeout.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta

import pendulum
from airflow.sdk import (
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    dag,
    get_current_context,
    task,
)

from airflow_usecases.remote_errors import PermanentError, RateLimited, TransientError, error_of

log = logging.getLogger(__name__)

SUPPLIER_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=RateLimited,
            action=RetryAction.RETRY,
            retry_delay=timedelta(minutes=15),
            reason="the supplier's quota is filled up every 15 minutes",
        ),
        RetryRule(
            exception=PermanentError,
            action=RetryAction.FAIL,
            reason="the supplier refuses the request; it would refuse the next one too",
        ),
    ]
)


@task(retries=2, retry_delay=timedelta(minutes=2), multiple_outputs=False)
def fetch_stock_levels() -> dict[str, int]:
    """Stock per article. A fixed delay: the file is there two minutes later or not at all."""
    return {"A-100": 12, "A-200": 0, "A-300": 7}


@task(
    retries=4,
    retry_delay=timedelta(seconds=60),
    retry_exponential_backoff=2.0,
    max_retry_delay=timedelta(minutes=5),
    multiple_outputs=False,
)
def fetch_price_list() -> dict[str, str]:
    """Price per article. The first `price_list_failures` tries fail, as an overloaded service does."""
    context = get_current_context()
    try_number = context["ti"].try_number
    if try_number <= context["params"]["price_list_failures"]:
        raise TransientError(f"price service is overloaded (try {try_number})", 503)
    return {"A-100": "4.20", "A-200": "11.00", "A-300": "0.95"}


@task(
    retries=3,
    retry_delay=timedelta(minutes=1),
    retry_exponential_backoff=2.0,
    max_retry_delay=timedelta(minutes=10),
    retry_policy=SUPPLIER_POLICY,
)
def order_samples(stock: dict[str, int]) -> list[str]:
    """Order samples of what is out of stock; the supplier answers the first try with `order_status`."""
    context = get_current_context()
    if context["ti"].try_number == 1:
        error = error_of(context["params"]["order_status"], "the supplier's order service")
        if error is not None:
            raise error
    return sorted(article for article, pieces in stock.items() if pieces == 0)


@task(retries=1, execution_timeout=timedelta(minutes=5))
def render_catalogue(prices: dict[str, str], ordered: list[str]) -> int:
    """Render a page per article and return how many; `render_seconds` stands for a renderer that hangs."""
    time.sleep(get_current_context()["params"]["render_seconds"])
    log.info("%d articles, %d on order", len(prices), len(ordered))
    return len(prices)


@dag(
    dag_id="phase7_01_retry_strategies",
    description="Fixed delay, exponential backoff, retry policy, execution timeout",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args={
        "owner": "platform",
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=2),
    },
    params={
        "price_list_failures": Param(
            2, type="integer", minimum=0, maximum=5, description="So many tries of fetch_price_list fail"
        ),
        "order_status": Param(
            200, type="integer", enum=[200, 401, 429, 503], description="How the first order is answered"
        ),
        "render_seconds": Param(
            0, type="number", minimum=0, maximum=3600, description="How long the renderer takes"
        ),
    },
    tags=["phase7", "retries"],
)
def refresh_catalogue() -> None:
    """Wire the tasks; runs at parse time."""
    render_catalogue(fetch_price_list(), order_samples(fetch_stock_levels()))


refresh_catalogue()
