"""Which channels an alert reaches: the exact set, by level and by team.

The stubs of Slack (api.slack.com/messaging/webhooks) and of the pager (PagerDuty Events API v2,
developer.pagerduty.com/docs/send-alert-event) check what the documents require; mail goes to a real server.
"""

from __future__ import annotations

import pytest
from tests.dags.runner import run

DAG_ID = "phase8_03_alert_routing"
SLACK = {
    "slack_incidents": "/services/incidents",
    "slack_webhook": "/services/platform",
    "slack_payments": "/services/payments",
    "slack_fraud": "/services/fraud",
}
PAGERS = {"oncall": "key-of-platform", "oncall_fraud": "key-of-fraud"}


@pytest.fixture
def channels(httpserver, connect, smtp):
    """`channels()` is the list of channels that were hit, in any order: connection ids and mail addresses."""
    for conn_id, path in SLACK.items():
        connect(conn_id, "slackwebhook", host=httpserver.url_for("/"), password=path)
        httpserver.expect_request(path, method="POST").respond_with_data("ok")
    for conn_id, key in PAGERS.items():
        connect(conn_id, "http", host=httpserver.url_for("/").rstrip("/"), password=key)
    httpserver.expect_request("/v2/enqueue", method="POST").respond_with_json(
        {"status": "success", "message": "Event processed", "dedup_key": "x"}, status=202
    )
    by_path = {path: conn_id for conn_id, path in SLACK.items()}
    by_key = {key: conn_id for conn_id, key in PAGERS.items()}

    def name_of(request):
        body = request.get_json()
        if request.path in by_path:
            assert body["text"]
            assert body["blocks"]
            return by_path[request.path]
        assert body["event_action"] == "trigger"
        assert body["dedup_key"]
        assert body["payload"].keys() >= {"summary", "source", "severity"}
        assert body["payload"]["severity"] in {"critical", "error", "warning", "info"}
        return by_key[body["routing_key"]]

    def hit():
        by_http = [name_of(request) for request, _ in httpserver.log]
        by_mail = [address for envelope in smtp.envelopes for address in envelope.rcpt_tos]
        return sorted(by_http + by_mail)

    return hit


def of_team(*tags):
    def change(dag):
        dag.tags = {"phase8", "alerting", *tags}

    return change


@pytest.mark.covers("P08.3")
@pytest.mark.parametrize(
    ("job", "reached"),
    [
        ("process_payments", ["data-leadership@example.com", "oncall", "slack_incidents"]),
        ("refresh_limits", ["payments-data@example.com", "slack_payments"]),
        ("build_dashboard", ["slack_payments"]),
        ("archive_receipts", []),
    ],
)
def test_each_level_reaches_exactly_its_channels(channels, job, reached):
    done = run(DAG_ID, conf={"fail": [job]})
    assert done.of("failed") == {job}
    assert channels() == reached


@pytest.mark.covers("P08.3")
def test_the_lowest_level_is_in_the_log(channels, caplog):
    run(DAG_ID, conf={"fail": ["archive_receipts"]})
    assert channels() == []
    (line,) = [record.getMessage() for record in caplog.records if "P4 alert" in record.getMessage()]
    assert f"{DAG_ID}.archive_receipts failed" in line
    assert "did not finish" in line


@pytest.mark.covers("P08.3")
@pytest.mark.parametrize("tags", [["team:nobody"], []])
@pytest.mark.parametrize(
    ("job", "reached"),
    [
        ("process_payments", ["data-leadership@example.com", "oncall", "slack_incidents"]),
        ("refresh_limits", ["data-platform@example.com", "slack_webhook"]),
        ("build_dashboard", ["slack_webhook"]),
    ],
)
def test_a_team_without_a_route_takes_the_default_one(channels, job, reached, tags):
    run(DAG_ID, conf={"fail": [job]}, change=of_team(*tags))
    assert channels() == reached


@pytest.mark.covers("P08.3")
@pytest.mark.parametrize(
    ("job", "reached"),
    [
        ("process_payments", ["data-leadership@example.com", "oncall_fraud", "slack_incidents"]),
        ("refresh_limits", ["fraud-data@example.com", "slack_fraud"]),
    ],
)
def test_the_tag_of_the_dag_chooses_the_team(channels, job, reached):
    run(DAG_ID, conf={"fail": [job]}, change=of_team("team:fraud"))
    assert channels() == reached


@pytest.mark.covers("P08.3")
def test_a_run_without_failures_reaches_nobody(channels):
    assert run(DAG_ID).state == "success"
    assert channels() == []


@pytest.mark.covers("P08.3")
def test_a_channel_that_is_down_keeps_the_alert_from_no_other(channels, connect):
    connect("oncall", "http", host="http://127.0.0.1", port=9, password="key-of-platform")
    done = run(DAG_ID, conf={"fail": ["process_payments"]})
    assert done.tries("process_payments") == 2
    assert channels() == ["data-leadership@example.com", "slack_incidents"]
