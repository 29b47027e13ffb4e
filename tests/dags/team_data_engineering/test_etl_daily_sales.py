"""1,000 sales a day; only metadata between the tasks; the same day twice is the same."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "etl_daily_sales"
DAY = datetime.datetime(2026, 3, 6, 6, tzinfo=datetime.UTC)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.covers("D001-1")
def test_the_dag_has_the_schedule_limits_and_tags_of_its_contract():
    dag = bag().dags[DAG_ID]
    assert dag.schedule == "0 6 * * *"
    assert dag.start_date == datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    assert dag.catchup is False
    assert {"etl", "sales"} <= dag.tags
    assert dag.topological_sort()[0].task_id == "extract"
    for task in dag.tasks:
        assert task.retries == 3
        assert task.retry_delay == datetime.timedelta(minutes=5)
        assert task.execution_timeout == datetime.timedelta(hours=1)


@pytest.mark.covers("D001-1")
def test_load_saw_1000_processed_sales_and_the_tasks_passed_metadata_only(tmp_path, caplog):
    with caplog.at_level("INFO"):
        done = run(DAG_ID, conf={"data_folder": str(tmp_path)}, logical_date=DAY)
    assert done.state == "success"
    extracted, processed = done.xcom("extract"), done.xcom("transform")
    assert (extracted["records"], extracted["source"], extracted["date"]) == (1000, "api", "2026-03-06")
    assert (processed["processed"], processed["status"]) == (1000, "success")
    assert "loaded 1000 of 1000 sales" in caplog.text
    assert done.xcom("load")["loaded"] == 1000
    partition = tmp_path / "warehouse" / "sale_date=2026-03-06" / "sales.jsonl"
    assert len(partition.read_text().splitlines()) == 1000
    for task_id in done.states:
        for value in done.xcoms(task_id).values():
            assert len(json.dumps(value)) < 48 * 1024
            assert not isinstance(value, list)


@pytest.mark.covers("D001-1")
def test_the_second_run_of_a_day_gives_the_same_result(tmp_path):
    conf = {"data_folder": str(tmp_path)}
    first = run(DAG_ID, conf=conf, logical_date=DAY)
    content = files(tmp_path)
    second = run(DAG_ID, conf=conf, logical_date=DAY + datetime.timedelta(minutes=1))
    assert second.run_id != first.run_id
    assert second.xcom("load") == first.xcom("load")
    assert files(tmp_path) == content
    assert len(content) == 3


@pytest.mark.covers("D001-1")
def test_a_run_without_ds_takes_the_day_from_which_it_may_run(tmp_path):
    after = datetime.datetime(2026, 4, 1, 9, tzinfo=datetime.UTC)
    done = run(DAG_ID, conf={"data_folder": str(tmp_path)}, logical_date=None, run_after=after)
    assert done.xcom("extract")["date"] == "2026-04-01"
