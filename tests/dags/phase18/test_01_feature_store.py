"""Online values are the newest offline ones, and a view that gets old raises an alert."""

from __future__ import annotations

import datetime
import json

import pytest
from tests.dags.runner import run

DAG_ID = "phase18_01_feature_store"


@pytest.fixture(autouse=True)
def _folder(variable, tmp_path):
    variable("platform_feature_store_folder", str(tmp_path))


@pytest.fixture
def slack(httpserver, connect):
    """The texts that the webhook got: POST of JSON with `text`, answered by `ok`.

    https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
    """
    connect("slack_webhook", "slackwebhook", host=httpserver.url_for("/services"), password="T0/B0/key")
    httpserver.expect_request("/services/T0/B0/key", method="POST").respond_with_data("ok")

    def texts():
        assert all(answer.status_code == 200 for _, answer in httpserver.log)
        return [request.get_json()["text"] for request, _ in httpserver.log]

    return texts


def on(day, hour=0):
    return datetime.datetime(2026, 1, day, hour, tzinfo=datetime.UTC)


@pytest.mark.covers("P18.1")
def test_the_online_value_is_the_last_value_of_the_offline_store(tmp_path):
    done = run(DAG_ID, logical_date=on(8))
    assert done.states == {
        "write_features": "success",
        "materialize_features": "success",
        "compare_stores": "success",
        "check_freshness": "success",
        "publish_freshness": "success",
        "alert_stale_view": "skipped",
    }
    offline = json.loads((tmp_path / "customer_orders.offline.json").read_text())
    last = {row["entity_id"]: row["values"] for row in sorted(offline, key=lambda row: row["event_time"])}
    online = json.loads((tmp_path / "customer_orders.online.json").read_text())
    assert {entity: row["values"] for entity, row in online.items()} == last
    assert last == {
        "ada": {"orders_7d": 2.0, "average_amount_7d": 30.0},
        "grace": {"orders_7d": 1.0, "average_amount_7d": 15.0},
    }
    assert done.xcom("compare_stores") == 2  # features stay in the store: only their number goes on


@pytest.mark.covers("P18.1")
def test_a_stale_view_raises_the_freshness_alert_with_its_watermark(slack):
    done = run(DAG_ID, logical_date=on(11))  # nothing new since the evening of the 7th; two days are allowed
    assert done.state == "success"
    assert done.states["alert_stale_view"] == "success"
    assert done.states["publish_freshness"] == "skipped"
    assert done.xcom("alert_stale_view") == {
        "view": "customer_orders",
        "watermark": "2026-01-07T18:00:00+00:00",
    }
    assert slack() == ["customer_orders is stale: its newest value is from 2026-01-07T18:00:00+00:00"]


def test_new_data_makes_the_view_fresh_again(tmp_path, slack):
    run(DAG_ID, logical_date=on(11, 1))
    done = run(DAG_ID, logical_date=on(13))
    assert done.states["publish_freshness"] == "success"
    online = json.loads((tmp_path / "customer_orders.online.json").read_text())
    assert online["ada"]["values"] == {"orders_7d": 2.0, "average_amount_7d": 65.0}
    assert len(slack()) == 1  # of the first run


def test_a_second_run_of_a_day_adds_nothing():
    first = run(DAG_ID, logical_date=on(8, 1))
    again = run(DAG_ID, logical_date=on(8, 2))
    assert first.xcom("write_features") == again.xcom("write_features") == 3


@pytest.mark.covers("G-17", "A-24")
@pytest.mark.parametrize(("day", "age"), [(8, 0.25), (11, 3.25)])
def test_the_watermark_leaves_as_a_metric_that_tells_the_age(datagrams, slack, day, age):
    run(DAG_ID, logical_date=on(day))
    ours = dict(line.split(":") for line in datagrams() if line.startswith("airflow.features."))
    watermark = float(ours["airflow.features.watermark_timestamp_seconds,view=customer_orders"].split("|")[0])
    assert (on(day).timestamp() - watermark) / 86400 == pytest.approx(age)
    ttl = ours["airflow.features.ttl_seconds,view=customer_orders"]
    assert ttl.endswith("|g")
    assert float(ttl.split("|")[0]) == 2 * 86400
