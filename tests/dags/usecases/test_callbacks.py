"""What callbacks write down."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace

import pytest

from airflow_usecases import callbacks

RUN = SimpleNamespace(dag_id="shop", run_id="r1")


@pytest.fixture
def records(tmp_path, variable):
    variable("platform_callbacks_folder", str(tmp_path))

    def read():
        return [json.loads(line) for line in (tmp_path / "callbacks.jsonl").read_text().splitlines()]

    return read


def test_a_tasks_event_has_task_and_try(records):
    ti = SimpleNamespace(task_id="load", try_number=2)
    callbacks.RecordEvent("retry")({"dag_run": RUN, "ti": ti})
    assert records() == [
        {"event": "retry", "dag_id": "shop", "run_id": "r1", "task_id": "load", "try_number": 2}
    ]


def test_a_runs_event_has_no_task_even_if_the_context_names_one(records):
    ti = SimpleNamespace(task_id="load", try_number=2)
    callbacks.RecordEvent("run_failure")({"dag_run": RUN, "ti": ti})
    assert records() == [{"event": "run_failure", "dag_id": "shop", "run_id": "r1"}]


def test_a_missed_deadline_is_a_warning_that_names_run_and_deadline(caplog):
    context = {
        "dag_run": {"dag_id": "shop", "dag_run_id": "r1"},
        "deadline": {"id": "1", "deadline_time": "2026-03-02T06:30:00Z"},
    }
    callbacks.record_missed_deadline(context)
    [line] = [found for found in caplog.records if found.name == "airflow_usecases.callbacks"]
    assert line.levelname == "WARNING"
    assert line.getMessage() == (
        'missed deadline: {"dag_id": "shop", "run_id": "r1", "deadline": "2026-03-02T06:30:00Z"}'
    )


def test_without_a_folder_a_record_is_a_log_line(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.INFO, "airflow_usecases.callbacks"):
        callbacks.RecordEvent("run_success")({"dag_run": RUN})
    assert '{"event": "run_success", "dag_id": "shop", "run_id": "r1"}' in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_made(variable, tmp_path):
    variable("platform_callbacks_folder", str(tmp_path / "new" / "folder"))
    callbacks.RecordEvent("run_success")({"dag_run": RUN})
    assert (tmp_path / "new" / "folder" / "callbacks.jsonl").exists()


def test_a_folder_that_cannot_be_made_is_an_error_of_the_callback(variable, tmp_path):
    (tmp_path / "file").write_text("")
    variable("platform_callbacks_folder", str(tmp_path / "file"))
    with pytest.raises(FileExistsError):
        callbacks.RecordEvent("run_success")({"dag_run": RUN})
