"""What a run logs, as Airflow writes it: one JSON object per line."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog
from tests.dags.runner import run

from airflow_usecases import sales

DAG_ID = "phase12_02_logging_tracing"
REGIONS = ("north", "south", "west")


@pytest.fixture
def logged():
    """`logged()` is the output of Airflow's own JSON logging since the test began, line by line."""
    from airflow.sdk._shared.logging import configure_logging

    before = structlog.get_config()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    output = io.BytesIO()
    configure_logging(json_output=True, log_level="INFO", output=output)
    yield lambda: [json.loads(line) for line in output.getvalue().splitlines()]
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


def of_the_batch(lines):
    """The lines that were logged while the batch was worked on, by the DAG or by what it calls."""
    return [line for line in lines if line["event"] in EVENTS]


EVENTS = {"batch opened", "region priced", "total published", "span", "prices checked"}


def spans(lines):
    return [line for line in lines if line["event"] == "span"]


@pytest.mark.covers("P12.2")
@pytest.mark.parametrize("given", ["web-shop-4711", None])
def test_every_line_is_json_and_has_the_id_of_the_caller_or_of_the_run(logged, given, monkeypatch):
    price = sales.price_orders

    def price_orders(orders):
        logging.getLogger("some.library").warning("prices checked")
        return price(orders)

    monkeypatch.setattr(sales, "price_orders", price_orders)
    done = run(DAG_ID, conf={"correlation_id": given} if given else {})
    assert done.state == "success"
    assert done.xcom("publish_total") == "476.00"
    ours = of_the_batch(logged())
    assert sorted(line["event"] for line in ours if line["event"] != "span") == [
        "batch opened",
        *["prices checked"] * 3,
        *["region priced"] * 3,
        "total published",
    ]
    assert {line["correlation_id"] for line in ours} == {given or done.run_id}
    assert len({line["trace_id"] for line in ours}) == 1
    facts = {
        line["region"]: (line["orders"], line["revenue"]) for line in ours if line["event"] == "region priced"
    }
    assert facts == {"north": (3, "156.50"), "south": (2, "282.00"), "west": (1, "37.50")}


@pytest.mark.covers("P12.2")
def test_the_spans_of_all_tasks_are_one_tree(logged):
    done = run(DAG_ID)
    found = spans(logged())
    by_id = {span["span_id"]: span for span in found}
    assert len(by_id) == len(found) == 1 + 3 + 3 + 1
    (root,) = [span for span in found if span["parent_id"] is None]
    assert root["name"] == "order_batch"
    passed_on = done.xcom("open_batch")["traceparent"]
    assert passed_on.split("-")[:3] == ["00", root["trace_id"], root["span_id"]]
    tree = sorted(
        (by_id[span["parent_id"]]["name"], span["name"]) for span in found if span["parent_id"] is not None
    )
    assert tree == [
        ("order_batch", "price_region"),
        ("order_batch", "price_region"),
        ("order_batch", "price_region"),
        ("order_batch", "publish_total"),
        ("price_region", "add_amounts"),
        ("price_region", "add_amounts"),
        ("price_region", "add_amounts"),
    ]
    regions = {span["span_id"]: span for span in found if span["name"] == "price_region"}
    assert {span["attributes"]["region"] for span in regions.values()} == set(REGIONS)
    assert {span["parent_id"] for span in found if span["name"] == "add_amounts"} == set(regions)


@pytest.mark.covers("P12.2")
def test_two_runs_are_two_traces(logged):
    first, second = run(DAG_ID), run(DAG_ID)
    by_run = {line["correlation_id"]: line["trace_id"] for line in spans(logged())}
    assert set(by_run) == {first.run_id, second.run_id}
    assert len(set(by_run.values())) == 2
