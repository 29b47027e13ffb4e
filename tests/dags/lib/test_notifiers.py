"""Alerts over real HTTP and SMTP.

Slack's contract: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (POST of JSON with
`text` and `blocks`, answer `ok`). PagerDuty's: https://developer.pagerduty.com/docs/send-alert-event (POST
/v2/enqueue with routing_key, event_action, payload{summary, source, severity}, answer 202).
"""

from __future__ import annotations

import datetime
import types
from typing import Any

import pytest
from airflow.sdk import DAG, AsyncCallback
from airflow.sdk.log import mask_secret
from pytest_httpserver import HTTPServer

from tenant_airflow_lib.notifiers import (
    AlertRouter,
    MailFailureNotifier,
    OnCallNotifier,
    Route,
    SlackFailureNotifier,
    SlackMessageNotifier,
)
from tenant_airflow_lib.notifiers.alert import Alert

LOG_URL = "http://airflow.example.com/dags/etl_orders/runs/r1/tasks/load_rows?try_number=0"


def context(tags: tuple[str, ...] = (), error: str = "disk full") -> dict[str, Any]:
    ti = types.SimpleNamespace(dag_id="etl_orders", task_id="load_rows", log_url=LOG_URL, try_number=2)
    run = types.SimpleNamespace(
        logical_date=datetime.datetime(2024, 5, 6, tzinfo=datetime.UTC),
        run_after=None,
        run_id="r1",
        dag_id="etl_orders",
    )
    dag = DAG("etl_orders", schedule=None, tags=list(tags))
    return {"ti": ti, "dag_run": run, "dag": dag, "exception": RuntimeError(error), "run_id": "r1"}


@pytest.fixture
def channels(connect: Any, httpserver: HTTPServer, smtp: Any) -> Any:
    """A Slack, a pager and a mail server; `hit()` says which ones got something."""
    address = f"http://{httpserver.host}:{httpserver.port}"
    for name in ("alerts", "incidents", "ml_alerts"):
        connect(f"slack_{name}", "slackwebhook", host=f"{address}/slack", password=f"T0/{name}")
        httpserver.expect_request(f"/slack/T0/{name}", method="POST").respond_with_data("ok")
    connect("pager", "http", host=address, password="routing-key-1")
    httpserver.expect_request("/v2/enqueue", method="POST").respond_with_json({"status": "success"}, 202)

    def hit() -> list[str]:
        web = [request.path for request, _ in httpserver.log]
        return sorted(web + [to for envelope in smtp.envelopes for to in envelope.rcpt_tos])

    return types.SimpleNamespace(hit=hit, web=httpserver, mail=smtp)


DEFAULT = Route(
    oncall="pager",
    incidents="slack_incidents",
    leadership=("cto@example.com",),
    slack="slack_alerts",
    mail=("platform@example.com",),
)
ML = Route(slack="slack_ml_alerts", mail=("ml@example.com",))


def router(level: str, **kwargs: Any) -> AlertRouter:
    return AlertRouter(level=level, routes={"ml": ML}, default_route=DEFAULT, **kwargs)


HITS = {
    "P1": ["/slack/T0/incidents", "/v2/enqueue", "cto@example.com"],
    "P2": ["/slack/T0/ml_alerts", "ml@example.com"],
    "P3": ["/slack/T0/ml_alerts"],
    "P4": [],
}


@pytest.mark.covers("OP-7")
@pytest.mark.parametrize("level", HITS)
def test_each_level_hits_exactly_its_channels(channels: Any, level: str) -> None:
    router(level)(context(("team:ml", "phase8")))
    assert channels.hit() == HITS[level]


@pytest.mark.covers("OP-7")
@pytest.mark.parametrize("level", HITS)
async def test_each_level_hits_exactly_its_channels_from_a_deadline(channels: Any, level: str) -> None:
    await router(level, team="ml", context=context())
    assert channels.hit() == HITS[level]


@pytest.mark.covers("OP-7")
@pytest.mark.parametrize("tags", [(), ("team:unheard_of",), ("ml",)])
def test_no_team_or_an_unknown_one_takes_the_default_route(channels: Any, tags: tuple[str, ...]) -> None:
    router("P2")(context(tags))
    assert channels.hit() == ["/slack/T0/alerts", "platform@example.com"]


@pytest.mark.covers("OP-7")
def test_the_team_may_be_named_or_templated_and_wins_over_the_tag(channels: Any) -> None:
    router("P3", team="{{ params.team }}")(context(("team:other",)) | {"params": {"team": "ml"}})
    assert channels.hit() == ["/slack/T0/ml_alerts"]


