"""Changes reach Silver exactly once, whatever is repeated; real PostgreSQL, S3 by moto."""

from __future__ import annotations

import json

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

from airflow_usecases import medallion

DAG_ID = "platform_ingest_cdc_bronze"
STEPS = {"ingest_bronze", "refresh_silver", "refresh_gold"}


@pytest.fixture
def lake(aws, postgres):
    """The three buckets and the feed's table; `.text(bucket, key)` and `.state()`."""
    aws.connection("aws_default")
    postgres.connection("postgres_conn")
    client = aws.client("s3")
    for bucket in (medallion.BRONZE, medallion.SILVER, medallion.GOLD):
        client.create_bucket(Bucket=bucket)
    postgres.execute(
        "CREATE TABLE orders_changes (lsn BIGINT NOT NULL, op CHAR(1) NOT NULL, order_id INT NOT NULL,"
        " payload JSONB, changed_at TIMESTAMPTZ NOT NULL)"
    )
    return Lake(client, postgres)


class Lake:
    def __init__(self, client, postgres) -> None:
        self.client = client
        self.postgres = postgres

    def change(
        self, lsn: int, op: str, order_id: int, amount: str | None = None, customer: str = "ada"
    ) -> None:
        payload = None if amount is None else json.dumps({"customer": customer, "amount": amount})
        self.postgres.execute(
            "INSERT INTO orders_changes VALUES (%s, %s, %s, %s, '2026-03-06 00:00+00'::timestamptz"
            " + make_interval(secs => %s))",
            *(lsn, op, order_id, payload, lsn),
        )

    def text(self, bucket: str, key: str) -> str:
        return self.client.get_object(Bucket=bucket, Key=key)["Body"].read().decode()

    def rows(self, bucket: str, key: str) -> list[dict]:
        return [json.loads(line) for line in self.text(bucket, key).splitlines()]

    def silver(self) -> list[dict]:
        return self.rows(medallion.SILVER, medallion.HISTORY)

    def gold(self) -> list[dict]:
        return json.loads(self.text(medallion.GOLD, medallion.REVENUE))["customers"]

    def state(self) -> dict[tuple[str, str], str]:
        """Every object of every layer and its content."""
        return {
            (bucket, item["Key"]): self.text(bucket, item["Key"])
            for bucket in (medallion.BRONZE, medallion.SILVER, medallion.GOLD)
            for item in self.client.list_objects_v2(Bucket=bucket).get("Contents", [])
        }


def some_changes(lake: Lake) -> None:
    lake.change(10, "I", 1, "5.00")
    lake.change(20, "I", 2, "7.50", "bob")
    lake.change(20, "I", 2, "7.50", "bob")  # delivered twice
    lake.change(30, "U", 1, "6.25")
    lake.change(40, "D", 2)


@pytest.mark.covers("D003-3")
def test_insert_update_and_delete_appear_exactly_once_in_silver(lake):
    some_changes(lake)
    done = run(DAG_ID)
    assert done.state == "success"
    assert done.of("success") == STEPS
    assert [(row["lsn"], row["op"], row["order_id"]) for row in lake.silver()] == [
        (10, "I", 1),
        (20, "I", 2),
        (30, "U", 1),
        (40, "D", 2),
    ]
    assert [row["valid_to"] for row in lake.silver()] == [
        "2026-03-06T00:00:30+00:00",
        "2026-03-06T00:00:40+00:00",
        None,
        None,
    ]
    assert lake.gold() == [{"customer": "ada", "orders": 1, "revenue": "6.25"}]


@pytest.mark.covers("D003-3")
def test_bronze_keeps_the_changes_as_they_came(lake):
    some_changes(lake)
    run(DAG_ID)
    key = medallion.bronze_key(10, 40)
    assert [(row["lsn"], row["op"]) for row in lake.rows(medallion.BRONZE, key)] == [
        (10, "I"),
        (20, "I"),
        (20, "I"),
        (30, "U"),
        (40, "D"),
    ]


@pytest.mark.covers("D003-3")
def test_a_second_run_adds_nothing_to_any_layer(lake):
    some_changes(lake)
    run(DAG_ID)
    before = lake.state()
    assert len(before) == 3
    done = run(DAG_ID)
    assert done.state == "success"
    assert done.of("skipped") == STEPS
    assert lake.state() == before


@pytest.mark.covers("D003-3")
def test_later_changes_are_added_to_what_is_there(lake):
    some_changes(lake)
    run(DAG_ID)
    lake.change(50, "I", 3, "1.00", "eve")
    lake.change(60, "U", 1, "8.00")
    done = run(DAG_ID)
    assert done.xcom("ingest_bronze") == {"rows": 2, "last_lsn": 60, "key": medallion.bronze_key(50, 60)}
    assert done.xcom("refresh_silver") == {"rows": 2, "last_lsn": 60, "key": medallion.HISTORY}
    assert [row["lsn"] for row in lake.silver()] == [10, 20, 30, 40, 50, 60]
    assert lake.gold() == [
        {"customer": "ada", "orders": 1, "revenue": "8.00"},
        {"customer": "eve", "orders": 1, "revenue": "1.00"},
    ]


@pytest.mark.covers("D003-3")
def test_a_step_that_failed_is_caught_up_by_the_next_run_without_new_changes(lake):
    some_changes(lake)
    lake.client.delete_bucket(Bucket=medallion.SILVER)
    failed = run(DAG_ID)
    assert failed.state == "failed"
    assert failed.states["ingest_bronze"] == "success"
    lake.client.create_bucket(Bucket=medallion.SILVER)
    done = run(DAG_ID)
    assert done.states == {
        "ingest_bronze": "skipped",
        "refresh_silver": "success",
        "refresh_gold": "success",
    }
    assert len(lake.silver()) == 4


@pytest.mark.covers("D003-3")
def test_a_backlog_is_read_in_batches_of_which_each_is_one_object(lake):
    some_changes(lake)
    done = run(DAG_ID, conf={"batch_rows": 3})
    assert done.xcom("ingest_bronze")["rows"] == 5
    bronze = [key for bucket, key in lake.state() if bucket == medallion.BRONZE]
    assert bronze == [medallion.bronze_key(10, 20), medallion.bronze_key(30, 40)]
    assert len(lake.silver()) == 4


@pytest.mark.covers("D003-3")
def test_each_layer_is_an_asset_whose_event_tells_rows_and_position(lake):
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    dag = bag().dags[DAG_ID]
    uris = {outlet.name: outlet.uri for task in dag.tasks for outlet in task.outlets}
    assert uris == {
        "orders_bronze": "s3://bronze-bucket/orders/changes",
        "orders_silver": "s3://silver-bucket/orders/history",
        "orders_gold": "s3://gold-bucket/orders/revenue_by_customer",
    }
    some_changes(lake)
    done = run(DAG_ID)
    skipped = run(DAG_ID)
    with create_session() as session:
        events = session.scalars(select(AssetEvent).where(AssetEvent.source_dag_id == DAG_ID)).all()
        told = {event.source_task_id: event.extra for event in events if event.source_run_id == done.run_id}
        again = [event.source_task_id for event in events if event.source_run_id == skipped.run_id]
    assert {task: extra["last_lsn"] for task, extra in told.items()} == dict.fromkeys(STEPS, 40)
    assert told["refresh_silver"]["rows"] == 4
    assert again == []
