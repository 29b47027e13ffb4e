"""One record per task callback (those of runs and deadlines: the live tests)."""

from __future__ import annotations

import datetime
import json
from collections import Counter

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "phase5_04_callbacks"


@pytest.fixture
def records(tmp_path, variable):
    """(event, task, try) -> how often."""
    variable("platform_callbacks_folder", str(tmp_path))

    def read(run_id):
        lines = [json.loads(line) for line in (tmp_path / "callbacks.jsonl").read_text().splitlines()]
        assert {(line["dag_id"], line["run_id"]) for line in lines} == {(DAG_ID, run_id)}
        return Counter(
            (line["event"], line["task_id"], line["try_number"]) for line in lines if "task_id" in line
        )

    return read


def without_deadline(dag):
    """dag.test() knows no deadlines."""
    dag.deadline = None


EVERY_RUN = [
    ("execute", "load_catalogue", 1),
    ("success", "load_catalogue", 1),
    ("execute", "load_promotions", 1),
    ("skipped", "load_promotions", 1),
    ("execute", "publish_catalogue", 1),
]


@pytest.mark.covers("P05.4")
def test_one_record_per_callback_with_its_try_number(records):
    done = run(DAG_ID, change=without_deadline)
    assert done.state == "success"
    assert records(done.run_id) == Counter(
        [
            *EVERY_RUN,
            ("execute", "fetch_rates", 1),
            ("retry", "fetch_rates", 1),
            ("execute", "fetch_rates", 2),
            ("success", "fetch_rates", 2),
            ("success", "publish_catalogue", 1),
        ]
    )


@pytest.mark.covers("P05.4")
def test_a_failure_that_no_retry_can_help_is_recorded_once(records):
    done = run(DAG_ID, conf={"tills_refuse": True, "failing_tries": 0}, change=without_deadline)
    assert done.state == "failed"
    assert records(done.run_id) == Counter(
        [
            *EVERY_RUN,
            ("execute", "fetch_rates", 1),
            ("success", "fetch_rates", 1),
            ("failure", "publish_catalogue", 1),
        ]
    )


@pytest.mark.covers("P05.4")
def test_failure_comes_after_the_last_try_and_a_task_that_never_started_has_no_record(records):
    done = run(DAG_ID, conf={"failing_tries": 3}, change=without_deadline)
    assert done.states["publish_catalogue"] == "upstream_failed"
    found = records(done.run_id)
    assert {key: count for key, count in found.items() if key[1] == "fetch_rates"} == {
        ("execute", "fetch_rates", 1): 1,
        ("retry", "fetch_rates", 1): 1,
        ("execute", "fetch_rates", 2): 1,
        ("retry", "fetch_rates", 2): 1,
        ("execute", "fetch_rates", 3): 1,
        ("failure", "fetch_rates", 3): 1,
    }
    assert not [key for key in found if key[1] == "publish_catalogue"]


@pytest.mark.covers("P05.4")
def test_the_deadline_is_ten_seconds_after_the_run_was_queued():
    from airflow.sdk import DeadlineReference, SyncCallback

    [deadline] = bag().dags[DAG_ID].deadline
    assert deadline.reference == DeadlineReference.DAGRUN_QUEUED_AT
    assert deadline.interval == datetime.timedelta(seconds=10)
    assert isinstance(deadline.callback, SyncCallback)
    assert deadline.callback.path == "airflow_usecases.callbacks.record_missed_deadline"


def test_a_callback_that_fails_does_not_change_the_tasks_state(variable, tmp_path):
    (tmp_path / "file").write_text("")
    variable("platform_callbacks_folder", str(tmp_path / "file"))
    done = run(DAG_ID, conf={"failing_tries": 0}, change=without_deadline)
    assert done.state == "success"


def test_without_a_folder_the_records_are_in_the_log(caplog):
    with caplog.at_level("INFO"):
        run(DAG_ID, conf={"failing_tries": 0}, change=without_deadline)
    found = [one.getMessage() for one in caplog.records if one.name == "airflow_usecases.callbacks"]
    assert [line for line in found if '"event": "success"' in line and '"publish_catalogue"' in line]
