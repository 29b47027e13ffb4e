"""
# Skip a task from inside

Exchange rates enrich the day's report, but the report must go out without them too. When the rates service
does not answer with 200, `fetch_rates` skips itself.

**What it shows**

`raise AirflowSkipException(...)` ends a task as *skipped*: no retry, no alert. What follows decides by its
trigger rule:

- `convert_amounts` (`all_success`, the default) is skipped with it: it cannot work without rates;
- `send_report` (`none_failed`) runs: a skipped upstream is not a failed one.

The request has a timeout. A connection error is not an answer: it raises, is retried, and fails in the end.

**When to use it**

Optional input, decided by what the task itself finds out.

**When not**

To hide failures. If the report is wrong without the rates, let the task fail.

**What to change**

The connection `rates_api` and the status codes that mean "not today".
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

log = logging.getLogger(__name__)
OK = 200


@task(multiple_outputs=False)
def fetch_rates() -> dict[str, float]:
    """Rates of the day by currency. Skips itself when the service answers with anything but 200."""
    from airflow.providers.http.hooks.http import HttpHook

    answer = HttpHook(method="GET", http_conn_id="rates_api").run(
        "/v1/rates", extra_options={"timeout": 10, "check_response": False}
    )
    if answer.status_code != OK:
        raise AirflowSkipException(f"the rates service answered {answer.status_code}")
    rates: dict[str, float] = answer.json()["rates"]
    return rates


@task(multiple_outputs=False)
def convert_amounts(rates: dict[str, float]) -> dict[str, float]:
    """The day's revenue in each currency."""
    revenue = get_current_context()["params"]["revenue"]
    return {currency: round(revenue * rate, 2) for currency, rate in rates.items()}


@task(multiple_outputs=False, trigger_rule="none_failed")
def send_report() -> dict[str, Any]:
    """Report with the conversions if there are any."""
    converted = get_current_context()["ti"].xcom_pull(task_ids="convert_amounts")
    log.info("report %s conversions", "with" if converted else "without")
    return {"converted": converted, "complete": converted is not None}


with DAG(
    dag_id="platform_skip_on_api",
    description="A task skips itself when an optional service is down; the report goes out all the same",
    doc_md=__doc__,
    schedule="@daily",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args={
        "owner": "platform",
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(minutes=5),
    },
    params={"revenue": 1200.0},
    tags=["platform", "patterns", "skip"],
):
    convert_amounts(fetch_rates()) >> send_report()
