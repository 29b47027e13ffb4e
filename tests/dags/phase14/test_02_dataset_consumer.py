"""One run for two assets. That one event does not suffice is proven in the live Airflow."""

from __future__ import annotations

import pytest
from tests.dags.library import bag
from tests.dags.phase14.events import condition
from tests.dags.runner import run

DAG_ID = "phase14_02_dataset_consumer"
PRODUCER = "phase14_01_dataset_producer"


def test_both_assets_are_needed_and_both_have_the_producers_uri():
    produced = {
        outlet.name: outlet.uri
        for task in bag().dags[PRODUCER].tasks
        for outlet in task.outlets
        if hasattr(outlet, "uri")
    }
    expression = condition(DAG_ID)
    assert set(expression) == {"all"}
    wanted = {item["asset"]["name"]: item["asset"]["uri"] for item in expression["all"]}
    assert set(wanted) == {"orders_table", "fx_rates"}
    assert wanted.items() <= produced.items()


@pytest.fixture
def produced(variable, tmp_path):
    variable("platform_shop_lake", {kind: f"file://{tmp_path}/{kind}" for kind in ("s3", "gs", "file")})
    return run(PRODUCER, conf={"currency": "GBP"})


def test_a_manual_run_takes_the_last_known_facts(produced):
    done = run(DAG_ID, logical_date=None)
    assert done.state == "success"
    assert done.xcom("read_events")["events"] == 0
    day = produced.logical_date.strftime("%Y-%m-%d")
    assert done.xcom("convert_revenue") == {"day": day, "currency": "GBP", "revenue": "376.04"}
