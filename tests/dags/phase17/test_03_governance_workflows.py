"""Retention, contract changes and access review."""

from __future__ import annotations

import datetime

import pytest
from tests.dags.library import bag
from tests.dags.runner import run
from werkzeug import Response

DAG_ID = "phase17_03_governance_workflows"
TODAY = datetime.datetime(2026, 3, 31, 4, tzinfo=datetime.UTC)
USE = {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
OLD = {
    "asset": "orders_clean",
    "owner": "data_engineering",
    "version": 1,
    "consumers": ["analytics", "ml"],
    "max_age_hours": 26,
    "fields": [{"name": "order_id", "type": "integer"}, {"name": "amount", "type": "number"}],
}


@pytest.fixture
def database(postgres):
    """Customers (PII: 30 days), invoices (Confidential: 365 days), countries (Public: for ever)."""
    postgres.connection("governed_db")
    columns = {"customers": "email text", "invoices": "price numeric", "countries": "iso_code text"}
    for table, column in columns.items():
        own = f"id int PRIMARY KEY, {column}, created_at date, legal_hold boolean NOT NULL"
        postgres.execute(f"CREATE TABLE {table} ({own})")
    rows = [
        (1, "2026-03-30", False),
        (2, "2026-03-01", False),  # 30 days old: the last day that customers are kept
        (3, "2026-02-28", False),  # 31 days old
        (4, "2026-02-28", True),
        (5, "2025-03-31", False),  # 365 days old: the last day that invoices are kept
        (6, "2025-03-30", False),
        (7, "2025-03-30", True),
    ]
    for table in columns:
        for number, day, hold in rows:
            insert = f"INSERT INTO {table} (id, created_at, legal_hold) VALUES (%s, %s, %s)"  # noqa: S608
            postgres.execute(insert, number, day, hold)
    return postgres


def left(database, table):
    return [row[0] for row in database.execute(f"SELECT id FROM {table} ORDER BY id")]  # noqa: S608


@pytest.mark.covers("P17.3")
def test_expired_rows_are_removed_and_those_under_legal_hold_kept(database):
    done = run(DAG_ID, conf={"process": "retention"}, logical_date=TODAY)
    assert done.state == "success"
    assert left(database, "customers") == [1, 2, 4, 7]
    assert left(database, "invoices") == [1, 2, 3, 4, 5, 7]
    assert left(database, "countries") == [1, 2, 3, 4, 5, 6, 7]
    assert done.xcom("enforce_retention") == {
        "customers": {"class": "PII", "deleted": 3, "held": 2},
        "invoices": {"class": "Confidential", "deleted": 1, "held": 1},
        "countries": {"class": "Public", "deleted": 0, "held": 0},
    }
    assert done.of("success") == {"choose_process", "classify_columns", "enforce_retention"}


@pytest.mark.covers("P17.3")
def test_columns_are_classified_and_a_second_run_removes_nothing(database):
    run(DAG_ID, conf={"process": "retention"}, logical_date=TODAY)
    again = run(DAG_ID, conf={"process": "retention"}, logical_date=TODAY + datetime.timedelta(seconds=1))
    assert again.xcom("classify_columns")["customers"]["email"] == "PII"
    assert again.xcom("classify_columns")["invoices"]["price"] == "Confidential"
    assert {row["deleted"] for row in again.xcom("enforce_retention").values()} == {0}


@pytest.mark.covers("P17.3")
def test_a_missing_table_fails_the_run_and_removes_nothing_anywhere(database, capfd):
    database.execute("DROP TABLE invoices")
    done = run(DAG_ID, conf={"process": "retention"}, logical_date=TODAY)
    assert done.state == "failed"
    assert done.states["classify_columns"] == "failed"
    assert done.tries("classify_columns") == 1
    assert left(database, "customers") == [1, 2, 3, 4, 5, 6, 7]
    assert "no such table, nothing was removed: invoices" in "".join(capfd.readouterr())


def test_a_table_that_cannot_be_cleaned_keeps_the_rows_of_all(database):
    database.execute("ALTER TABLE invoices DROP COLUMN legal_hold")
    done = run(DAG_ID, conf={"process": "retention"}, logical_date=TODAY)
    assert done.states["enforce_retention"] == "failed"
    assert left(database, "customers") == [1, 2, 3, 4, 5, 6, 7]


def test_a_table_of_the_same_name_elsewhere_does_not_decide(database):
    database.execute("CREATE SCHEMA archive")
    database.execute("CREATE TABLE archive.countries (email text)")
    done = run(DAG_ID, conf={"process": "retention"}, logical_date=TODAY)
    assert "email" not in done.xcom("classify_columns")["countries"]
    assert left(database, "countries") == [1, 2, 3, 4, 5, 6, 7]


@pytest.fixture
def lake(airflow_stub, http_connection, httpserver):
    """orders_clean feeds `report` and `train`; what `train` makes feeds `serve`. Notices are collected."""
    http_connection("governance_webhook")
    now = datetime.datetime.now(datetime.UTC).isoformat()
    event = {"id": 1, "timestamp": now}
    airflow_stub.lists["/api/v2/assets"] = (
        "assets",
        [
            {
                "name": "orders_clean",
                "scheduled_dags": [USE | {"dag_id": "report"}],
                "consuming_tasks": [USE | {"dag_id": "train", "task_id": "read"}],
                "producing_tasks": [USE | {"dag_id": "load", "task_id": "write"}],
                "last_asset_event": event,
            },
            {
                "name": "model",
                "scheduled_dags": [USE | {"dag_id": "serve"}],
                "producing_tasks": [USE | {"dag_id": "train", "task_id": "fit"}],
                "last_asset_event": event,
            },
            {"name": "other", "scheduled_dags": [USE | {"dag_id": "aside"}], "last_asset_event": None},
        ],
    )
    notices = []

    def keep(request):
        notices.append(request.get_json() | {"key": request.headers.get("Idempotency-Key")})
        return Response("", 204)

    httpserver.expect_request("/notices", method="POST").respond_with_handler(keep)
    return notices


def change(*fields):
    new = OLD | {"version": 2, "fields": list(fields)}
    return {"process": "schema_change", "contract": OLD, "new_contract": new}


@pytest.mark.covers("P17.3")
def test_a_breaking_change_is_blocked_and_lists_the_downstream_dags(lake, capfd):
    done = run(DAG_ID, conf=change({"name": "order_id", "type": "string"}))
    assert done.state == "failed"
    assert done.states["accept_change"] == "failed"
    assert done.tries("accept_change") == 1
    found = done.xcom("detect_changes")
    assert found["downstream_dags"] == ["report", "serve", "train"]
    assert found["changes"] == ["order_id: integer became string", "amount: removed"]
    [notice] = lake
    assert (notice["kind"], notice["teams"]) == ("breaking change refused", ["analytics", "ml"])
    assert notice["downstream_dags"] == ["report", "serve", "train"]
    assert notice["key"] == done.run_id
    assert "These DAGs would break: report, serve, train" in "".join(capfd.readouterr())


@pytest.mark.covers("P17.3")
def test_a_compatible_change_is_accepted_and_announced(lake):
    done = run(DAG_ID, conf=change(*OLD["fields"], {"name": "currency", "type": "string"}))
    assert done.state == "success"
    assert done.xcom("accept_change") == 2
    assert [notice["kind"] for notice in lake] == ["compatible change"]
    assert done.xcom("detect_changes")["late"] is False


def test_a_delivery_after_the_agreed_time_is_late(lake, airflow_stub):
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=27)
    airflow_stub.lists["/api/v2/assets"][1][0]["last_asset_event"] = {
        "id": 1,
        "timestamp": before.isoformat(),
    }
    assert run(DAG_ID, conf=change(*OLD["fields"])).xcom("detect_changes")["late"] is True


def test_the_review_waits_for_a_person_and_not_for_ever():
    dag = bag().dags[DAG_ID]
    review = dag.get_task("approve_grants")
    assert review.response_timeout == datetime.timedelta(days=7)
    assert review.fail_on_reject
    assert review.upstream_task_ids == {"list_grants"}
    assert dag.get_task("record_review").upstream_task_ids == {"approve_grants", "list_grants"}
