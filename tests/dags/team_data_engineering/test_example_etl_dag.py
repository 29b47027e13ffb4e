"""Two Spark jobs, then an upsert into Redshift: with the parameters and the SQL that are written here."""

from __future__ import annotations

import datetime

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "daily_etl_pipeline"
DAY = datetime.datetime(2026, 3, 6, 2, tzinfo=datetime.UTC)
ROLE = "arn:aws:iam::123456789012:role/emr-job"
COPY_ROLE = "arn:aws:iam::123456789012:role/redshift-copy"
GOLDEN = [
    "CREATE TABLE #daily_metrics (LIKE analytics.daily_metrics INCLUDING DEFAULTS);",
    "COPY #daily_metrics FROM 's3://gold-bucket/daily_metrics/2026-03-06/' "
    f"credentials 'aws_iam_role={COPY_ROLE}' FORMAT AS PARQUET;",
    "BEGIN;",
    "DELETE FROM analytics.daily_metrics USING #daily_metrics "
    "WHERE daily_metrics.metric_date = #daily_metrics.metric_date "
    "AND daily_metrics.metric_name = #daily_metrics.metric_name;",
    "INSERT INTO analytics.daily_metrics SELECT * FROM #daily_metrics;",
    "COMMIT",
]


@pytest.fixture
def emr(aws, connect, variable, redshift):
    aws.connection("aws_default")
    connect("aws_encrypted", "aws", extra={"role_arn": COPY_ROLE})
    connect(
        "redshift_default",
        "redshift",
        host="lake.abc.us-east-1.redshift.amazonaws.com",
        port=5439,
        login="loader",
        password="redshift-password",
        schema="warehouse",
        extra={"sslmode": "verify-full"},
    )
    client = aws.client("emr-serverless")
    application = client.create_application(name="spark", releaseLabel="emr-7.0.0", type="SPARK")
    variable("emr_application_id", application["applicationId"])
    variable("emr_execution_role", ROLE)
    client.application_id = application["applicationId"]
    return client


def jobs(client) -> list[dict]:
    found = client.list_job_runs(applicationId=client.application_id)["jobRuns"]
    details = [
        client.get_job_run(applicationId=client.application_id, jobRunId=job["id"])["jobRun"] for job in found
    ]
    return sorted(details, key=lambda job: job["name"])


@pytest.mark.covers("D003-1")
def test_two_spark_jobs_run_with_the_given_parameters(emr):
    done = run(DAG_ID, logical_date=DAY)
    assert done.state == "success"
    silver, gold = jobs(emr)
    assert silver["name"] == "bronze-to-silver-2026-03-06"
    assert silver["jobDriver"]["sparkSubmit"] == {
        "entryPoint": "s3://scripts-bucket/transform_silver.py",
        "entryPointArguments": ["--day", "2026-03-06"],
        "sparkSubmitParameters": "--conf spark.executor.cores=4 --conf spark.executor.memory=16g",
    }
    assert gold["jobDriver"]["sparkSubmit"] == {
        "entryPoint": "s3://scripts-bucket/transform_gold.py",
        "entryPointArguments": ["--day", "2026-03-06"],
    }
    for job in (silver, gold):
        assert job["executionRole"] == ROLE
        assert job["configurationOverrides"] == {
            "monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": "s3://logs-bucket/emr-logs/"}}
        }
    assert done.xcom("transform_bronze_to_silver") == silver["jobRunId"]
    assert done.xcom("transform_silver_to_gold") == gold["jobRunId"]


@pytest.mark.covers("D003-1")
def test_the_statements_that_redshift_gets_are_these(emr, redshift):
    run(DAG_ID, logical_date=DAY)
    assert redshift.statements == GOLDEN
    (connection,) = redshift.connections
    assert connection["sslmode"] == "verify-full"


@pytest.mark.covers("D003-1")
def test_without_a_data_interval_the_partition_is_the_day_from_which_the_run_may_run(emr, redshift):
    done = run(DAG_ID, logical_date=None, run_after=datetime.datetime(2026, 4, 1, 9, tzinfo=datetime.UTC))
    assert done.state == "success"
    assert "daily_metrics/2026-04-01/" in redshift.statements[1]
    assert jobs(emr)[0]["name"] == "bronze-to-silver-2026-04-01"


@pytest.mark.covers("D003-1")
def test_the_two_jobs_wait_in_the_triggerer_one_after_the_other_before_the_load():
    dag = bag().dags[DAG_ID]
    for task_id, following in (
        ("transform_bronze_to_silver", "transform_silver_to_gold"),
        ("transform_silver_to_gold", "load_to_redshift"),
    ):
        task = dag.get_task(task_id)
        assert task.deferrable
        assert task.downstream_task_ids == {following}


@pytest.mark.covers("D003-1")
def test_the_dag_runs_at_two_with_two_retries_five_minutes_apart_for_the_data_team():
    dag = bag().dags[DAG_ID]
    assert dag.schedule == "0 2 * * *"
    for task in dag.tasks:
        assert (task.owner, task.retries, task.retry_delay) == (
            "data-team",
            2,
            datetime.timedelta(minutes=5),
        )


def test_a_missing_application_fails_before_anything_is_loaded(emr, redshift, variable):
    variable("emr_application_id", "00000000000000")
    done = run(DAG_ID, logical_date=DAY)
    assert done.state == "failed"
    assert done.states["load_to_redshift"] == "upstream_failed"
    assert redshift.statements == []
