"""Measure a CSV file in one pass, without holding it in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TextIO

from airflow.sdk.exceptions import AirflowFailException

from tenant_airflow_lib.checks.tables import NULL_SPELLINGS, NullCount, TableError, count_nulls, parse_csv


class UnreadableFile(AirflowFailException):
    """The file is there but is no CSV: another try cannot help."""


@dataclass
class Measured:
    """`rows` without the header; `nulls` and `cells` over all columns."""

    columns: list[str]
    rows: int = 0
    nulls: dict[str, int] = field(default_factory=dict)

    @property
    def null_share(self) -> float:
        """Missing cells / cells; 0 for a file without cells."""
        return NullCount(self.rows, self.nulls).overall

    def as_xcom(self) -> dict[str, Any]:
        """For people and for the next task."""
        return asdict(self) | {"null_share": round(self.null_share, 6)}


def measure(lines: TextIO) -> Measured:
    """Count rows and missing values. UnreadableFile names the row which has another number of fields."""
    try:
        table = parse_csv(lines, nulls=NULL_SPELLINGS)
        counted = count_nulls(table)
    except (TableError, UnicodeDecodeError) as error:
        raise UnreadableFile(str(error)) from None
    return Measured(list(table.columns), counted.rows, dict(counted.nulls))


def violations(
    found: Measured, *, min_rows: int, max_null_percentage: float, required_columns: Sequence[str]
) -> list[str]:
    """Every rule that the file breaks, as a sentence. `max_null_percentage` is a share, 0.1 = 10 %."""
    broken = []
    missing = [name for name in required_columns if name not in found.columns]
    if missing:
        broken.append(f"missing columns: {', '.join(missing)}")
    if found.rows < min_rows:
        broken.append(f"{found.rows} rows, at least {min_rows} expected")
    if found.null_share > max_null_percentage:
        worst = max(found.nulls, key=found.nulls.__getitem__)
        broken.append(
            f"{found.null_share:.2%} of the values are missing, at most {max_null_percentage:.2%} allowed"
            f" (most in {worst!r}: {found.nulls[worst]})"
        )
    return broken


def exists(path: str) -> bool:
    """Whether there is anything at `path` (local, or s3://... and the like)."""
    from airflow.sdk import ObjectStoragePath

    return bool(ObjectStoragePath(path).exists())


def inspect(
    path: str, *, min_rows: int, max_null_percentage: float, required_columns: Sequence[str]
) -> Measured | None:
    """Read the CSV file at `path` (local, or s3://... and the like); None while it is not there.

    AirflowFailException lists all broken rules; UnreadableFile when it cannot be parsed. Other errors, such
    as a missing permission, are raised as they are.
    """
    from airflow.sdk import ObjectStoragePath

    try:
        with ObjectStoragePath(path).open("r", encoding="utf-8-sig", newline="") as lines:  # type: ignore[no-untyped-call]
            found = measure(lines)
    except FileNotFoundError:
        return None
    broken = violations(
        found,
        min_rows=min_rows,
        max_null_percentage=max_null_percentage,
        required_columns=required_columns,
    )
    if broken:
        raise AirflowFailException(f"{path}: {'; '.join(broken)}")
    return found
