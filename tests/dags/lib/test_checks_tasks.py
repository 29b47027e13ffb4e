"""The checks as tasks of a DAG."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowFailException

from tenant_airflow_lib import checks
from tenant_airflow_lib.checks import tasks

SUITE = checks.Suite(name="orders", expectations=[checks.NotNull(column="order_id")])


@pytest.mark.covers("OP-8")
def test_validating_a_file_returns_the_report_whatever_the_verdict(tmp_path, caplog):
    file = tmp_path / "orders.csv"
    file.write_text("order_id,amount\n1,2\n,3\n")
    report = tasks.validate_file.function(str(file), SUITE.to_dict())
    assert report == {
        "suite": "orders",
        "success": False,
        "violated": ["expect_column_values_to_not_be_null(order_id)"],
        "results": [
            {
                "rule": "expect_column_values_to_not_be_null(order_id)",
                "success": False,
                "detail": "1 of 2 values",
                "unexpected": 1,
                "rows": [2],
            }
        ],
    }
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_file_that_is_not_there_is_an_error_that_may_be_retried(tmp_path):
    with pytest.raises(FileNotFoundError):
        tasks.validate_file.function(str(tmp_path / "none.csv"), SUITE.to_dict())


@pytest.mark.covers("OP-8")
def test_sql_rules_are_judged_by_name(postgres):
    postgres.execute("CREATE TABLE orders (order_id int, amount int)")
    postgres.execute("INSERT INTO orders VALUES (1, 5), (2, -1)")
    report = tasks.check_sql.function(
        postgres.connection("postgres_conn"),
        {
            "amounts are positive": "SELECT 1 FROM orders WHERE amount < 0",
            "ids are there": "SELECT 1 FROM orders WHERE order_id IS NULL",
        },
    )
    assert report["violated"] == ["amounts are positive"]
    assert [result["unexpected"] for result in report["results"]] == [1, 0]


@pytest.mark.covers("OP-8")
def test_the_gate_passes_a_good_report_on_and_fails_at_once_on_a_bad_one():
    good = checks.Report("orders", [checks.Result("a", True, "")]).to_dict()
    assert tasks.require_success.function(good) == good
    bad = checks.Report("orders", [checks.Result("a", False, ""), checks.Result("b", False, "")]).to_dict()
    with pytest.raises(AirflowFailException, match="orders: violated a; b"):
        tasks.require_success.function(bad)
