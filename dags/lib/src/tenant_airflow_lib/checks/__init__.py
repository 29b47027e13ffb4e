"""Checks of data: pure functions, a small expectation engine, and the thin tasks around them.

    from tenant_airflow_lib import checks

    SUITE = checks.Suite(
        name="orders",
        expectations=[
            checks.ColumnExists(column="order_id"),
            checks.NotNull(column="order_id"),
            checks.Between(column="amount", min_value=0, max_value=10_000, mostly=0.99),
            checks.RowCount(min_value=1),
        ],
    )
    with checks.read_csv(path) as table:
        report = checks.validate(table, SUITE)      # one pass, constant memory
    report.success, report.violated, report.to_dict()

- `result`: `Result` of one rule, `Report` of a suite; `Report.to_dict()` is a small XCom (counts and row
  numbers, never the values themselves: they may be personal data).
- `tables`: `read_csv(path)` opens a `Table` (`.columns`, `.rows`), `as_table(rows)` wraps rows in memory,
  `count_nulls(table)` -> `NullCount`. A table is read once.
- `functions`: `check_nulls`, `check_row_count`, `check_columns` -> `Result`.
- `sql`: `check_zero_rows(hook, sql)` -> `Result`; the SQL selects what must *not* be there.
- `suite`, `engine`: the four expectations, `Suite` (also from and to Great Expectations' JSON), `validate`.
- `great_expectations`: `validate_csv(path, suite)` runs the same suite by Great Expectations 1.x. Import that
  module yourself; the package is optional.
- `tasks`: `validate_file`, `check_sql`, `require_success` for a DAG. Import that module yourself: it needs
  Airflow.
"""

from __future__ import annotations

from tenant_airflow_lib.checks.engine import validate
from tenant_airflow_lib.checks.functions import check_columns, check_nulls, check_row_count
from tenant_airflow_lib.checks.result import Report, ReportDict, Result, ResultDict
from tenant_airflow_lib.checks.sql import check_zero_rows
from tenant_airflow_lib.checks.suite import Between, ColumnExists, Expectation, NotNull, RowCount, Suite
from tenant_airflow_lib.checks.tables import (
    NULL_SPELLINGS,
    NullCount,
    Table,
    TableError,
    as_table,
    count_nulls,
    is_null,
    parse_csv,
    read_csv,
)

__all__ = [
    "NULL_SPELLINGS",
    "Between",
    "ColumnExists",
    "Expectation",
    "NotNull",
    "NullCount",
    "Report",
    "ReportDict",
    "Result",
    "ResultDict",
    "RowCount",
    "Suite",
    "Table",
    "TableError",
    "as_table",
    "check_columns",
    "check_nulls",
    "check_row_count",
    "check_zero_rows",
    "count_nulls",
    "is_null",
    "parse_csv",
    "read_csv",
    "validate",
]
