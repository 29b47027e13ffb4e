"""The audit report of a day."""

from __future__ import annotations

import datetime
import json

import pytest
from tests.dags.runner import run

from airflow_usecases import audit_report

DAG_ID = "phase16_03_audit_compliance"
KEY = "key-of-the-pseudonyms"
DAY = datetime.datetime(2026, 3, 2, 0, 15, tzinfo=datetime.UTC)


def event(number, name, owner="airflow-operator", extra=None, **more):
    empty = dict.fromkeys(("dag_id", "task_id", "run_id", "map_index", "try_number", "logical_date"))
    when = f"2026-03-01T08:{number // 60:02}:{number % 60:02}Z"
    own = {"event_log_id": number, "when": when, "event": name, "owner": owner, "owner_display_name": owner}
    return empty | own | {"extra": None if extra is None else json.dumps(extra)} | more


EVENTS = [
    event(1, "patch_connection", extra={"connection_id": "warehouse"}),
    event(2, "patch_connection", "mallory@example.com", {"connection_id": "warehouse", "login": "mallory"}),
    event(3, "post_variable", "mallory@example.com", {"key": "threshold"}),
    event(4, "get_variable", "mallory@example.com"),
    event(
        5, "post_user", "dave", {"username": "carol", "email": "carol@example.com", "roles": [{"name": "ml"}]}
    ),
    event(6, "failed", "ml", dag_id="ml_train", task_id="fit", run_id="r1"),
    *(event(number, "success", "ml", dag_id="ml_train", task_id="fit") for number in range(7, 131)),
]


@pytest.fixture
def day(airflow_stub, connect, variable, tmp_path):
    """130 events on two pages, one DAG with personal data."""
    connect("audit_pseudonyms", "generic", password=KEY)
    variable("platform_audit_folder", f"file://{tmp_path}")
    use = {"dag_id": "ml_train", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
    airflow_stub.lists = {
        "/api/v2/eventLogs": ("event_logs", list(EVENTS)),
        "/api/v2/dags": (
            "dags",
            [
                {"dag_id": "ml_train", "owners": ["ml"], "tags": [{"name": "pii", "dag_id": "ml_train"}]},
                {"dag_id": "sales", "owners": ["analytics"], "tags": []},
            ],
        ),
        "/api/v2/assets": (
            "assets",
            [
                {"name": "customers", "scheduled_dags": [use], "producing_tasks": [], "consuming_tasks": []},
                {"name": "model", "scheduled_dags": [], "producing_tasks": [use | {"task_id": "fit"}]},
            ],
        ),
    }
    return airflow_stub


def lines_of(tmp_path):
    return (tmp_path / "audit-2026-03-02.jsonl").read_text().splitlines()


@pytest.mark.covers("P16.3")
def test_the_report_has_every_event_of_the_day_once(day, tmp_path):
    done = run(DAG_ID, logical_date=DAY)
    entries = [json.loads(line) for line in lines_of(tmp_path)]
    assert [entry["event_log_id"] for entry in entries] == [entry["event_log_id"] for entry in EVENTS]
    assert {(e["event"], e["when"]) for e in entries} == {(e["event"], e["when"]) for e in EVENTS}
    assert done.xcom("verify_report") == 130
    window = day.queries["/api/v2/eventLogs"]
    assert window["after"] == "2026-03-01T00:15:00+00:00"
    assert window["before"] == "2026-03-02T00:15:00+00:00"
    assert window["offset"] == "100"


@pytest.mark.covers("P16.3")
def test_people_are_pseudonyms_in_the_file_and_in_xcom(day, tmp_path):
    done = run(DAG_ID, logical_date=DAY)
    stored = "\n".join(lines_of(tmp_path)) + json.dumps(done.xcoms("write_report"))
    for name in ("mallory", "carol", "dave"):
        assert name not in stored
    entries = {entry["event_log_id"]: entry for entry in map(json.loads, lines_of(tmp_path))}
    mallory = audit_report.pseudonym("mallory@example.com", KEY.encode())
    assert entries[2]["owner"] == entries[3]["owner"] == mallory
    carol = {"username": "carol", "email": "carol@example.com"}
    hashed = {name: audit_report.pseudonym(value, KEY.encode()) for name, value in carol.items()}
    assert entries[5]["extra"] == hashed | {"roles": [{"name": "ml"}]}


@pytest.mark.covers("P16.3")
def test_writes_of_others_are_flagged_and_fail_the_run(day, tmp_path):
    done = run(DAG_ID, logical_date=DAY)
    assert done.states == {
        "write_report": "success",
        "verify_report": "success",
        "refuse_foreign_writes": "failed",
    }
    report = done.xcom("write_report")
    assert (report["foreign_writes"], report["foreign_ids"]) == (2, [2, 3])
    flagged = [
        json.loads(line)["event_log_id"] for line in lines_of(tmp_path) if '"foreign_write": true' in line
    ]
    assert flagged == [2, 3]


@pytest.mark.covers("P16.3")
def test_a_day_of_the_writers_alone_passes(day):
    day.lists["/api/v2/eventLogs"] = ("event_logs", [EVENTS[0], *EVENTS[3:]])
    done = run(DAG_ID, logical_date=DAY)
    assert done.state == "success"
    assert done.xcom("write_report")["foreign_writes"] == 0


@pytest.mark.covers("P16.3")
def test_the_figures_name_the_criteria_and_the_processing_of_personal_data(day, tmp_path):
    report = run(DAG_ID, logical_date=DAY).xcom("write_report")
    assert {name: row["events"] for name, row in report["areas"].items()} == {
        "access": 1,
        "configuration": 4,
        "task run": 125,
    }
    assert report["areas"]["configuration"]["criterion"].startswith("CC8.1")
    record = json.loads((tmp_path / "processing-2026-03-02.json").read_text())
    assert record == [{"dag_id": "ml_train", "owners": ["ml"], "reads": ["customers"], "writes": ["model"]}]


def test_without_a_folder_nothing_is_written_anywhere_else(day, monkeypatch):
    monkeypatch.delenv("AIRFLOW_VAR_PLATFORM_AUDIT_FOLDER")
    done = run(DAG_ID, logical_date=DAY)
    assert done.of("failed") == {"write_report"}
    assert done.tries("write_report") == 1


def test_a_wrong_user_is_no_report(day, http_connection):
    http_connection("airflow_api", login="auditor", password="wrong")
    done = run(DAG_ID, logical_date=DAY)
    assert done.states["write_report"] == "failed"
