"""Errors whose text is for the person at the terminal."""

from __future__ import annotations

from pathlib import Path

TAIL_LINES = 25


class BuildError(Exception):
    """Something that the caller can act on; `str()` says what."""


class StepError(BuildError):
    """A program failed. The message ends with the tail of its output and the path of the whole log."""

    def __init__(self, what: str, log: Path, tail: str) -> None:
        super().__init__(f"{what}\n--- end of {log} ---\n{tail}")
        self.log = log
        self.tail = tail


def tail_of(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log; an absent log is an empty text."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
