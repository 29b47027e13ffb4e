"""
# Exception handling

Exchange rates are fetched from a service. When it is down, yesterday's rates are good enough, and are marked.

**What it shows**

- Two exception classes: `TransientError` (no answer, 429, 5xx) is retried, `PermanentError` (other 4xx) is
  not. A retry policy maps the classes; the task body only says what happened.
- Graceful degradation: `read_last_rates` runs only when `fetch_rates` failed for good. It supplies the last
  rates that were fetched, with `degraded: true` and their age, so that every consumer can see it.
- The last good rates are kept in the state of the asset `exchange_rates` (`asset_state_store`): it outlives
  the run, and needs neither a file share nor a Variable that somebody edits by hand.
- A fallback must not hide a mistake. `require_accepted_request` fails the run when the service *refused* the
  request: rates are published, and somebody is told. An outage alone leaves the run green.

**When to use it**

A stale or approximate value is better than none: rates, prices, reference data, feature values.

**When not**

- A stale value is wrong: balances, invoices, anything legal. Let the run fail.
- The source is down often: see the circuit breaker, which stops asking.

**What to change**

The connection `exchange_rates_api`, `fetch_rates`, and in `read_last_rates` the age at which old is too old.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

import pendulum
from airflow.sdk import (
    Asset,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    TriggerRule,
    dag,
    get_current_context,
    task,
)
from airflow.sdk.exceptions import AirflowFailException

from airflow_usecases.remote_errors import PermanentError, TransientError, error_of

log = logging.getLogger(__name__)

RATES = Asset(name="exchange_rates")
CONNECTION = "exchange_rates_api"
HTTP_TIMEOUT = 10  # seconds


@task(
    outlets=[RATES],
    multiple_outputs=False,
    retries=3,
    retry_delay=timedelta(minutes=1),
    retry_exponential_backoff=2.0,
    max_retry_delay=timedelta(minutes=10),
    retry_policy=ExceptionRetryPolicy(
        rules=[
            RetryRule(exception=PermanentError, action=RetryAction.FAIL, reason="the request is refused"),
            RetryRule(exception=TransientError, action=RetryAction.RETRY, reason="this may pass"),
        ]
    ),
)
def fetch_rates() -> dict[str, Any]:
    """Fetch today's rates and keep them as the last good ones. Pushes `refused` when the service says no."""
    import requests
    from airflow.providers.http.hooks.http import HttpHook

    context = get_current_context()
    hook = HttpHook(method="GET", http_conn_id=CONNECTION)
    options = {"timeout": HTTP_TIMEOUT, "check_response": False}
    try:
        response = hook.run("v1/rates", {"base": context["params"]["base"]}, extra_options=options)
    except (requests.ConnectionError, requests.Timeout) as error:
        raise TransientError("the rate service gave no answer") from error
    error_answer = error_of(response.status_code, "the rate service")
    if isinstance(error_answer, PermanentError):
        context["ti"].xcom_push(key="refused", value=str(error_answer))
    if error_answer is not None:
        raise error_answer
    rates = {"rates": response.json()["rates"], "fetched_at": pendulum.now("UTC").isoformat()}
    context["asset_state_store"][RATES].set("last_good", rates)
    return rates | {"degraded": False}


@task(trigger_rule=TriggerRule.ALL_FAILED, inlets=[RATES], multiple_outputs=False)
def read_last_rates() -> dict[str, Any]:
    """The last good rates, flagged. Fails, without retries, when there are none or they are too old."""
    context = get_current_context()
    kept = context["asset_state_store"][RATES].get("last_good")
    if not isinstance(kept, dict):
        raise AirflowFailException("the rates were never fetched: there is nothing to fall back to")
    age = pendulum.now("UTC") - datetime.fromisoformat(str(kept["fetched_at"]))
    if age > timedelta(days=context["params"]["max_age_days"]):
        raise AirflowFailException(f"the last good rates are {age.days} days old")
    return {**kept, "degraded": True, "age_seconds": int(age.total_seconds())}


@task(trigger_rule=TriggerRule.ONE_SUCCESS, multiple_outputs=False)
def publish_rates(fetched: dict[str, Any] | None, kept: dict[str, Any] | None) -> dict[str, Any]:
    """Publish whichever rates there are; `degraded` tells the consumers which."""
    rates = fetched or kept
    if rates is None:
        raise AirflowFailException("there are no rates to publish")
    log.info("%d rates published, degraded: %s", len(rates["rates"]), rates["degraded"])
    return rates


@task
def require_accepted_request() -> None:
    """Fail the run when the service refused the request: this does not pass by itself."""
    refused = get_current_context()["ti"].xcom_pull(task_ids="fetch_rates", key="refused")
    if refused:
        raise AirflowFailException(f"{refused}: check the connection {CONNECTION} and the request")


@dag(
    dag_id="phase7_02_exception_handling",
    description="Transient and permanent errors, a fallback that is marked as such",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args={
        "owner": "platform",
        "retries": 1,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=2),
    },
    params={
        "base": Param("EUR", type="string", pattern="^[A-Z]{3}$", description="Rates are per unit of this"),
        "max_age_days": Param(3, type="integer", minimum=1, description="Older rates are not published"),
    },
    tags=["phase7", "exceptions"],
)
def load_exchange_rates() -> None:
    """Wire the tasks; runs at parse time."""
    fetched = fetch_rates()
    kept = read_last_rates()
    fetched >> kept
    published = publish_rates(fetched, kept)
    published >> require_accepted_request()


load_exchange_rates()
