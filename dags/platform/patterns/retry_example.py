"""
# Retry what can succeed, give up on what cannot

An exchange's price API answers 429 when it is called too often. Only that is worth another try.

**What it shows**

- Defaults for all tasks: 3 retries, 5 minutes apart, doubled each time and capped at 30 (5, 10, 20).
  Airflow adds up to the same time again at random, so that many tasks do not come back at the same moment;
  never above the cap. `fetch_prices` overrides the number: 5 retries (5, 10, 20, 30, 30).
- `retry_policy`: a rule per exception **class**; the text of an exception is never matched. `RateLimited`
  is retried, everything else fails at once. `airflow_usecases/rate_limit.py` turns HTTP answers into
  classes.
- Retries are only logged (`on_retry_callback`); the alert goes out when the task has finally failed
  (`on_failure_callback`, a notifier *object*).
- `create_workspace` and `remove_workspace` are setup and teardown: the folder goes away when the work in
  between fails, and the run is red all the same.
- `execution_timeout` of 30 minutes limits each *try*; `dagrun_timeout` limits the run, waiting included.

**When to use it**

For each call of something outside.

**When not**

A task that is not repeatable: make it so first. To wait for something that comes later: a sensor.

**What to change**

The rules, the connection `prices_api`, and `workspace_root`: where tasks run in pods, a volume that all of
them mount.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import pendulum
from airflow.sdk import (
    DAG,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    get_current_context,
    task,
)

from airflow_usecases import rate_limit
from tenant_airflow_lib.notifiers import SlackFailureNotifier

log = logging.getLogger(__name__)

ONLY_RATE_LIMITS = ExceptionRetryPolicy(
    rules=[RetryRule(rate_limit.RateLimited, RetryAction.RETRY, reason="rate limit")],
    default=RetryAction.FAIL,
)


@task
def create_workspace() -> str:
    """Make an empty folder for this run; returns its path."""
    root = get_current_context()["params"]["workspace_root"]
    return tempfile.mkdtemp(prefix="prices-", dir=root or None)


@task(retries=5, retry_policy=ONLY_RATE_LIMITS, on_retry_callback=rate_limit.log_retry)
def fetch_prices(workspace: str) -> str:
    """Fetch the prices into the workspace; returns the file. Raises RateLimited, RequestRefused."""
    from airflow.providers.http.hooks.http import HttpHook

    file = Path(workspace) / "prices.json"
    file.write_text("", encoding="utf-8")  # what a try that fails would leave behind
    answer = HttpHook(method="GET", http_conn_id="prices_api").run(
        "/v1/prices", extra_options={"timeout": 10, "check_response": False}
    )
    file.write_text(json.dumps(rate_limit.body_of(answer)), encoding="utf-8")
    return str(file)


@task
def count_prices(file: str) -> int:
    """How many prices there are."""
    return len(json.loads(Path(file).read_text(encoding="utf-8"))["prices"])


@task
def remove_workspace(workspace: str) -> None:
    """Delete the folder and what is in it."""
    shutil.rmtree(workspace)
    log.info("removed %s", workspace)


with DAG(
    dag_id="retry_example",
    description="Retries by exception class with growing delays, an alert at the end, clean-up in any case",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    default_args={
        "owner": "platform",
        "retries": 3,
        "retry_delay": timedelta(minutes=5),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=30),
        "execution_timeout": timedelta(minutes=30),
        "on_failure_callback": [SlackFailureNotifier(slack_webhook_conn_id="slack_webhook")],
    },
    params={"workspace_root": Param("", type="string", description="Empty: the system's folder")},
    tags=["platform", "patterns", "retries"],
):
    created = create_workspace()
    counted = count_prices(fetch_prices(created))
    counted >> remove_workspace(created).as_teardown(setups=created)
