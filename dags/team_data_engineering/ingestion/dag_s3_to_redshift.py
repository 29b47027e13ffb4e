"""
# An encrypted bucket into Redshift

Orders arrive as Parquet in a bucket that is encrypted with a KMS key, and go into the warehouse over TLS.

**What it shows**

- `S3ToRedshiftOperator` with a **role** instead of keys: the connection `aws_encrypted` names the role that
  Redshift assumes; it may decrypt with the KMS key. Without it the operator would write access keys into
  the SQL.
- `redshift_prod` demands TLS (`sslmode: verify-full` in its extra).
- `UPSERT` by key: the second load of the same file changes nothing.
- Each load leaves an audit line (logger `audit.transfer`): which file went into which table, in which run.
- Two DAGs from one function. `_v2` exists because its **contract** is another one (other table, file per
  day); consumers of the first move when they are ready. A changed *implementation* needs no copy: Airflow
  keeps each version of a DAG, and a run finishes with the code it began with when the bundle is versioned.

**When to use it**

Files that a producer drops in one place.

**When not**

Rows that change all day: capture changes (see `platform_ingest_cdc_bronze`).

**What to change**

Bucket, key, table, `upsert_keys`; drop the first DAG when its last consumer has gone.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.amazon.aws.transfers.s3_to_redshift import S3ToRedshiftOperator
from airflow.sdk import DAG

from airflow_usecases import lake_jobs
from airflow_usecases.audit import audit_transfer


def build_dag(dag_id: str, description: str, table: str, key: str) -> DAG:
    """A DAG that loads `key` of the encrypted bucket into `sales.<table>`."""
    with DAG(
        dag_id=dag_id,
        description=description,
        doc_md=__doc__,
        schedule="@daily",
        start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=2),
        default_args={
            "owner": "data_engineering",
            "retries": 3,
            "retry_delay": timedelta(minutes=5),
            "retry_exponential_backoff": 2.0,
            "max_retry_delay": timedelta(minutes=30),
            "execution_timeout": timedelta(minutes=30),
        },
        tags=["data_engineering", "ingestion", "confidential"],
    ) as dag:
        S3ToRedshiftOperator(
            task_id="secure_s3_to_redshift",
            schema="sales",
            table=table,
            s3_bucket="encrypted-bucket",
            s3_key=key,
            copy_options=["FORMAT AS PARQUET"],
            method="UPSERT",
            upsert_keys=["order_id"],
            redshift_conn_id="redshift_prod",
            aws_conn_id="aws_encrypted",
            on_success_callback=[audit_transfer],
        )
    return dag


build_dag("de_ingest_s3_redshift", "One Parquet file into sales.orders", "orders", "data.parquet")
build_dag(
    "de_ingest_s3_redshift_v2",
    "One Parquet file per day into sales.orders_v2",
    "orders_v2",
    f"orders/{lake_jobs.PARTITION}/data.parquet",
)
