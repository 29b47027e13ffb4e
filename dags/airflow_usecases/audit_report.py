"""An audit report out of Airflow's event log: every event once, people as pseudonyms, foreign writes flagged.

Pseudonyms are HMAC-SHA256 with a key of the auditors: the same person is the same pseudonym in every report,
and without the key nobody can test a name. Lines are chained: each carries the SHA-256 of the one before and
itself, so that a line cannot be changed or removed unseen.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

PERSONAL = frozenset(
    {"owner", "user", "username", "email", "first_name", "last_name", "owner_display_name", "login"}
)
# event name -> area; the event's name contains the noun of the object
_NOUNS = (
    ("connection", "configuration"),
    ("variable", "configuration"),
    ("pool", "configuration"),
    ("user", "access"),
    ("role", "access"),
    ("login", "access"),
    ("dag", "operation"),
    ("task", "operation"),
    ("backfill", "operation"),
)
_TASK_STATES = frozenset({"queued", "running", "success", "failed", "skipped", "up_for_retry", "deferred"})
_READS = ("get_", "list_", "read_")
# area -> criterion of the AICPA Trust Services Criteria that the events are evidence for
CRITERIA = {
    "access": "CC6.2 users are registered and authorised",
    "configuration": "CC8.1 changes are authorised and documented",
    "operation": "CC7.2 operation is monitored",
    "task run": "CC7.2 operation is monitored",
    "other": "not assigned",
}
_START = "0" * 64


def area(event: str) -> str:
    """What an event is about: task run, configuration, access, operation or other."""
    name = event.lower()
    if name in _TASK_STATES:
        return "task run"
    return next((kind for noun, kind in _NOUNS if noun in name), "other")


def is_foreign_write(entry: Mapping[str, Any], writers: Collection[str]) -> bool:
    """Whether somebody else than `writers` changed a connection, a variable or a pool."""
    writes = not str(entry["event"]).lower().startswith(_READS)
    return area(str(entry["event"])) == "configuration" and writes and entry.get("owner") not in writers


def pseudonym(value: str, key: bytes) -> str:
    """A person's pseudonym: 16 hexadecimal digits. Raises ValueError for a key below 16 bytes."""
    if len(key) < 16:
        raise ValueError("the key of the pseudonyms must have 16 bytes or more")
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:16]


def conceal(value: Any, key: bytes) -> Any:
    """The same structure with every personal field as a pseudonym, at any depth."""
    if isinstance(value, Mapping):
        return {
            name: pseudonym(str(inner), key)
            if name in PERSONAL and inner is not None
            else conceal(inner, key)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [conceal(inner, key) for inner in value]
    return value


def report_lines(entries: Iterable[Mapping[str, Any]], writers: Collection[str], key: bytes) -> list[str]:
    """One chained JSON line per event of `/api/v2/eventLogs`, in their order."""
    lines: list[str] = []
    previous = _START
    for entry in entries:
        shown = {
            "event_log_id": entry["event_log_id"],
            "when": entry["when"],
            "event": entry["event"],
            "area": area(str(entry["event"])),
            "owner": entry.get("owner"),
            "dag_id": entry.get("dag_id"),
            "task_id": entry.get("task_id"),
            "run_id": entry.get("run_id"),
            "extra": _extra(entry.get("extra")),
            "foreign_write": is_foreign_write(entry, writers),
        }
        body = json.dumps(conceal(shown, key), sort_keys=True)
        previous = hashlib.sha256(f"{previous}{body}".encode()).hexdigest()
        lines.append(json.dumps(json.loads(body) | {"chain": previous}, sort_keys=True))
    return lines


def verify(lines: Iterable[str]) -> int:
    """How many lines a report has. Raises ValueError that names the first line that was tampered with."""
    previous, number = _START, 0
    for number, line in enumerate(lines, start=1):
        entry = json.loads(line)
        claimed = entry.pop("chain", None)
        body = json.dumps(entry, sort_keys=True)
        previous = hashlib.sha256(f"{previous}{body}".encode()).hexdigest()
        if claimed != previous:
            raise ValueError(f"line {number} is not what was written")
    return number


def summary(lines: Iterable[str]) -> dict[str, Any]:
    """The report's figures: events per area with its criterion, ids of foreign writes (100 at most)."""
    entries = [json.loads(line) for line in lines]
    counted = Counter(entry["area"] for entry in entries)
    foreign = [entry["event_log_id"] for entry in entries if entry["foreign_write"]]
    return {
        "events": len(entries),
        "areas": {name: {"events": counted[name], "criterion": CRITERIA[name]} for name in sorted(counted)},
        "foreign_writes": len(foreign),
        "foreign_ids": foreign[:100],
    }


def processing_record(
    dags: Iterable[Mapping[str, Any]], assets: Iterable[Mapping[str, Any]], tag: str = "pii"
) -> list[dict[str, Any]]:
    """GDPR article 30: each DAG with the tag, its owners, and the assets it reads and writes."""
    known = list(assets)
    return [
        {
            "dag_id": dag["dag_id"],
            "owners": sorted(dag["owners"]),
            "reads": _names(known, ("scheduled_dags", "consuming_tasks"), dag["dag_id"]),
            "writes": _names(known, ("producing_tasks",), dag["dag_id"]),
        }
        for dag in dags
        if tag in {entry["name"] for entry in dag["tags"]}
    ]


def _names(assets: Iterable[Mapping[str, Any]], uses: Iterable[str], dag_id: str) -> list[str]:
    used = {
        asset["name"]
        for asset in assets
        for use in uses
        for by in asset.get(use, ())
        if by["dag_id"] == dag_id
    }
    return sorted(used)


def _extra(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text
