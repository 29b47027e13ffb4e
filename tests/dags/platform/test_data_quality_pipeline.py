"""Good data is processed, bad data raises the alarm once on each channel. PostgreSQL is real, S3 by moto."""

from __future__ import annotations

import datetime
import json

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "data_quality_pipeline"
DAY = datetime.datetime(2026, 3, 6, tzinfo=datetime.UTC)
CHECKS = {"check_file", "check_orders_table", "keep_results", "choose_path"}


@pytest.fixture
def world(aws, postgres, smtp, httpserver, connect, tmp_path):
    return World(aws, postgres, smtp, httpserver, connect, tmp_path)


class World:
    def __init__(self, aws, postgres, smtp, httpserver, connect, folder) -> None:
        aws.connection("aws_default")
        self.s3 = aws.client("s3")
        self.s3.create_bucket(Bucket="quality-results")
        postgres.connection("postgres_conn")
        postgres.execute("CREATE TABLE orders (id INT PRIMARY KEY, order_date DATE)")
        self.postgres, self.smtp, self.slack = postgres, smtp, httpserver
        connect("slack_webhook", "slackwebhook", host=httpserver.url_for("/slack"), password="T0/B0/secret")
        httpserver.expect_request("/slack/T0/B0/secret", method="POST").respond_with_data("ok")
        self.file = folder / "orders.csv"

    def data(self, rows: int = 1000, nulls: int = 0, undated: int = 0) -> None:
        values = ["" if index < nulls else "x" for index in range(rows)]
        self.file.write_text("id,critical_column\n" + "".join(f"{i},{v}\n" for i, v in enumerate(values)))
        self.postgres.execute("INSERT INTO orders SELECT i, '2026-03-06' FROM generate_series(1, 5) AS i")
        for index in range(undated):
            self.postgres.execute("INSERT INTO orders VALUES (%s, NULL)", 100 + index)

    def run(self, **options):
        return run(DAG_ID, conf={"data_path": str(self.file)}, logical_date=DAY, **options)

    def kept(self) -> list[dict]:
        key = f"{DAG_ID}/2026-03-06.json"
        body = self.s3.get_object(Bucket="quality-results", Key=key)["Body"].read()
        return json.loads(body)["reports"]


@pytest.mark.covers("D000-6")
def test_good_data_is_processed_and_nobody_is_alerted(world):
    world.data(rows=1000)
    done = world.run()
    assert done.state == "success"
    assert done.of("success") == CHECKS | {"process_data_task"}
    assert done.of("skipped") == {"send_alert_task"}
    assert done.xcom("process_data_task") == 1000
    assert world.smtp.messages == []
    assert world.slack.log == []
    assert [report["success"] for report in world.kept()] == [True, True]


@pytest.mark.covers("D000-6")
@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        ({"nulls": 1}, "critical_column"),
        ({"rows": 999}, "row"),
        ({"undated": 1}, "orders.order_date is set"),
    ],
    ids=["a null in the critical column", "999 rows", "an order without date"],
)
def test_bad_data_is_not_processed_and_slack_and_mail_are_told_once_each(world, bad, rule):
    world.data(**bad)
    done = world.run()
    assert done.state == "failed"
    assert done.of("success") == CHECKS
    assert done.of("skipped") == {"process_data_task"}
    assert done.of("failed") == {"send_alert_task"}
    ((request, _),) = world.slack.log
    (mail,) = world.smtp.messages
    assert mail["To"] == "team@company.com"
    content = mail.get_body(("html",)).get_content()
    assert rule in str(request.json)
    assert rule in content
    violated = [one for report in world.kept() for one in report["violated"]]
    assert len(violated) == 1
    assert rule in violated[0]


@pytest.mark.covers("D000-6")
def test_all_violations_are_in_one_alert(world):
    world.data(rows=10, nulls=2, undated=1)
    world.run()
    ((request, _),) = world.slack.log
    for rule in ("critical_column", "row", "orders.order_date is set"):
        assert rule in str(request.json)
    assert len(world.smtp.messages) == 1


@pytest.mark.covers("D000-6")
@pytest.mark.parametrize(
    ("broken", "failed"),
    [("file", "check_file"), ("table", "check_orders_table"), ("bucket", "keep_results")],
)
def test_what_cannot_be_judged_or_kept_is_told_once_on_each_channel(world, broken, failed):
    world.data()
    if broken == "file":
        world.file.unlink()
    elif broken == "table":
        world.postgres.execute("DROP TABLE orders")
    else:
        world.s3.delete_bucket(Bucket="quality-results")
    done = world.run(quick=True)
    assert done.state == "failed"
    assert done.of("failed") == {failed}
    assert done.tries(failed) == 3
    assert done.states["process_data_task"] == done.states["send_alert_task"] == "upstream_failed"
    ((request, _),) = world.slack.log
    assert failed in str(request.json)
    (mail,) = world.smtp.messages
    assert failed in mail["Subject"]


@pytest.mark.covers("D000-6")
def test_it_runs_daily():
    assert bag().dags[DAG_ID].schedule == "@daily"
