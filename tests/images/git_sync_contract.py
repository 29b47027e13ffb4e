"""What this project relies on of git-sync v4, as assertions on observations.

They take texts, codes and folders, so that a process, a container and a pod can be judged by the same words.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

LOG_FIELDS = {"logger", "ts", "caller", "msg"}


def log_lines(text: str) -> list[dict[str, object]]:
    """The JSON lines of a log; other lines (a usage text) are left out."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def message(text: str, msg: str) -> dict[str, object]:
    """The first log line with this message."""
    lines = [line for line in log_lines(text) if line["msg"] == msg]
    assert lines, f"no line {msg!r} in:\n{text}"
    return lines[0]


def assert_layout(root: Path, link: str, commit: str) -> None:
    """ROOT/.git, ROOT/.worktrees/<full hash> and a relative link to it."""
    assert (root / ".git").exists()
    assert (root / link).is_symlink()
    assert str((root / link).readlink()) == f".worktrees/{commit}"
    assert (root / link).resolve().is_dir()


def assert_updated(text: str, ref: str, commit: str) -> None:
    """A sync that changed something says what it published."""
    line = message(text, "updated successfully")
    assert LOG_FIELDS | {"level"} <= set(line)
    assert (line["ref"], line["remote"]) == (ref, commit)
    assert "syncCount" in line


def assert_aborted(code: int, text: str, *, says: str) -> None:
    """Too many failures: code 1 and one line that holds what git itself said."""
    assert code == 1, text
    line = message(text, "too many failures, aborting")
    assert set(line) >= LOG_FIELDS | {"error"}
    assert says in str(line["error"]), line["error"]


def assert_usage(code: int, text: str, *, expected: int, says: str) -> None:
    """A wrong command line: the reason first, then how it is meant."""
    assert code == expected, text
    assert says in text
    assert "--repo" in text.split(says, 1)[1], "no usage after the reason"


def sync_counts(metrics: str) -> dict[str, float]:
    """git_sync_count_total by status."""
    found = re.findall(r'^git_sync_count_total\{status="(\w+)"\} (\S+)$', metrics, re.MULTILINE)
    return {status: float(count) for status, count in found}


def assert_metrics(metrics: str, *statuses: str) -> None:
    """Counts and durations are there for each status that happened."""
    counts = sync_counts(metrics)
    assert "# TYPE git_sync_count_total counter" in metrics
    assert "# TYPE git_sync_duration_seconds summary" in metrics
    for status in statuses:
        assert counts.get(status, 0) >= 1, metrics
        count = re.search(
            rf'^git_sync_duration_seconds_count\{{status="{status}"\}} (\S+)$', metrics, re.MULTILINE
        )
        total = re.search(
            rf'^git_sync_duration_seconds_sum\{{status="{status}"\}} (\S+)$', metrics, re.MULTILINE
        )
        assert count, metrics
        assert total, metrics
        assert float(count.group(1)) == counts[status]
        assert float(total.group(1)) > 0
