"""
# A REST API: token, pages, rate limit

A carrier's API knows where our shipments are. It wants an OAuth2 token, answers in pages, and asks for a
pause when we are too fast.

**What it shows**

- `HttpOperator` follows the pages itself: `pagination_function` says what to change for the next request,
  `response_filter` merges all pages. The shipments go to a file; the XCom has its path and the numbers.
- The token is an `auth_type`: the connection's login and password are client id and secret, the token is
  fetched once per task and stays in memory. A task `fetch_token` would put it into the database as an XCom.
- Rate limit: on 429 the client waits as long as `Retry-After` says (`retry_args`). Is the pause longer than a
  minute, the task fails and its retry waits instead, without a worker's slot.
- A refusal (any other 4xx) fails `fetch_shipments` at once by a retry policy: asking again changes nothing.
- `check_carrier_status` is *deferrable*: the triggerer waits for the answer. It suits slow answers without
  a token: a trigger knows neither `retry_args` nor this `auth_type`.
- `HttpHook` where code decides: `confirm_receipt` posts the numbers back, with the run as idempotency key.

**When to use it**

APIs with the usual manners. The pieces in `airflow_usecases/rest_client.py` fit any of them.

**When not**

There is a provider for the service. Or the result is one huge file: stream it to object storage.

**What to change**

The connections `carrier_api` and `carrier_status`, `next_page` for your API's way of paging, and the paths.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

from airflow_usecases import rest_client
from airflow_usecases.optional_providers import missing_provider
from airflow_usecases.remote_errors import PermanentError

try:
    from airflow.providers.http.operators.http import HttpOperator
except ModuleNotFoundError:
    HttpOperator = missing_provider("apache-airflow-providers-http")

if TYPE_CHECKING:
    from requests import Response


REFUSED = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=PermanentError,
            action=RetryAction.FAIL,
            reason="the carrier refuses the request; it would refuse the next one too",
        )
    ]
)


def is_operational(response: Response) -> bool:
    """Whether the status page says that the API works."""
    return bool(response.json()["status"] == "operational")


def store_shipments(responses: list[Response], params: dict[str, Any], run_id: str) -> dict[str, Any]:
    """Merge the pages into one file of JSON lines; its path and numbers."""
    shipments = [shipment for response in responses for shipment in response.json()["shipments"]]
    folder = Path(params["target_path"])
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{''.join(c if c.isalnum() else '-' for c in run_id)}.jsonl"
    file.write_text("".join(json.dumps(shipment) + "\n" for shipment in shipments), encoding="utf-8")
    return {"path": str(file), "pages": len(responses), "shipments": len(shipments)}


@task
def confirm_receipt(fetched: dict[str, Any]) -> str:
    """Tell the carrier what has arrived; the receipt's id."""
    from airflow.providers.http.hooks.http import HttpHook

    hook = HttpHook(method="POST", http_conn_id="carrier_api", auth_type=rest_client.ClientCredentials)
    answer = hook.run(
        "v1/receipts",
        json={"shipments": fetched["shipments"]},
        headers={"Idempotency-Key": get_current_context()["run_id"]},
        extra_options={"timeout": 10},
    )
    return str(answer.json()["receipt_id"])


with DAG(
    dag_id="phase9_02_api_integration",
    description="Shipments from a REST API with OAuth2, pages and a rate limit",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "platform",
        "retries": 3,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(minutes=10),
    },
    params={
        "target_path": Param("/data/shipments", type="string", description="Folder of the fetched files"),
        "page_size": Param(100, type="integer", minimum=1, maximum=500),
    },
    tags=["phase9", "api"],
):
    check_carrier_status = HttpOperator(
        task_id="check_carrier_status",
        http_conn_id="carrier_status",
        endpoint="status",
        method="GET",
        response_check=is_operational,
        extra_options={"timeout": 10},
        deferrable=True,
    )
    fetch_shipments = HttpOperator(
        task_id="fetch_shipments",
        http_conn_id="carrier_api",
        endpoint="v1/shipments",
        method="GET",
        data={"page_size": "{{ params.page_size }}"},
        auth_type=rest_client.ClientCredentials,
        pagination_function=rest_client.next_page,
        response_filter=store_shipments,
        retry_args=rest_client.POLITE,
        extra_options={"timeout": 10, "check_response": False},
        retry_policy=REFUSED,
    )
    check_carrier_status >> fetch_shipments
    confirm_receipt(fetch_shipments.output)
