"""Deadlines and alerts of sla_monitored_pipeline.

Slack is a stub: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (POST of JSON with
`text`, optional `blocks`; answer `ok`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DeadlineReference
from pytest_httpserver import HTTPServer
from tests.dags import library
from tests.dags.runner import run

DAG = "sla_monitored_pipeline"


@pytest.fixture
def slack(connect: Any, httpserver: HTTPServer) -> HTTPServer:
    connect("slack_webhook", "slackwebhook", host=httpserver.url_for("/services"), password="T/B/X")
    httpserver.expect_request("/services/T/B/X", method="POST").respond_with_data("ok")
    return httpserver


@pytest.mark.covers("D002-5")
def test_three_deadlines_of_30_minutes_1_hour_and_2_hours() -> None:
    dag = library.bag().dags[DAG]
    assert [(alert.name, alert.interval) for alert in dag.deadline] == [
        ("extract_data", timedelta(minutes=30)),
        ("train_model", timedelta(hours=1)),
        (DAG, timedelta(hours=2)),
    ]
    for alert in dag.deadline:
        # not the logical date: a run without one would have no deadline
        assert alert.reference == DeadlineReference.DAGRUN_QUEUED_AT
        assert alert.callback.path.endswith("MailFailureNotifier")
        assert alert.callback.kwargs["to"] == "ml-team@example.com"
        assert DAG in alert.callback.kwargs["headline"]


@pytest.mark.covers("D002-5")
def test_the_settings_of_the_tasks() -> None:
    dag = library.bag().dags[DAG]
    assert dag.schedule == "@hourly"
    assert {"ml", "sla", "production"} <= set(dag.tags)
    limits = {"extract_data": timedelta(minutes=30), "train_model": timedelta(hours=1)}
    for task in dag.tasks:
        assert task.execution_timeout == limits.get(task.task_id, timedelta(hours=2))
        assert (task.retries, task.retry_delay) == (2, timedelta(minutes=5))


@pytest.mark.covers("D002-5")
def test_a_failure_posts_five_facts_once_and_mails_each_retry_and_the_failure(
    slack: HTTPServer, smtp: Any
) -> None:
    done = run(DAG, conf={"fail": "train_model"})
    assert done.state == "failed"
    assert done.states["extract_data"] == "success"
    assert done.states["train_model"] == "failed"
    assert done.states["deploy_model"] == "upstream_failed"
    assert done.tries("train_model") == 3
    (request, _), *more = slack.log
    assert not more
    fields = dict(field["text"].split("\n", 1) for field in request.get_json()["blocks"][1]["fields"])
    assert done.logical_date is not None
    log_url = fields.pop("*Log*")
    assert fields == {
        "*DAG*": DAG,
        "*Task*": "train_model",
        "*Date*": done.logical_date.isoformat(),
        "*Error*": "RuntimeError: train_model: no space left on device",
    }
    assert log_url.startswith("http")
    assert f"/dags/{DAG}/runs/" in log_url
    assert [mail["Subject"] for mail in smtp.messages] == [
        f"{DAG}.train_model is tried again",
        f"{DAG}.train_model is tried again",
        f"{DAG}.train_model failed",
    ]
    assert {to for envelope in smtp.envelopes for to in envelope.rcpt_tos} == {"ml-alerts@example.com"}


@pytest.mark.covers("D002-5")
def test_success_alerts_nobody_and_posts_one_line(slack: HTTPServer, smtp: Any) -> None:
    done = run(DAG)
    assert set(done.states.values()) == {"success"}
    assert smtp.messages == []
    # dag.test() runs no callbacks of the DAG: the scheduler does
    (notifier,) = library.bag().dags[DAG].on_success_callback
    notifier({"dag": library.bag().dags[DAG], "run_id": "r1"})
    assert [request.get_json() for request, _ in slack.log] == [{"text": f"{DAG} succeeded (r1)"}]


@pytest.mark.covers("D002-5")
async def test_a_missed_deadline_mails_the_team_and_names_the_dag(smtp: Any) -> None:
    from airflow.triggers.callback import CallbackTrigger

    alert = library.bag().dags[DAG].deadline[0]
    run_facts = {"dag_id": DAG, "dag_run_id": "r1", "logical_date": "2024-05-06T07:00:00Z"}
    context = {"dag_run": run_facts, "deadline": {"id": "1", "deadline_time": "2024-05-06 07:30"}}
    trigger = CallbackTrigger(alert.callback.path, alert.callback.kwargs | {"context": context})
    assert [event.payload["state"] async for event in trigger.run()] == ["running", "success"]
    (mail,) = smtp.messages
    assert smtp.envelopes[0].rcpt_tos == ["ml-team@example.com"]
    assert mail["Subject"] == f"{DAG} is late: extract_data (0:30:00)"
    assert "deadline missed: due 2024-05-06 07:30" in mail.get_body(("html",)).get_content()
