"""Ruff's AIR rules, run once over all files, as findings of L-02."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dag_lint.findings import Finding, Severity
from dag_lint.project import Facts

SELECT = "AIR301,AIR302,AIR303,AIR311,AIR312,AIR321"
# Reported by rules of this linter, in more detail.
OWN = {
    "schedule_interval", "timetable", "sla", "sla_miss_callback", "provide_context", "email_on_failure",
    "email_on_retry", "execution_date", "next_ds", "next_ds_nodash", "prev_ds", "prev_ds_nodash",
    "tomorrow_ds", "tomorrow_ds_nodash", "yesterday_ds", "yesterday_ds_nodash", "next_execution_date",
    "prev_execution_date", "prev_execution_date_success", "conf", "none_failed_or_skipped", "dummy",
    "NONE_FAILED_OR_SKIPPED", "DUMMY", "apply_defaults", "default_view", "orientation", "concurrency",
    "fail_stop", "full_filepath", "create_session", "provide_session",
}  # fmt: skip


class RuffError(Exception):
    """Ruff could not be run."""


@dataclass
class Raw:
    """One message of ruff."""

    path: str
    line: int
    col: int
    end_line: int
    code: str
    message: str

    @property
    def name(self) -> str:
        """What the message is about."""
        match = re.search(r"`([^`]+)`", self.message)
        return match[1] if match else ""


class AirRun:
    """A running ruff; started early, read when the other rules are done."""

    def __init__(self, files: dict[str, Path]) -> None:
        self.names = {str(path): name for name, path in files.items()}
        self.process: subprocess.Popen[bytes] | None = None
        self.folder = tempfile.TemporaryDirectory(prefix="dag-lint-")
        if files:
            listing = Path(self.folder.name) / "files.txt"
            listing.write_text("\n".join(self.names), encoding="utf-8")
            self.process = _start([f"@{listing}"])

    def read(self) -> list[Raw]:
        """The messages. Raises RuffError when ruff did not run through."""
        if self.process is None:
            self.folder.cleanup()
            return []
        out, err = self.process.communicate()
        self.folder.cleanup()
        if self.process.returncode in (0, 1):
            return self._raws(out)
        if self.process.returncode > 0:
            raise RuffError(err.decode(errors="replace").strip()[:500])
        return self._by_halves(list(self.names))

    def _raws(self, out: bytes) -> list[Raw]:
        return [
            _raw(item, self.names)
            for item in json.loads(out or b"[]")
            if (item.get("code") or "").startswith("AIR")
        ]

    def _by_halves(self, paths: list[str]) -> list[Raw]:
        """Ruff was killed by a file (thousands of nested operators): the others are still checked."""
        if len(paths) == 1:
            return []
        raws: list[Raw] = []
        for half in (paths[: len(paths) // 2], paths[len(paths) // 2 :]):
            with tempfile.TemporaryDirectory(prefix="dag-lint-") as folder:
                listing = Path(folder) / "files.txt"
                listing.write_text("\n".join(half), encoding="utf-8")
                process = _start([f"@{listing}"])
                out, _ = process.communicate()
            raws += self._raws(out) if process.returncode in (0, 1) else self._by_halves(half)
        return raws


def check_text(name: str, text: str) -> list[Raw]:
    """The messages for one text that is in no file."""
    process = _start(["-", "--stdin-filename", name or "stdin.py"], stdin=subprocess.PIPE)
    out, err = process.communicate(text.encode())
    if process.returncode < 0:
        return []
    if process.returncode not in (0, 1):
        raise RuffError(err.decode(errors="replace").strip()[:500])
    return [
        _raw(item, {}, name)
        for item in json.loads(out or b"[]")
        if (item.get("code") or "").startswith("AIR")
    ]


def _start(extra: list[str], stdin: int | None = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    command = [
        "check",
        "--isolated",
        "--preview",
        "--no-cache",
        "--ignore-noqa",
        "--no-force-exclude",
        "--select",
        SELECT,
    ]
    try:
        from ruff import find_ruff_bin  # type: ignore[import-untyped]

        binary = find_ruff_bin()
    except (ImportError, FileNotFoundError) as error:
        raise RuffError(f"ruff is not installed: {error}") from error
    arguments = [str(binary), *command, "--output-format", "json", *extra]
    return subprocess.Popen(arguments, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _raw(item: dict[str, Any], names: dict[str, str], name: str = "") -> Raw:
    where, end = item["location"], item["end_location"]
    path = names.get(item["filename"], name or item["filename"])
    return Raw(path, where["row"], where["column"], end["row"], item["code"], item["message"])


def merge(raws: list[Raw], own: list[Finding], facts: dict[str, Facts]) -> list[Finding]:
    """Ruff's messages that say something new, placed at the import where there is one."""
    known: dict[str, set[str]] = {}
    for finding in own:
        if finding.also:
            known.setdefault(finding.path, set()).update({finding.also, finding.also.rpartition(".")[2]})
    made: dict[tuple[str, str, int], Finding] = {}
    for raw in raws:
        fact = facts.get(raw.path)
        short = raw.name.rpartition(".")[2]
        if short in OWN or raw.name in known.get(raw.path, set()) or fact is None or raw.name in fact.guarded:
            continue
        if short in known.get(raw.path, set()) and raw.name.startswith("airflow."):
            continue
        line = fact.imports.get(raw.name, raw.line)
        col, end = (1, line) if line != raw.line else (raw.col, raw.end_line)
        removed = raw.code in {"AIR301", "AIR302", "AIR303"}
        severity = Severity.ERROR if removed else Severity.WARNING
        text = raw.message.rstrip(";") if removed else f"`{raw.name}` is deprecated in Airflow 3"
        message = f"{text} ({raw.code})"
        made.setdefault(
            (raw.path, raw.name, line), Finding(raw.path, line, col, end, "L-02", severity, message)
        )
    return list(made.values())
