"""Lines of an audit report."""

from __future__ import annotations

import json

import pytest

from airflow_usecases import audit_report

KEY = b"0123456789abcdef"


def entry(number, event="patch_connection", owner="alice", extra=None):
    return {
        "event_log_id": number,
        "when": "2026-03-01T00:00:00Z",
        "event": event,
        "owner": owner,
        "extra": extra,
    }


@pytest.mark.parametrize(
    ("event", "area"),
    [
        ("running", "task run"),
        ("bulk_connections", "configuration"),
        ("delete_pool", "configuration"),
        ("patch_role", "access"),
        ("trigger_dag_run", "operation"),
        ("something", "other"),
    ],
)
def test_what_an_event_is_about(event, area):
    assert audit_report.area(event) == area


@pytest.mark.parametrize(
    ("event", "owner", "foreign"),
    [
        ("patch_connection", "alice", True),
        ("delete_variable", None, True),
        ("patch_connection", "operator", False),
        ("get_connection", "alice", False),
        ("trigger_dag_run", "alice", False),
    ],
)
def test_a_foreign_write(event, owner, foreign):
    assert audit_report.is_foreign_write(entry(1, event, owner), ["operator"]) is foreign


def test_pseudonyms_are_stable_and_need_the_key():
    assert audit_report.pseudonym("alice", KEY) == audit_report.pseudonym("alice", KEY)
    assert audit_report.pseudonym("alice", KEY) != audit_report.pseudonym("alice", KEY[::-1])
    with pytest.raises(ValueError, match="16 bytes"):
        audit_report.pseudonym("alice", b"short")


def test_an_extra_that_is_no_json_is_kept_as_text():
    [line] = audit_report.report_lines([entry(1, extra="a -> b")], [], KEY)
    assert json.loads(line)["extra"] == "a -> b"


@pytest.mark.parametrize("tamper", ["change", "remove", "swap"])
def test_a_tampered_line_is_found(tamper):
    lines = audit_report.report_lines([entry(number) for number in (1, 2, 3)], [], KEY)
    assert audit_report.verify(lines) == 3
    if tamper == "change":
        lines[1] = lines[1].replace('"event_log_id": 2', '"event_log_id": 9')
    elif tamper == "remove":
        del lines[1]
    else:
        lines[1], lines[2] = lines[2], lines[1]
    with pytest.raises(ValueError, match="line 2 is not what was written"):
        audit_report.verify(lines)


def test_an_empty_report_is_whole():
    assert audit_report.verify([]) == 0
    assert audit_report.summary([]) == {"events": 0, "areas": {}, "foreign_writes": 0, "foreign_ids": []}
