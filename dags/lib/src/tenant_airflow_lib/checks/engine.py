"""The expectation engine: one pass over the rows, however many rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tenant_airflow_lib.checks.result import EXAMPLES, Report, Result
from tenant_airflow_lib.checks.suite import Between, ColumnExists, Expectation, NotNull, RowCount, Suite
from tenant_airflow_lib.checks.tables import Row, Table, is_null


def validate(table: Table, suite: Suite) -> Report:
    """Read the table and judge every rule; results in the suite's order.

    A rule about a column that is not there is violated. Raises what reading the table raises (OSError,
    ValueError), and TypeError for a kind of expectation that has no judge here.
    """
    judges = [_judge(rule, table.columns) for rule in suite.expectations]
    for number, row in enumerate(table.rows, start=1):
        for judge in judges:
            judge.see(number, row)
    return Report(suite.name, [judge.result() for judge in judges])


class _Judge(Protocol):
    def see(self, number: int, row: Row) -> None: ...

    def result(self) -> Result: ...


def _judge(rule: Expectation, columns: Sequence[str]) -> _Judge:
    if isinstance(rule, RowCount):
        return _Rows(rule)
    if isinstance(rule, ColumnExists):
        return _Column(rule, rule.column in columns)
    if isinstance(rule, NotNull | Between):
        return _Values(rule) if rule.column in columns else _Column(rule, False)
    raise TypeError(f"no judge for {type(rule).__name__}")


class _Column:
    """Decided by the header alone."""

    def __init__(self, rule: ColumnExists | NotNull | Between, there: bool) -> None:
        self._rule = rule
        self._there = there

    def see(self, number: int, row: Row) -> None:
        pass

    def result(self) -> Result:
        detail = "there" if self._there else f"no column {self._rule.column}"
        return Result(str(self._rule), self._there, detail, unexpected=0 if self._there else 1)


class _Rows:
    def __init__(self, rule: RowCount) -> None:
        self._rule = rule
        self._count = 0

    def see(self, number: int, row: Row) -> None:  # noqa: ARG002 - every judge has the same signature
        self._count = number

    def result(self) -> Result:
        success = self._rule.holds(self._count)
        return Result(str(self._rule), success, f"{self._count} rows", unexpected=0 if success else 1)


class _Values:
    def __init__(self, rule: NotNull | Between) -> None:
        self._rule = rule
        self._judged = 0
        self._unexpected = 0
        self._examples: list[int] = []

    def see(self, number: int, row: Row) -> None:
        value = row.get(self._rule.column)
        null = is_null(value)
        if isinstance(self._rule, Between):
            if null:
                return
            good = self._rule.holds(value)
        else:
            good = not null
        self._judged += 1
        if not good:
            self._unexpected += 1
            if len(self._examples) < EXAMPLES:
                self._examples.append(number)

    def result(self) -> Result:
        good = self._judged - self._unexpected
        # the bound as a number of rows; the small slack keeps 0.9 of 10 rows at 9, not 9.000000000000002
        success = good >= self._rule.mostly * self._judged - 1e-9 * max(self._judged, 1)
        detail = f"{self._unexpected} of {self._judged} values"
        return Result(str(self._rule), success, detail, self._unexpected, tuple(self._examples))
