"""What callbacks write down."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace

import pytest

from airflow_usecases import callbacks

RUN = SimpleNamespace(dag_id="shop", run_id="r1")


def test_a_tasks_event_has_task_and_try():
    ti = SimpleNamespace(task_id="load", try_number=2)
    assert callbacks.record_of("retry", {"dag_run": RUN, "ti": ti}) == {
        "event": "retry",
        "dag_id": "shop",
        "run_id": "r1",
        "task_id": "load",
        "try_number": 2,
    }


@pytest.mark.parametrize("event", sorted(callbacks.RUN_EVENTS))
def test_a_runs_event_has_no_task_even_if_the_context_names_one(event):
    ti = SimpleNamespace(task_id="load", try_number=2)
    found = callbacks.record_of(event, {"dag_run": RUN, "ti": ti})
    assert found == {"event": event, "dag_id": "shop", "run_id": "r1"}


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
        callbacks.write({"event": "run_success"}, "")
    assert 'callback: {"event": "run_success"}' in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_made_and_records_are_added_line_by_line(tmp_path):
    folder = tmp_path / "new" / "folder"
    for number in (1, 2):
        callbacks.write({"number": number}, str(folder))
    lines = (folder / "callbacks.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"number": 1}, {"number": 2}]


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        callbacks.write({}, str(tmp_path / "file"))
