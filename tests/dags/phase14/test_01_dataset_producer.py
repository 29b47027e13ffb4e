"""Asset events and what they say."""

from __future__ import annotations

import datetime
import hashlib

import pytest
from tests.dags.library import bag
from tests.dags.phase14.events import events_of
from tests.dags.runner import run

from airflow_usecases import lake

DAG_ID = "phase14_01_dataset_producer"
SUMMARY = f"{DAG_ID}__child_summary"
MARCH_2 = datetime.datetime(2026, 3, 2, 3, tzinfo=datetime.UTC)


@pytest.fixture
def stores(variable, tmp_path):
    folders = {kind: tmp_path / kind for kind in ("s3", "gs", "file")}
    variable("platform_shop_lake", {kind: f"file://{folder}" for kind, folder in folders.items()})
    return folders


@pytest.mark.covers("P14.1")
def test_every_outlet_gets_one_event_with_its_facts(stores):
    done = run(DAG_ID, logical_date=MARCH_2, conf={"currency": "CHF", "model_version": 9})
    assert done.state == "success"
    content = (stores["s3"] / "orders.csv").read_bytes()
    file_facts = {"bytes": len(content), "rows": 6, "sha256": hashlib.sha256(content).hexdigest()}
    assert events_of(done.run_id) == {
        "orders_s3": (lake.URIS["orders_s3"], file_facts, "export_orders"),
        "orders_gcs": (lake.URIS["orders_gcs"], file_facts, "export_orders"),
        "orders_local": (lake.URIS["orders_local"], file_facts, "export_orders"),
        "orders_table": (
            lake.URIS["orders_table"],
            {"day": "2026-03-02", "rows": 6, "revenue": "476.00"},
            "load_orders_table",
        ),
        "fx_rates": (lake.URIS["fx_rates"], {"currency": "CHF", "rate": "0.88"}, "refresh_rates"),
        "churn_model_v9": ("mlflow://models/churn/9", {"version": 9, "accuracy": 0.91}, "register_model"),
    }


@pytest.mark.covers("P14.1")
def test_the_three_stores_hold_the_file_that_the_events_describe(stores):
    run(DAG_ID, logical_date=MARCH_2)
    contents = {(folder / "orders.csv").read_bytes() for folder in stores.values()}
    assert len(contents) == 1
    assert contents.pop().splitlines()[0] == b"order_id,region,quantity,unit_price"


@pytest.mark.covers("P14.1")
def test_the_decorated_asset_reports_itself():
    done = run(SUMMARY, logical_date=MARCH_2)
    assert done.state == "success"
    assert events_of(done.run_id) == {
        "orders_summary": (
            lake.URIS["orders_summary"],
            {"day": "2026-03-02", "rows": 6, "revenue": "476.00"},
            "summarise_orders",
        )
    }


@pytest.mark.covers("P14.1")
def test_a_failed_task_reports_nothing(stores):
    stores["s3"].parent.mkdir(exist_ok=True)
    stores["s3"].write_text("a file where the store's folder should be")
    done = run(DAG_ID, logical_date=MARCH_2)
    assert done.states["export_orders"] == "failed"
    assert events_of(done.run_id) == {}


def test_the_decorated_assets_dag_keeps_the_rules_of_the_house():
    dag = bag().dags[SUMMARY]
    assert dag.max_active_runs == 1
    assert dag.dagrun_timeout == datetime.timedelta(minutes=30)
    assert not dag.catchup
    assert SUMMARY.split("__", 1)[0] in dag.doc_md
    [task] = dag.tasks
    assert (task.owner, task.retries) == ("platform", 2)
    assert task.execution_timeout == datetime.timedelta(minutes=10)
