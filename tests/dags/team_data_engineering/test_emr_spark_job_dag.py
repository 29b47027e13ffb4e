"""A Spark job that fails is a failed task; a killed task cancels its job.

moto's jobs are always SUCCESS, so the service is a stub here. It checks the requests against the API
reference of EMR Serverless: https://docs.aws.amazon.com/emr-serverless/latest/APIReference/Welcome.html
(GetApplication, StartJobRun, GetJobRun, CancelJobRun).
"""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from tests.dags.library import bag
from tests.dags.runner import run
from werkzeug import Request, Response

DAG_ID = "emr_spark_job"
APPLICATION, JOB = "00f1abcdefghij01", "00f1jobrun000001"
ROLE = "arn:aws:iam::123456789012:role/emr-job"


class EmrServerless:
    """Answers the four calls; `state` is what each job says of itself."""

    def __init__(self) -> None:
        self.state = "SUCCESS"
        self.started: list[dict] = []
        self.cancelled: list[str] = []

    def answer(self, request: Request) -> Response:
        job = re.fullmatch(rf"/applications/{APPLICATION}/jobruns/(\w+)", request.path)
        if request.path == f"/applications/{APPLICATION}":
            return self.json({"application": {"applicationId": APPLICATION, "state": "STARTED"}})
        if request.path == f"/applications/{APPLICATION}/jobruns" and request.method == "POST":
            assert request.json["clientToken"]
            self.started.append(request.json)
            return self.json({"applicationId": APPLICATION, "jobRunId": JOB, "arn": "arn:aws:x"})
        if request.path.endswith("/dashboard"):
            return self.json({"url": "https://spark-ui.example.com"})
        assert job, f"{request.method} {request.path}"
        if request.method == "DELETE":
            self.cancelled.append(job[1])
            return self.json({"applicationId": APPLICATION, "jobRunId": job[1]})
        assert request.method == "GET"
        run = {
            "applicationId": APPLICATION,
            "jobRunId": job[1],
            "state": self.state,
            "stateDetails": "exit 1",
        }
        return self.json({"jobRun": run})

    @staticmethod
    def json(body: object) -> Response:
        return Response(json.dumps(body), content_type="application/json")


@pytest.fixture
def emr(httpserver, connect, variable) -> EmrServerless:
    service = EmrServerless()
    httpserver.expect_request(re.compile(".*")).respond_with_handler(service.answer)
    connect(
        "aws_default",
        "aws",
        login="testing",
        password="testing",
        extra={"endpoint_url": httpserver.url_for(""), "region_name": "us-east-1"},
    )
    variable("emr_application_id", APPLICATION)
    variable("emr_execution_role", ROLE)
    return service


@pytest.mark.covers("D003-2")
def test_a_job_that_ends_well_is_a_task_that_ends_well(emr, httpserver):
    done = run(DAG_ID, conf={"entry_point": "s3://scripts-bucket/a.py", "day": "2026-03-05"})
    httpserver.check_assertions()
    assert done.state == "success"
    assert done.xcom("run_spark_job") == JOB
    (job,) = emr.started
    assert job["name"] == f"spark-{done.run_id}"
    assert job["executionRoleArn"] == ROLE
    assert job["jobDriver"]["sparkSubmit"] == {
        "entryPoint": "s3://scripts-bucket/a.py",
        "entryPointArguments": ["--day", "2026-03-05"],
        "sparkSubmitParameters": "--conf spark.executor.cores=4 --conf spark.executor.memory=16g",
    }
    monitoring = job["configurationOverrides"]["monitoringConfiguration"]
    assert monitoring == {"s3MonitoringConfiguration": {"logUri": "s3://logs-bucket/emr-logs/"}}


@pytest.mark.covers("D003-2")
def test_a_job_that_ends_as_failed_fails_the_task_after_its_one_retry(emr, httpserver):
    emr.state = "FAILED"
    done = run(DAG_ID)
    httpserver.check_assertions()
    assert done.state == "failed"
    assert done.states == {"run_spark_job": "failed"}
    assert done.tries("run_spark_job") == 2
    assert len(emr.started) == 2


def deferred(emr):
    """The task as it waits: its trigger, out of a real execution."""
    from airflow.sdk.exceptions import TaskDeferred

    emr.state = "RUNNING"
    task = bag().dags[DAG_ID].get_task("run_spark_job")
    probe = type(task)(
        task_id="probe",
        application_id=APPLICATION,
        execution_role_arn=ROLE,
        job_driver=task.job_driver,
        deferrable=task.deferrable,
        cancel_on_kill=task.cancel_on_kill,
        aws_conn_id=task.aws_conn_id,
        waiter_delay=task.waiter_delay,
        waiter_max_attempts=task.waiter_max_attempts,
    )
    with pytest.raises(TaskDeferred) as waiting:
        probe.execute({})
    return waiting.value


@pytest.mark.covers("D003-2")
def test_killing_the_waiting_task_cancels_the_job(emr, httpserver):
    trigger = deferred(emr).trigger
    assert emr.cancelled == []
    asyncio.run(trigger.on_kill())  # what the triggerer calls when a user ends the task
    httpserver.check_assertions()
    assert emr.cancelled == [JOB]


@pytest.mark.covers("D003-2")
def test_the_trigger_keeps_the_wish_to_cancel_when_it_is_stored(emr):
    path, fields = deferred(emr).trigger.serialize()
    assert path.endswith("EmrServerlessStartJobTrigger")
    assert fields["cancel_on_kill"] is True
    assert (fields["application_id"], fields["job_id"]) == (APPLICATION, JOB)
    assert (fields["waiter_delay"], fields["waiter_max_attempts"]) == (60, 120)


@pytest.mark.covers("D003-2")
def test_the_task_waits_in_the_triggerer():
    task = bag().dags[DAG_ID].get_task("run_spark_job")
    assert task.deferrable
    assert task.cancel_on_kill


def test_a_script_outside_s3_is_refused_when_the_run_is_created(emr):
    with pytest.raises(ValueError, match="entry_point"):
        run(DAG_ID, conf={"entry_point": "/etc/passwd"})
    assert emr.started == []


def test_without_a_day_it_is_the_run_s(emr):
    import datetime

    run(DAG_ID, logical_date=datetime.datetime(2026, 3, 6, tzinfo=datetime.UTC))
    assert emr.started[0]["jobDriver"]["sparkSubmit"]["entryPointArguments"] == ["--day", "2026-03-06"]
