"""
# From the data centre to the cloud

A script on a machine of the company writes a file; the file goes to S3; a batch job in AWS works on it.

**What it shows**

- Extract where the data is (`SSHOperator`), move (`SFTPToS3Operator`), transform where there is room
  (`BatchOperator`): in *this* order, so that the object exists before the job is submitted.
- `deferrable=True`: while the batch job runs, the task waits in the triggerer.
- A **portable twin**: with the param `transform_on: kubernetes` the same image runs as a pod, in any
  cluster, in the cloud or beside the source. The price is that somebody runs the cluster.
- `literal(...)` around the command: a template field that *ends* in `.sh` is otherwise taken for a file of
  the bundle.
- The upload leaves an audit line (logger `audit.transfer`): which file went where, in which run.
- Connections name the machines and roles; the SSH host key is checked.

**When to use it**

The data centre cannot reach the cloud by itself, and files come once a day.

**When not**

Large or many files: `rsync` or AWS DataSync moves only what has changed; let a task start it and wait for
it. A source that can be queried from the cloud needs no files.

**What to change**

The script, the paths, the queue and the job definition. One object per day, so that a second run of a day
replaces its own object only.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.amazon.aws.operators.batch import BatchOperator
from airflow.providers.amazon.aws.transfers.sftp_to_s3 import SFTPToS3Operator
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.ssh.operators.ssh import SSHOperator
from airflow.sdk import DAG, Param, get_current_context, literal, task

from airflow_usecases import lake_jobs
from airflow_usecases.audit import audit_transfer

BUCKET = "hybrid-bucket"
KEY = f"final/{lake_jobs.PARTITION}.csv"
TARGETS = {"batch": "transform_in_aws", "kubernetes": "transform_in_pod"}


@task.branch
def choose_transform() -> str:
    """The task that transforms, by the param `transform_on`."""
    return TARGETS[get_current_context()["params"]["transform_on"]]


with DAG(
    dag_id="hybrid_cloud_workflow",
    description="Extract on premises by SSH, upload to S3, transform by AWS Batch or in a pod",
    doc_md=__doc__,
    schedule="@daily",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    default_args={
        "owner": "platform",
        "retries": 2,
        "retry_delay": timedelta(minutes=5),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=30),
        "execution_timeout": timedelta(hours=1),
    },
    params={"transform_on": Param("batch", enum=sorted(TARGETS), description="Where to transform")},
    tags=["platform", "hybrid", "confidential"],
):
    extract_data_on_prem = SSHOperator(
        task_id="extract_data_on_prem",
        ssh_conn_id="on_prem_ssh",
        command=literal("/scripts/extract.sh"),
        conn_timeout=30,
        cmd_timeout=1800,
        do_xcom_push=False,
    )
    load_to_s3 = SFTPToS3Operator(
        task_id="load_to_s3",
        sftp_conn_id="on_prem_ssh",
        sftp_path="/data/final.csv",
        s3_bucket=BUCKET,
        s3_key=KEY,
        aws_conn_id="aws_conn",
        replace=True,
        on_success_callback=[audit_transfer],
    )
    transform_in_aws = BatchOperator(
        task_id="transform_in_aws",
        job_name="transform_data",
        job_queue="aws-batch-queue",
        job_definition="pyspark-job",
        parameters={"input": f"s3://{BUCKET}/{KEY}"},
        aws_conn_id="aws_conn",
        deferrable=True,
        poll_interval=30,
        max_retries=100,
    )
    transform_in_pod = KubernetesPodOperator(
        task_id="transform_in_pod",
        name="transform-data",
        kubernetes_conn_id=None,
        in_cluster=True,  # the cluster that Airflow itself runs in
        image="registry.example.com/data/pyspark-job:1.4.2",
        arguments=["--input", f"s3://{BUCKET}/{KEY}"],
        deferrable=True,
        poll_interval=30,
        startup_timeout_seconds=300,
        on_finish_action="delete_pod",
        automount_service_account_token=False,
    )

    extract_data_on_prem >> load_to_s3 >> choose_transform() >> [transform_in_aws, transform_in_pod]
