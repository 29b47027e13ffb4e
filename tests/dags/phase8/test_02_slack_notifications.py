"""What Slack receives.

The stub checks the request against Slack's reference: a POST of JSON with `text` and `blocks`
(api.slack.com/messaging/webhooks), blocks by type (api.slack.com/reference/block-kit/blocks), and the three
escaped characters (api.slack.com/reference/surfaces/formatting#escaping).
"""

from __future__ import annotations

import datetime
import re

import pytest
from airflow.sdk.log import mask_secret
from tests.dags.runner import run

DAG_ID = "phase8_02_slack_notifications"


@pytest.fixture
def slack(httpserver, connect):
    """The messages that the webhook got."""
    connect("slack_webhook", "slackwebhook", host=httpserver.url_for("/services"), password="T0/B0/secret")
    httpserver.expect_request("/services/T0/B0/secret", method="POST").respond_with_data("ok")

    def messages():
        assert all(answer.status_code == 200 for _, answer in httpserver.log)
        assert all(request.content_type.startswith("application/json") for request, _ in httpserver.log)
        found = [request.get_json() for request, _ in httpserver.log]
        for message in found:
            check(message)
        return found

    return messages


def check(message):
    """The limits of Block Kit."""
    assert message["text"]
    for block in message.get("blocks") or []:
        match block["type"]:
            case "header":
                assert block["text"]["type"] == "plain_text"
                assert 0 < len(block["text"]["text"]) <= 150
            case "section":
                assert 0 < len(block["fields"]) <= 10
                assert all(field["type"] == "mrkdwn" for field in block["fields"])
                assert all(0 < len(field["text"]) <= 2000 for field in block["fields"])
            case "context":
                assert 0 < len(block["elements"]) <= 10
            case other:
                pytest.fail(f"no such block: {other}")


@pytest.mark.covers("P08.2")
def test_a_success_is_told_in_header_section_and_context(slack):
    done = run(DAG_ID)
    assert done.state == "success"
    (message,) = slack()
    assert message["text"] == f"{DAG_ID} imported 6 orders"
    header, section, context = message["blocks"]
    assert header == {"type": "header", "text": {"type": "plain_text", "text": "Orders imported"}}
    assert section == {
        "type": "section",
        "fields": [
            {"type": "mrkdwn", "text": f"*DAG*\n{DAG_ID}"},
            {"type": "mrkdwn", "text": "*Orders*\n6"},
        ],
    }
    assert context["type"] == "context"
    (element,) = context["elements"]
    assert re.fullmatch(r"<http.*\|Log of try 1> · " + re.escape(done.run_id), element["text"])


@pytest.mark.covers("P08.2")
def test_a_failure_is_told_once_after_the_last_try_with_its_error_escaped(slack):
    done = run(DAG_ID, conf={"fail_import": True})
    assert done.tries("import_orders") == 2
    (message,) = slack()
    assert [block["type"] for block in message["blocks"]] == ["header", "section", "context"]
    assert message["text"] == f"{DAG_ID}.import_orders failed"
    assert message["blocks"][0]["text"]["text"] == "Import of orders failed"
    assert [field["text"] for field in message["blocks"][1]["fields"]] == [
        f"*DAG*\n{DAG_ID}",
        "*Task*\nimport_orders",
        "*Error*\ncolumn &lt;price&gt; &amp; column &lt;quantity&gt; are missing &lt;!channel&gt;",
    ]
    assert "Log of try 2" in message["blocks"][2]["elements"][0]["text"]


@pytest.mark.covers("P08.2")
def test_a_late_start_is_told_beside_the_result(slack):
    due = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    run(DAG_ID, run_after=due)
    since = datetime.datetime.now(datetime.UTC) - due
    late, result = slack()
    told = re.fullmatch(rf"{DAG_ID} starts (\d+) seconds late", late["text"])
    assert told
    assert 3600 <= int(told[1]) <= since.total_seconds()
    assert "blocks" in result


@pytest.mark.covers("P08.2")
def test_a_slack_that_is_down_does_not_fail_the_task(httpserver, connect):
    connect("slack_webhook", "slackwebhook", host=httpserver.url_for("/services"), password="T0/B0/secret")
    httpserver.expect_request("/services/T0/B0/secret").respond_with_data("no_service", status=503)
    done = run(DAG_ID)
    assert done.state == "success"
    assert len(httpserver.log) >= 1


@pytest.mark.covers("P08.2")
def test_the_message_shows_no_secret_that_airflow_masks(slack):
    mask_secret("<price> & column")
    run(DAG_ID, conf={"fail_import": True})
    (message,) = slack()
    _, section, _ = message["blocks"]
    assert "column *** &lt;quantity&gt; are missing" in section["fields"][2]["text"]
    assert "price" not in str(message)
