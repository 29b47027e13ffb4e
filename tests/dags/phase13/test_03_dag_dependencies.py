"""Three DAGs, one flow."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.dags.runner import run

from airflow_usecases.dependency_graph import downstream, from_response, mermaid, neighbourhood

DAG_ID = "phase13_03_dag_dependencies"
INGEST = f"{DAG_ID}__child_ingest"
REPORT = f"{DAG_ID}__child_report"
GOLDEN = Path(__file__).with_name("dag_dependencies.mmd")


def edges():
    """What Airflow itself found when it serialised the folder's DAGs, as its API shows it."""
    from airflow.api_fastapi.core_api.services.ui.dependencies import get_scheduling_dependencies

    answer = get_scheduling_dependencies()
    wanted = [{"source_id": edge["source_id"], "target_id": edge["target_id"]} for edge in answer["edges"]]
    return neighbourhood(from_response({"nodes": answer["nodes"], "edges": wanted}), f"dag:{DAG_ID}")


@pytest.mark.covers("P13.3")
def test_the_graph_that_airflow_knows_is_the_documented_one():
    run(INGEST)
    assert mermaid(edges()) == GOLDEN.read_text()


@pytest.mark.covers("P13.3")
def test_a_failure_of_the_ingest_can_reach_everything_one_of_the_report_nothing():
    run(INGEST)
    assert downstream(edges(), f"dag:{INGEST}") == ["asset:orders_ingested", f"dag:{DAG_ID}", f"dag:{REPORT}"]
    assert downstream(edges(), f"dag:{REPORT}") == []


def test_the_second_ingest_takes_only_what_is_new():
    first = run(INGEST, conf={"from_start": True})
    assert first.xcom("ingest_orders") == {"orders": 6, "first": 1001, "last": 1006, "watermark": 1006}
    second = run(INGEST)
    assert second.xcom("ingest_orders") == {"orders": 0, "first": 0, "last": 0, "watermark": 1006}


def test_a_second_try_hands_on_what_the_first_took():
    broken = []

    def lose_the_worker_once(context, result=None):
        if not broken:
            broken.append(result)
            raise RuntimeError("the worker is gone")

    def change(dag):
        dag.get_task("ingest_orders")._post_execute_hook = lose_the_worker_once

    done = run(INGEST, conf={"from_start": True}, change=change)
    run(INGEST)
    assert done.tries("ingest_orders") == 2
    assert broken == [done.xcom("ingest_orders")]

    broken.clear()
    later = run(INGEST, change=change)
    assert later.tries("ingest_orders") == 2
    assert later.xcom("ingest_orders")["watermark"] == 1006


def test_a_failed_ingest_keeps_the_watermark():
    run(INGEST, conf={"from_start": True})
    failed = run(INGEST, conf={"fail_at": "ingest", "from_start": True})
    assert (failed.state, failed.tries("ingest_orders")) == ("failed", 1)
    assert run(INGEST).xcom("ingest_orders")["watermark"] == 1006


def test_the_report_says_what_conf_said():
    done = run(REPORT, conf={"orders": 2, "revenue": "12.50"}, logical_date=None)
    assert done.xcom("write_report") == "2 orders, revenue 12.50"


def test_a_report_that_is_told_to_fail_fails():
    assert run(REPORT, conf={"fail_at": "report"}).states == {"write_report": "failed"}
