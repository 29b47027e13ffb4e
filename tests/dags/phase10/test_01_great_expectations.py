"""A clean file is loaded; one violated rule closes the gate, and the report names the rule."""

from __future__ import annotations

import warnings

import pendulum
import pytest
from tests.dags.runner import run

DAG_ID = "phase10_01_great_expectations"
HEADER = "order_id,email,amount"
GOOD = [f"{number},c{number}@example.com,{number}.50" for number in range(1, 11)]
DAY = pendulum.datetime(2026, 3, 1, tz="UTC")


def deliver(folder, rows, header=HEADER):
    file = folder / "orders.csv"
    file.write_text("\n".join([header, *rows]) + "\n")
    return {"orders_path": str(file), "target_path": str(folder / "warehouse")}


@pytest.mark.covers("P10.1")
def test_a_clean_file_is_loaded_into_the_partition_of_its_day(tmp_path):
    conf = deliver(tmp_path, GOOD)
    done = run(DAG_ID, conf=conf, logical_date=DAY)
    assert done.state == "success"
    assert done.of("success") == {"validate_orders", "require_quality", "load_orders"}
    report = done.xcom("validate_orders")
    assert (report["success"], report["violated"], len(report["results"])) == (True, [], 5)
    partition = tmp_path / "warehouse/day=2026-03-01/orders.csv"
    assert done.xcom("load_orders") == str(partition)
    assert partition.read_text() == (tmp_path / "orders.csv").read_text()
    assert [file.name for file in partition.parent.iterdir()] == ["orders.csv"]


def test_loading_the_same_day_again_replaces_its_partition(tmp_path):
    run(DAG_ID, conf=deliver(tmp_path, GOOD), logical_date=DAY)
    run(DAG_ID, conf=deliver(tmp_path, GOOD[:3]), logical_date=DAY)
    assert [path.name for path in (tmp_path / "warehouse").iterdir()] == ["day=2026-03-01"]
    assert len((tmp_path / "warehouse/day=2026-03-01/orders.csv").read_text().splitlines()) == 4


@pytest.mark.covers("P10.1")
@pytest.mark.parametrize("engine", ["own", "great_expectations"])
@pytest.mark.parametrize(
    ("rows", "violated"),
    [
        ([",x@example.com,5", *GOOD], "expect_column_values_to_not_be_null(order_id)"),
        (["11,,5", "12,,5", *GOOD], "expect_column_values_to_not_be_null(email, mostly=0.9)"),
        (
            ["11,x@example.com,10000.01", *GOOD],
            "expect_column_values_to_be_between(amount, min_value=0, max_value=10000)",
        ),
        ([], "expect_table_row_count_to_be_between(min_value=1, max_value=1000000)"),
    ],
)
def test_one_violated_rule_fails_the_gate_and_nothing_is_loaded(tmp_path, engine, rows, violated):
    with warnings.catch_warnings():  # of Great Expectations' own imports
        warnings.simplefilter("ignore")
        import great_expectations  # noqa: F401
    done = run(DAG_ID, conf=deliver(tmp_path, rows) | {"engine": engine})
    assert done.state == "failed"
    assert done.states == {
        "validate_orders": "success",
        "require_quality": "failed",
        "load_orders": "upstream_failed",
    }
    assert done.tries("require_quality") == 1
    report = done.xcom("validate_orders")
    assert report["violated"] == [violated]
    assert [result["rule"] for result in report["results"] if not result["success"]] == [violated]
    assert not (tmp_path / "warehouse").exists()


@pytest.mark.covers("P10.1")
def test_a_missing_column_violates_its_rules(tmp_path):
    done = run(DAG_ID, conf=deliver(tmp_path, ["1,x@example.com,5"], header="id,email,amount"))
    assert done.xcom("validate_orders")["violated"] == [
        "expect_column_to_exist(order_id)",
        "expect_column_values_to_not_be_null(order_id)",
    ]
    assert done.of("upstream_failed") == {"load_orders"}


def test_a_file_that_is_not_there_yet_is_tried_again(tmp_path):
    done = run(DAG_ID, conf={"orders_path": str(tmp_path / "later.csv"), "target_path": str(tmp_path)})
    assert done.states["validate_orders"] == "failed"
    assert done.tries("validate_orders") == 3
