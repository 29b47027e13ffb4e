"""Commit shows all rows, an error shows none, and bad data fails the check in the database."""

from __future__ import annotations

from decimal import Decimal

import pendulum
import pytest
from tests.dags.phase9.without_providers import tasks_without
from tests.dags.runner import run

from airflow_usecases.orders_db import SAMPLE, TABLES

DAG_ID = "phase9_01_database_integration"
DAY = pendulum.datetime(2026, 3, 1, tz="UTC")
ALL = {"create_tables", "load_orders", "check_columns", "check_day", "publish_day"}


def order(order_id, amount="1.00", customer="Ines"):
    return {"order_id": order_id, "customer": customer, "amount": amount}


@pytest.fixture
def database(postgres):
    postgres.connection("postgres_conn")
    return postgres


def count(database, table):
    return database.execute(f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608 - names of this file


@pytest.mark.covers("P09.1")
def test_the_committed_day_has_all_orders_and_is_published(database):
    done = run(DAG_ID, logical_date=DAY)
    assert done.state == "success"
    assert done.of("success") == ALL
    assert done.xcom("load_orders") == len(SAMPLE) == count(database, "orders") == 3
    assert database.execute("SELECT day::text, orders, amount, published FROM daily_revenue") == [
        ("2026-03-01", 3, Decimal("265.00"), True)
    ]


@pytest.mark.covers("P09.1")
def test_an_error_in_the_transaction_leaves_no_rows_in_either_table(database):
    done = run(DAG_ID, conf={"orders": [order("A"), order("B"), order("A")]}, logical_date=DAY)
    assert done.states == {
        "create_tables": "success",
        "load_orders": "failed",
        "check_columns": "upstream_failed",
        "check_day": "upstream_failed",
        "publish_day": "upstream_failed",
    }
    assert done.tries("load_orders") == 3
    assert count(database, "orders") == count(database, "daily_revenue") == 0


@pytest.mark.covers("P09.1")
def test_a_failed_second_delivery_leaves_the_first_one_untouched(database):
    run(DAG_ID, logical_date=DAY)
    run(DAG_ID, conf={"orders": [order("A"), order("A")]}, logical_date=DAY)
    assert count(database, "orders") == 3
    assert database.execute("SELECT orders, published FROM daily_revenue") == [(3, True)]


def test_loading_the_same_day_twice_ends_in_the_same_state_and_other_days_stay(database):
    run(DAG_ID, logical_date=DAY.subtract(days=1))
    for _ in range(2):
        run(DAG_ID, logical_date=DAY)
    assert database.execute("SELECT day::text, count(*) FROM orders GROUP BY day ORDER BY day") == [
        ("2026-02-28", 3),
        ("2026-03-01", 3),
    ]


@pytest.mark.covers("P09.1")
@pytest.mark.parametrize(
    ("orders", "check"),
    [
        ([order("A", "-0.01")], "check_columns"),
        ([order("A", "10000.01")], "check_columns"),
        ([order("A", customer=None)], "check_columns"),
        ([], "check_day"),
    ],
)
def test_bad_data_fails_its_check_at_once_and_the_day_is_not_published(database, orders, check):
    done = run(DAG_ID, conf={"orders": orders}, logical_date=DAY)
    assert done.state == "failed"
    assert done.states["load_orders"] == "success"
    assert check in done.of("failed") <= {"check_columns", "check_day"}
    assert done.tries(check) == 1
    assert done.of("upstream_failed") == {"publish_day"}
    assert database.execute("SELECT published FROM daily_revenue") == [(False,)]


def test_revenue_that_does_not_match_its_orders_fails_the_check(database):
    for statement in TABLES:
        database.execute(statement)
    database.execute(
        "CREATE FUNCTION wrong() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN NEW.amount := 7; RETURN NEW; END $$"
    )
    database.execute(
        "CREATE TRIGGER wrong BEFORE INSERT ON daily_revenue FOR EACH ROW EXECUTE FUNCTION wrong()"
    )
    assert run(DAG_ID, logical_date=DAY).of("failed") == {"check_day"}


def test_a_run_without_logical_date_is_about_the_day_from_which_it_may_run(database):
    done = run(DAG_ID, logical_date=None, run_after=DAY.add(hours=5))
    assert done.of("success") == ALL
    assert database.execute("SELECT DISTINCT day::text FROM orders") == [("2026-03-01",)]


def test_without_its_provider_the_file_still_loads():
    assert set(tasks_without(DAG_ID, "common.sql", "postgres")) == ALL