@pytest.mark.covers("OP-7")
def test_a_level_may_be_templated_and_one_that_makes_no_sense_counts_as_p2(channels: Any) -> None:
    with pytest.raises(ValueError, match="level 'P5' is none of P1, P2, P3, P4"):
        router("P5")
    router("{{ params.level }}")(context(("team:ml",)) | {"params": {"level": "P3"}})
    assert channels.hit() == HITS["P3"]
    channels.web.clear_log()
    router("{{ params.level }}")(context(("team:ml",)) | {"params": {"level": "urgent"}})
    assert channels.hit() == HITS["P2"]


@pytest.mark.covers("OP-7")
def test_one_channel_down_neither_raises_nor_keeps_the_others_from_the_alert(
    channels: Any, connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    connect("pager", "http", host="http://127.0.0.1:9", password="routing-key-1")
    router("P1")(context())
    assert channels.hit() == ["/slack/T0/incidents", "cto@example.com"]
    assert "alert not sent to oncall" in caplog.text
    assert "routing-key-1" not in caplog.text


@pytest.mark.covers("OP-7")
async def test_one_channel_down_neither_raises_nor_keeps_the_others_from_a_deadline_alert(
    channels: Any, connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    connect("slack_incidents", "slackwebhook", host="http://127.0.0.1:9", password="T0/secret-token")
    await router("P1", context=context())
    assert channels.hit() == ["/v2/enqueue", "cto@example.com"]
    assert "alert not sent to incidents" in caplog.text
    assert "secret-token" not in caplog.text


@pytest.mark.covers("OP-7")
@pytest.mark.parametrize(
    "notifier",
    [
        SlackFailureNotifier(slack_webhook_conn_id="not_there"),
        MailFailureNotifier(to="a@example.com", smtp_conn_id="not_there"),
        OnCallNotifier(oncall_conn_id="not_there"),
        SlackFailureNotifier(headline="{{ no_such.thing.at_all }}"),
    ],
    ids=["slack", "mail", "oncall", "template"],
)
async def test_a_channel_that_cannot_be_used_never_raises(notifier: Any, caplog: Any) -> None:
    notifier(context())
    assert "alert not sent" in caplog.text
    caplog.clear()
    notifier.context = context()
    await notifier
    assert "alert not sent" in caplog.text


@pytest.mark.covers("OP-7")
def test_slack_gets_dag_task_date_error_and_log_url_as_blocks(channels: Any) -> None:
    SlackFailureNotifier(slack_webhook_conn_id="slack_alerts")(context(error="<!channel> a & b"))
    (request, _), *more = channels.web.log
    assert not more
    body = request.get_json()
    header, section, foot = body["blocks"]
    assert header == {
        "type": "header",
        "text": {"type": "plain_text", "text": "etl_orders.load_rows failed"},
    }
    assert [field["text"] for field in section["fields"]] == [
        "*DAG*\netl_orders",
        "*Task*\nload_rows",
        "*Date*\n2024-05-06T00:00:00+00:00",
        "*Error*\nRuntimeError: &lt;!channel&gt; a &amp; b",
        f"*Log*\n{LOG_URL}",
    ]
    assert foot["elements"][0]["text"] == "run r1 · try 2"
    assert body["text"] == "etl_orders.load_rows failed"


@pytest.mark.covers("OP-7")
def test_the_mail_has_the_facts_escaped_and_one_subject_line(channels: Any) -> None:
    MailFailureNotifier(to=["a@example.com", "b@example.com"], headline="Bad\r\nBcc: evil@example.com")(
        context(error="<script>")
    )
    (mail,) = channels.mail.messages
    assert mail["Subject"] == "Bad Bcc: evil@example.com"
    assert mail["Bcc"] is None
    assert channels.mail.envelopes[0].rcpt_tos == ["a@example.com", "b@example.com"]
    page = mail.get_body(("html",)).get_content()
    assert "RuntimeError: &lt;script&gt;" in page
    assert "load_rows" in page
    assert "2024-05-06" in page


@pytest.mark.covers("OP-7")
def test_the_page_is_an_events_v2_trigger_with_one_dedup_key_per_task_and_run(channels: Any) -> None:
    notifier = OnCallNotifier(oncall_conn_id="pager")
    notifier(context())
    notifier(context(error="again"))
    first, second = (request.get_json() for request, _ in channels.web.log)
    assert first["routing_key"] == "routing-key-1"
    assert first["event_action"] == "trigger"
    assert first["dedup_key"] == second["dedup_key"] == "airflow/etl_orders/r1/load_rows"
    assert first["payload"]["summary"] == "[P1] etl_orders.load_rows failed"
    assert first["payload"]["source"] == "etl_orders.load_rows"
    assert first["payload"]["severity"] == "critical"
    assert first["payload"]["custom_details"]["Error"] == "RuntimeError: disk full"
    assert first["links"] == [{"href": LOG_URL, "text": "Task log"}]
    assert "Authorization" not in channels.web.log[0][0].headers


@pytest.mark.covers("OP-7")
@pytest.mark.parametrize("level", ["P1", "P2"])
async def test_no_channel_gets_a_secret_that_airflow_masks(channels: Any, level: str) -> None:
    secret = "hunter2&secret"
    mask_secret(secret)
    # cut at 500 characters, the text would end inside of the secret
    facts = context(("team:ml",), error="x" * 475 + f"postgres://u:{secret}@h failed")
    notifier = router(level, headline=f"no login with {secret}")
    notifier(facts)
    notifier.context = facts
    await notifier
    SlackMessageNotifier(slack_webhook_conn_id="slack_alerts", text=f"done with {secret}")(facts)
    web = [request.get_data(as_text=True) for request, _ in channels.web.log]
    mails = [f"{mail['Subject']} {mail.get_body(('html',)).get_content()}" for mail in channels.mail.messages]
    assert len(web) == {"P1": 5, "P2": 3}[level]
    assert len(mails) == 2
    for text in web + mails:
        assert "***" in text
        assert "hunter" not in text


@pytest.mark.covers("OP-7")
def test_one_notifier_object_serves_many_tasks(channels: Any) -> None:
    notifier = SlackFailureNotifier(slack_webhook_conn_id="slack_alerts", headline="{{ ti.task_id }} is red")
    first, second = context(), context()
    second["ti"] = types.SimpleNamespace(dag_id="d", task_id="other", log_url=None, try_number=1)
    notifier(first)
    notifier(second)
    assert [r.get_json()["text"] for r, _ in channels.web.log] == ["load_rows is red", "other is red"]
    assert "headline" not in first


@pytest.mark.covers("OP-7")
def test_a_dags_and_a_deadlines_context_give_an_alert_too() -> None:
    run = {"dag_id": "etl", "dag_run_id": "r9", "run_after": "2024-05-06T00:00:00Z", "logical_date": None}
    missed = Alert.of({"dag_run": run, "deadline": {"id": "1", "deadline_time": "2024-05-06 02:00"}})
    assert missed.name == "etl"
    assert missed.run_id == "r9"
    assert missed.facts == {
        "DAG": "etl",
        "Task": "-",
        "Date": "2024-05-06T00:00:00Z",
        "Error": "deadline missed: due 2024-05-06 02:00",
        "Log": "-",
    }
    dag = Alert.of({"dag_run": run, "reason": "task_failure"})
    assert dag.error == "task_failure"
    assert Alert.of({}).name == "unknown DAG"


@pytest.mark.covers("OP-7")
async def test_a_deadline_carries_the_router_by_path_and_dictionaries(channels: Any) -> None:
    from airflow.triggers.callback import CallbackTrigger

    callback = AsyncCallback(
        AlertRouter,
        {
            "level": "P2",
            "team": "ml",
            "routes": {"ml": {"slack": "slack_ml_alerts", "mail": "ml@example.com"}},
        },
    )
    run = {"dag_id": "etl", "dag_run_id": "r9", "run_after": "2024-05-06T00:00:00Z"}
    trigger = CallbackTrigger(callback.path, {**callback.kwargs, "context": {"dag_run": run}})
    events = [event.payload["state"] async for event in trigger.run()]
    assert events == ["running", "success"]
    assert channels.hit() == HITS["P2"]


@pytest.mark.covers("OP-7")
def test_a_message_may_have_blocks_which_are_templates_and_hold_no_secret(channels: Any) -> None:
    from airflow.sdk.log import mask_secret

    mask_secret("hunter3secret")
    blocks = [{"type": "section", "fields": [{"type": "mrkdwn", "text": "{{ ti.task_id }} hunter3secret"}]}]
    notifier = SlackMessageNotifier(slack_webhook_conn_id="slack_alerts", text="done", blocks=blocks)
    notifier(context())
    ((request, _),) = channels.web.log
    assert request.get_json()["text"] == "done"
    assert request.get_json()["blocks"][0]["fields"][0]["text"] == "load_rows ***"
    assert "{{ ti.task_id }}" in str(notifier.blocks), "the notifier serves other tasks, too"
