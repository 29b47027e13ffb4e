"""
# An HTTP API into a file per day

All customers of the CRM are fetched page by page into one file per day.

**What it shows**

- Reading page by page into a file: memory stays small, and the XCom is the path with two counts.
- The file of the day appears when the last page has come; a try that fails half-way leaves the old one as
  it was.
- Address and token are in the connection `crm_api`. The call has a timeout, the task has retries with
  growing delays.

**When to use it**

APIs without a change feed, up to some hundred thousand rows.

**When not**

When the API can say what has changed: fetch only that.

**What to change**

`fetch`: it returns a page's answer with `items`, a list of rows, and `next_page`, the number of the next page
or null. And `data_folder`, a volume that all tasks see.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task

from airflow_usecases import paged_api
from airflow_usecases.run_dates import run_day

if TYPE_CHECKING:
    from airflow_usecases.paged_api import Ingested


@task
def ingest_customers() -> Ingested:
    """Write the customers to the file of the day."""
    from airflow.providers.http.hooks.http import HttpHook

    context = get_current_context()
    hook = HttpHook(method="GET", http_conn_id="crm_api")

    def fetch(page: int) -> dict[str, Any]:
        answer = hook.run("/v2/customers", data={"page": page}, extra_options={"timeout": 30})
        body: dict[str, Any] = answer.json()
        return body

    folder = Path(context["params"]["data_folder"])
    return paged_api.ingest(fetch, folder / f"{run_day(context['dag_run'])}.jsonl")


@task
def check_rows(ingested: Ingested) -> int:
    """Fail when there is nothing: an empty CRM is a broken export."""
    if ingested["rows"] == 0:
        raise ValueError(f"{ingested['path']} is empty")
    return ingested["rows"]


with DAG(
    dag_id="de_ingest_api",
    description="All pages of an HTTP API into one file per day",
    doc_md=__doc__,
    schedule="@daily",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    default_args={
        "owner": "data_engineering",
        "retries": 3,
        "retry_delay": timedelta(minutes=2),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=20),
        "execution_timeout": timedelta(minutes=30),
    },
    params={"data_folder": Param("/data/customers", type="string")},
    tags=["data_engineering", "ingestion", "pii"],
):
    check_rows(ingest_customers())
