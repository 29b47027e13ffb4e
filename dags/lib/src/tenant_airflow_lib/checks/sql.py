"""A check in SQL: the query selects what must not be there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from tenant_airflow_lib.checks.result import Result

if TYPE_CHECKING:
    Parameters = Mapping[str, Any] | Sequence[Any]


class SqlHook(Protocol):
    """What is used of a database hook (`airflow.providers.common.sql.hooks.sql.DbApiHook`)."""

    def get_first(self, sql: str, parameters: Any = None) -> Any:
        """Execute and return the first row."""


def check_zero_rows(
    hook: SqlHook, sql: str, *, name: str | None = None, parameters: Parameters | None = None
) -> Result:
    """No row of `sql` exists: `SELECT 1 FROM orders WHERE order_date IS NULL` holds when all have a date.

    The database counts, the rows stay there. `sql` is code of the DAG's author: give values of others by
    `parameters` only. A query that itself counts (`SELECT COUNT(*)`) always has one row and is refused with
    ValueError. Errors of the database are raised as they are.
    """
    query = sql.strip().rstrip(";").rstrip()
    if ";" in query:
        raise ValueError("one statement, without semicolon")
    if query.lower().replace(" ", "").startswith("selectcount("):
        raise ValueError("select the wrong rows themselves: a count is always one row")
    count = hook.get_first(f"SELECT COUNT(*) FROM ({query}) AS violations", parameters=parameters)  # noqa: S608 - the author's SQL
    rows = int(count[0])
    return Result(name or f"zero_rows({query})", rows == 0, f"{rows} rows", unexpected=rows)
