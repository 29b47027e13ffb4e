"""The drill fails and everybody hears of it.

Slack is a stub that checks the message against Block Kit (https://docs.slack.dev/reference/block-kit/blocks).
"""

from __future__ import annotations

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "platform_alert_test"


@pytest.mark.covers("D000-11")
def test_it_runs_only_by_hand():
    assert bag().dags[DAG_ID].schedule is None


@pytest.mark.covers("D000-11")
def test_the_run_fails_at_once_and_slack_and_mail_are_told(httpserver, connect, smtp):
    connect("slack_webhook", "slackwebhook", host=httpserver.url_for("/services"), password="T0/B0/secret")
    httpserver.expect_request("/services/T0/B0/secret", method="POST").respond_with_data("ok")
    done = run(DAG_ID, conf={"message": "drill of March"})
    assert done.state == "failed"
    assert done.states == {"raise_alarm": "failed"}
    assert done.tries("raise_alarm") == 1

    ((request, _),) = httpserver.log
    assert [block["type"] for block in request.json["blocks"]] == ["header", "section", "context"]
    assert request.json["blocks"][0]["text"]["text"] == f"{DAG_ID}.raise_alarm failed"
    assert "drill of March" in str(request.json["blocks"][1])
    (mail,) = smtp.messages
    assert mail["To"] == "platform-alerts@example.com"
    assert f"{DAG_ID}.raise_alarm" in mail["Subject"]


@pytest.mark.covers("D000-11")
def test_a_dead_slack_does_not_keep_the_mail_back(connect, smtp):
    connect("slack_webhook", "slackwebhook", host="http://127.0.0.1:1/services", password="T0/B0/secret")
    assert run(DAG_ID).state == "failed"
    assert len(smtp.messages) == 1
