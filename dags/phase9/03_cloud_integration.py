"""
# Three clouds: query, store, copy

A partner works in Azure, our data is in BigQuery, our lake in S3. A day's revenue goes from the query to
S3, from there to the partner's container, in two ways; in the end all copies are compared.

**What it shows**

- `BigQueryHook`, `S3Hook`, `WasbHook`: each is imported *inside* its task. The file parses without any of the
  three providers, quickly, and only the task whose provider is missing fails.
- A copy with two hooks (`copy_with_hooks`): the body of one response is the upload of the other; an object
  of any size passes through little memory.
- The same with `ObjectStoragePath` (`copy_with_paths`): one line, `source.copy(target)`, for any two
  stores, with the connections in the paths.
- `verify_copies` reads every copy back and compares size and SHA-256. A checksum that the writer computed
  proves nothing about what the reader will get.
- Written with `replace` and `overwrite` under the day's name: running twice ends in the same state.

**When to use it**

Objects up to some gigabytes, from time to time.

**When not**

Terabytes, or every hour: let the clouds move it (transfer services), the traffic through a worker is slow
and paid.

**What to change**

The connections `google_cloud_default`, `aws_default`, `wasb_default`, the query, and bucket and container
in the params.
"""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, ObjectStoragePath, Param, get_current_context, task

from airflow_usecases import cloud_copy
from airflow_usecases.run_dates import run_day

GCP, AWS, AZURE = "google_cloud_default", "aws_default", "wasb_default"
COLUMNS = ("region", "orders", "revenue")
QUERY = """
    SELECT region, COUNT(*) AS orders, SUM(amount) AS revenue
    FROM sales.orders
    WHERE day = %(day)s
    GROUP BY region
    ORDER BY region
"""


@task
def export_revenue() -> str:
    """Query BigQuery and write the result to S3; the object's key."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from airflow.providers.google.cloud.hooks.bigquery import BigQueryHook

    context = get_current_context()
    params, day = context["params"], run_day(context["dag_run"])
    hook = BigQueryHook(gcp_conn_id=GCP, use_legacy_sql=False, location=params["location"])
    rows = hook.get_records(QUERY, parameters={"day": day})
    key = f"revenue/day={day}.csv"
    S3Hook(AWS).load_bytes(
        cloud_copy.as_csv(COLUMNS, rows), key=key, bucket_name=params["bucket"], replace=True
    )
    return key


@task
def copy_with_hooks(key: str) -> str:
    """Stream the object from S3 to Azure through two hooks; the blob's name."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from airflow.providers.microsoft.azure.hooks.wasb import WasbHook

    params = get_current_context()["params"]
    source = S3Hook(AWS).get_key(key, bucket_name=params["bucket"]).get()
    with closing(source["Body"]) as body:
        WasbHook(AZURE).upload(params["container"], key, body, length=source["ContentLength"], overwrite=True)
    return key


@task
def copy_with_paths(key: str) -> str:
    """Copy the object by paths; the blob's name."""
    params = get_current_context()["params"]
    source = ObjectStoragePath(f"s3://{AWS}@{params['bucket']}/{key}")
    name = f"by-path/{key}"
    source.copy(ObjectStoragePath(f"abfs://{AZURE}@{params['container']}/{name}"))
    return name


@task(multiple_outputs=False)
def verify_copies(key: str, blobs: list[str]) -> dict[str, Any]:
    """Read all copies back and compare them; their fingerprint."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from airflow.providers.microsoft.azure.hooks.wasb import WasbHook

    params = get_current_context()["params"]
    with closing(S3Hook(AWS).get_key(key, bucket_name=params["bucket"]).get()["Body"]) as body:
        found = {f"s3 {key}": cloud_copy.fingerprint(cloud_copy.chunks(body))}
    azure = WasbHook(AZURE)
    for name in blobs:
        found[f"azure {name}"] = cloud_copy.fingerprint(azure.download(params["container"], name).chunks())
    return dict(cloud_copy.require_same(found))


with DAG(
    dag_id="phase9_03_cloud_integration",
    description="From BigQuery to S3 to Azure, with all copies compared",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args={
        "owner": "platform",
        "retries": 3,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(minutes=15),
    },
    params={
        "bucket": Param("platform-lake", type="string"),
        "container": Param("partner", type="string"),
        "location": Param("EU", type="string", description="Where BigQuery has the data set"),
    },
    tags=["phase9", "cloud"],
):
    exported = export_revenue()
    verify_copies(exported, [copy_with_hooks(exported), copy_with_paths(exported)])
