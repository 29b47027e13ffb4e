"""What a rule reports, and how a certain repair is described."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is: an error breaks on Airflow 3 or leaks something, a warning is bad practice."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Fix:
    """A certain repair of the node that starts at `line`, `col` (1-based line, 0-based character column).

    `kind` is one of the names in `dag_lint.fixes.KINDS`; `data` holds its parameters in order.
    """

    kind: str
    line: int
    col: int
    data: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One violation at one place. `line` and `col` count from 1; `end_line` is its last line.

    A suppression counts on the lines of the code and on `anchors`: where its statement begins and ends.
    """

    path: str
    line: int
    col: int
    end_line: int
    rule: str
    severity: Severity
    message: str
    fix: Fix | None = field(default=None, compare=False)
    also: str = field(default="", compare=False)
    anchors: tuple[int, ...] = field(default=(), compare=False)

    @property
    def sort_key(self) -> tuple[str, int, int, str, str]:
        """Order of reports: path, place, rule, text."""
        return (self.path, self.line, self.col, self.rule, self.message)
