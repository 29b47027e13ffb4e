"""What a check found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

EXAMPLES = 10
"""How many row numbers of violations a result names at most."""


class ResultDict(TypedDict):
    """A `Result` as JSON."""

    rule: str
    success: bool
    detail: str
    unexpected: int
    rows: list[int]


class ReportDict(TypedDict):
    """A `Report` as JSON: fits an XCom for any size of the data."""

    suite: str
    success: bool
    violated: list[str]
    results: list[ResultDict]


@dataclass(frozen=True)
class Result:
    """One rule: whether it holds, why not, how many violations, and the numbers of the first such rows.

    The first row below the header is row 1. Values are never included: they may be personal data.
    """

    rule: str
    success: bool
    detail: str
    unexpected: int = 0
    rows: tuple[int, ...] = ()

    def to_dict(self) -> ResultDict:
        """As JSON."""
        return {
            "rule": self.rule,
            "success": self.success,
            "detail": self.detail,
            "unexpected": self.unexpected,
            "rows": list(self.rows),
        }


@dataclass(frozen=True)
class Report:
    """All rules of a suite."""

    suite: str
    results: Sequence[Result]

    @property
    def success(self) -> bool:
        """Whether every rule holds."""
        return all(result.success for result in self.results)

    @property
    def violated(self) -> list[str]:
        """The rules that do not hold, in the suite's order."""
        return [result.rule for result in self.results if not result.success]

    def to_dict(self) -> ReportDict:
        """As JSON."""
        return {
            "suite": self.suite,
            "success": self.success,
            "violated": self.violated,
            "results": [result.to_dict() for result in self.results],
        }
