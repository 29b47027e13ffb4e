"""Single checks as functions: rows or numbers in, a `Result` out. They never raise because of the data."""

from __future__ import annotations

from collections.abc import Sequence

from tenant_airflow_lib.checks.engine import validate
from tenant_airflow_lib.checks.result import Result
from tenant_airflow_lib.checks.suite import NotNull, RowCount, Suite
from tenant_airflow_lib.checks.tables import Table


def check_nulls(table: Table, column: str, max_share: float = 0.0) -> Result:
    """At most the share `max_share` (0 to 1) of the column's values is null. Reads the table.

    Fails, too, when there is no such column.
    """
    return _only(table, NotNull(column=column, mostly=1 - max_share))


def check_row_count(table: Table | int, minimum: int | None = None, maximum: int | None = None) -> Result:
    """The number of rows is in [minimum, maximum]. A table is read; a number is taken as it is.

    Raises ValueError when neither bound is given or they are crossed.
    """
    rule = RowCount(min_value=minimum, max_value=maximum)
    if not isinstance(table, int):
        return _only(table, rule)
    success = rule.holds(table)
    return Result(str(rule), success, f"{table} rows", unexpected=0 if success else 1)


def check_columns(columns: Sequence[str], required: Sequence[str]) -> Result:
    """Every required column is there; the order and further columns do not matter."""
    missing = [column for column in required if column not in columns]
    rule = f"columns({', '.join(required)})"
    return Result(
        rule,
        not missing,
        f"missing: {', '.join(missing)}" if missing else "all there",
        unexpected=len(missing),
    )


def _only(table: Table, rule: NotNull | RowCount) -> Result:
    return validate(table, Suite(name="single", expectations=[rule])).results[0]
