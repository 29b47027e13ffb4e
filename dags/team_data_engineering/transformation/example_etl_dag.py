"""
# Bronze to Silver to Gold to Redshift, every night

Two Spark jobs on EMR Serverless, then the day's metrics go into the warehouse.

**What it shows**

- `EmrServerlessStartJobOperator(deferrable=True)`: while Spark works the task waits in the triggerer and
  holds no worker slot. When somebody kills the task, `cancel_on_kill` cancels the Spark job too.
- What this cannot prevent: a worker that dies right after it submitted a job has told nobody its id. A retry
  submits a second job while the first goes on, so both must write the same output to the same place. A fixed
  `client_request_token` is no help: a retry after a FAILED job would be given that job again.
- Application and role are Variables, rendered when the task runs: `{{ var.value.emr_application_id }}`.
  Parsing reads none of them.
- The partition is the start of the data interval; runs without one (by hand, with an empty date) use
  `run_after`. A cron schedule runs *at* its tick, so the partition of the run of 2026-03-06 02:00 is
  `2026-03-06`.
- The load can be repeated: `UPSERT` copies into a temporary table and replaces the rows with the same keys
  in one transaction. A plain `COPY` would double the day on a second run. Redshift reads the bucket with a
  role of its own, from the connection `aws_encrypted`: no keys in the SQL.

**When to use it**

Batch transformations that are too big for a worker.

**When not**

A gigabyte or less: a task with DuckDB or SQL starts faster than a Spark application.

**What to change**

The scripts and buckets, `upsert_keys`, and the Variables `emr_application_id` and `emr_execution_role`.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.amazon.aws.operators.emr import EmrServerlessStartJobOperator
from airflow.providers.amazon.aws.transfers.s3_to_redshift import S3ToRedshiftOperator
from airflow.sdk import DAG

from airflow_usecases import lake_jobs
from airflow_usecases.audit import audit_transfer

EMR = {
    "application_id": "{{ var.value.emr_application_id }}",
    "execution_role_arn": "{{ var.value.emr_execution_role }}",
    "configuration_overrides": lake_jobs.logs_to("s3://logs-bucket/emr-logs/"),
    "aws_conn_id": "aws_default",
    "deferrable": True,
    "cancel_on_kill": True,
    "waiter_delay": 60,
    "waiter_max_attempts": 120,
    "execution_timeout": timedelta(hours=2),
}

with DAG(
    dag_id="daily_etl_pipeline",
    description="Bronze to Silver to Gold by Spark on EMR Serverless, then into Redshift",
    doc_md=__doc__,
    schedule="0 2 * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    default_args={
        "owner": "data-team",
        "retries": 2,
        "retry_delay": timedelta(minutes=5),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=30),
        "execution_timeout": timedelta(minutes=30),
    },
    tags=["data_engineering", "transformation", "lakehouse", "confidential"],
):
    transform_bronze_to_silver = EmrServerlessStartJobOperator(
        task_id="transform_bronze_to_silver",
        name=f"bronze-to-silver-{lake_jobs.PARTITION}",
        job_driver=lake_jobs.spark_job(
            "s3://scripts-bucket/transform_silver.py",
            *("--day", lake_jobs.PARTITION),
            executor_cores=4,
            executor_memory="16g",
        ),
        **EMR,
    )
    transform_silver_to_gold = EmrServerlessStartJobOperator(
        task_id="transform_silver_to_gold",
        name=f"silver-to-gold-{lake_jobs.PARTITION}",
        job_driver=lake_jobs.spark_job("s3://scripts-bucket/transform_gold.py", "--day", lake_jobs.PARTITION),
        **EMR,
    )
    load_to_redshift = S3ToRedshiftOperator(
        task_id="load_to_redshift",
        schema="analytics",
        table="daily_metrics",
        s3_bucket="gold-bucket",
        s3_key=f"daily_metrics/{lake_jobs.PARTITION}/",
        copy_options=["FORMAT AS PARQUET"],
        method="UPSERT",
        upsert_keys=["metric_date", "metric_name"],
        redshift_conn_id="redshift_default",
        aws_conn_id="aws_encrypted",
        on_success_callback=[audit_transfer],
    )

    transform_bronze_to_silver >> transform_silver_to_gold >> load_to_redshift
