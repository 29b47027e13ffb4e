"""OpenLineage events of a real run, through the file transport."""

from __future__ import annotations

import json

import pytest

DAG_ID = "phase17_01_openlineage"


def events_of(live, run_id, task_id):
    """Event type -> event of one task run."""
    path = live.directory / "openlineage.jsonl"
    written = path.read_text() if path.exists() else ""
    lines = written[: written.rfind("\n") + 1].splitlines()  # the last one may be half written
    found = {}
    for event in map(json.loads, lines):
        facet = event["run"]["facets"].get("airflow", {})
        same_run = facet.get("dagRun", {}).get("run_id") == run_id
        if event["job"]["name"] == f"{DAG_ID}.{task_id}" and same_run:
            found[event["eventType"]] = event
    return found


def datasets(event, side):
    return [(dataset["namespace"], dataset["name"]) for dataset in event[side]]


@pytest.fixture(scope="module")
def lineage(live):
    """The events of one run: task -> type -> event."""
    run_id = live.trigger(DAG_ID)
    assert live.wait(DAG_ID, run_id) == "success"
    tasks = ("fetch_orders", "price_orders")
    live.until(lambda: all({"START", "COMPLETE"} <= events_of(live, run_id, task).keys() for task in tasks))
    return {task: events_of(live, run_id, task) for task in tasks}


@pytest.mark.covers("P17.1")
@pytest.mark.parametrize("kind", ["START", "COMPLETE"])
def test_an_own_operator_tells_inputs_and_outputs_at_start_and_end(lineage, kind):
    event = lineage["price_orders"][kind]
    assert event["job"]["namespace"] == "library"
    assert datasets(event, "inputs") == [("s3://shop-raw", "orders/orders.csv")]
    assert datasets(event, "outputs") == [("postgres://warehouse.shop:5432", "shop.public.orders_priced")]


@pytest.mark.covers("P17.1")
def test_the_custom_facet_carries_the_runs_figures(lineage):
    facet = lineage["price_orders"]["COMPLETE"]["run"]["facets"]["shop_quality"]
    assert {name: facet[name] for name in ("rows", "revenue", "rejected")} == {
        "rows": 6,
        "revenue": "476.00",
        "rejected": 0,
    }
    assert facet["_schemaURL"] == "https://shop.example.com/schemas/openlineage/1-0-0/ShopQuality.json"
    columns = lineage["price_orders"]["COMPLETE"]["outputs"][0]["facets"]["columnLineage"]["fields"]
    assert [read["field"] for read in columns["amount"]["inputFields"]] == ["quantity", "unit_price"]


@pytest.mark.covers("P17.1")
@pytest.mark.parametrize("kind", ["START", "COMPLETE"])
def test_assets_become_lineage_by_themselves(lineage, kind):
    event = lineage["fetch_orders"][kind]
    assert datasets(event, "inputs") == [("s3://shop-raw", "orders/orders.csv")]
    assert datasets(event, "outputs") == [("s3://shop-stage", "orders/orders.csv")]


@pytest.mark.covers("P17.1")
def test_start_and_end_belong_to_one_run_with_the_dag_run_as_parent(lineage):
    start, complete = lineage["price_orders"]["START"], lineage["price_orders"]["COMPLETE"]
    assert start["run"]["runId"] == complete["run"]["runId"]
    assert complete["run"]["facets"]["parent"]["job"]["name"] == DAG_ID
