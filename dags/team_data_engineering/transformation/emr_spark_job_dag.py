"""
# One Spark job on EMR Serverless

Submit, follow, wait: the smallest DAG that runs Spark. Start it with the script and its arguments.

**What it shows**

- `deferrable=True` waits in the triggerer; `waiter_delay` and `waiter_max_attempts` bound the wait (here 2
  hours).
- `cancel_on_kill=True`: a killed task does not leave a job behind that costs money until it ends by itself.
- Monitoring: logs go to S3, `enable_application_ui_links` puts links to the Spark UI and the driver's log
  on the task.
- A job that ends as FAILED fails the task; a retry submits the job again, so the script must overwrite its
  output.
- What this cannot prevent: a worker that dies right after it submitted a job has told nobody its id. A retry
  submits a second job while the first goes on, so both must write the same output to the same place. A fixed
  `client_request_token` is no help: a retry after a FAILED job would be given that job again.
- Params with a schema: a path outside `s3://` is refused before the run exists.

**When to use it**

Ad-hoc jobs, and as the part to copy for a pipeline of your own.

**When not**

Several jobs that follow each other: see `daily_etl_pipeline`.

**What to change**

The default script, the executor's size, the bucket of the logs.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.amazon.aws.operators.emr import EmrServerlessStartJobOperator
from airflow.sdk import DAG, Param

from airflow_usecases import lake_jobs

with DAG(
    dag_id="emr_spark_job",
    description="Submits one Spark job to EMR Serverless and waits for it in the triggerer",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=4,
    dagrun_timeout=timedelta(hours=4),
    default_args={
        "owner": "data_engineering",
        "retries": 1,
        "retry_delay": timedelta(minutes=5),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=30),
        "execution_timeout": timedelta(hours=2),
    },
    params={
        "entry_point": Param(
            "s3://scripts-bucket/compact_events.py",
            type="string",
            pattern="^s3://",
            description="PySpark script",
        ),
        "day": Param(None, type=["null", "string"], format="date", description="Empty: the day of the run"),
    },
    tags=["data_engineering", "transformation", "spark"],
):
    EmrServerlessStartJobOperator(
        task_id="run_spark_job",
        name="spark-{{ run_id }}",
        application_id="{{ var.value.emr_application_id }}",
        execution_role_arn="{{ var.value.emr_execution_role }}",
        job_driver=lake_jobs.spark_job(
            "{{ params.entry_point }}",
            *("--day", "{{ params.day or " + lake_jobs.DAY + " }}"),
            executor_cores=4,
            executor_memory="16g",
        ),
        configuration_overrides=lake_jobs.logs_to("s3://logs-bucket/emr-logs/"),
        enable_application_ui_links=True,
        aws_conn_id="aws_default",
        deferrable=True,
        cancel_on_kill=True,
        waiter_delay=60,
        waiter_max_attempts=120,
    )
