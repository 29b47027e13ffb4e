"""Configuration from Connections and Variables (that the log hides the password: the live tests)."""

from __future__ import annotations

import json

import pytest
from tests.dags.runner import run

DAG_ID = "phase5_01_connections_variables"
PASSWORD = "correct-horse-battery"


@pytest.fixture
def configured(connect, variable):
    connect(
        "postgres_conn", "postgres", host="db.example.com", schema="shop", login="report", password=PASSWORD
    )
    variable("platform_report_currency", "CHF")
    variable("platform_report_settings", {"rows_per_page": 20, "regions": ["north"]})


@pytest.mark.covers("P05.1")
def test_the_xcoms_show_address_and_settings(configured):
    done = run(DAG_ID)
    assert done.state == "success"
    assert done.xcom("describe_target") == {
        "host": "db.example.com",
        "port": 5432,
        "database": "shop",
        "user": "report",
    }
    assert done.xcom("read_settings") == {"currency": "CHF", "rows_per_page": 20, "regions": ["north"]}


@pytest.mark.covers("P05.1")
def test_templates_see_connections_and_variables_too(configured):
    done = run(DAG_ID)
    assert done.xcom("name_report") == "CHF report of db.example.com: north in CHF from shop"


@pytest.mark.covers("P05.1")
def test_variables_that_are_missing_have_their_defaults(connect):
    connect(
        "postgres_conn", "postgres", host="db.example.com", schema="shop", login="report", password="x9y8z7"
    )
    done = run(DAG_ID)
    assert done.xcom("read_settings") == {
        "currency": "EUR",
        "rows_per_page": 50,
        "regions": ["north", "south", "west"],
    }
    assert done.xcom("name_report").startswith("EUR report of db.example.com: north, south, west in EUR")


@pytest.mark.covers("P05.1")
def test_no_xcom_holds_the_password_and_the_task_that_prints_it_stores_none(configured):
    done = run(DAG_ID)
    stored = {task: done.xcoms(task) for task in done.states}
    assert stored["check_login"] == {}
    assert PASSWORD not in json.dumps(stored)


def test_without_its_connection_the_report_fails_and_says_which_is_missing(capfd, variable):
    variable("platform_report_currency", "CHF")
    done = run(DAG_ID)
    assert done.state == "failed"
    assert done.states["describe_target"] == "failed"
    assert "postgres_conn" in capfd.readouterr().out
