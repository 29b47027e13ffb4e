"""Measure a CSV file in one pass, without holding it in memory."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TextIO

from airflow.sdk.exceptions import AirflowFailException

# What counts as a missing value, in any case.
NULLS = frozenset({"", "null", "none", "na", "n/a", "nan", "\\n"})
_BLANKS = " \t\r\n"


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
        cells = self.rows * len(self.columns)
        return sum(self.nulls.values()) / cells if cells else 0.0

    def as_xcom(self) -> dict[str, Any]:
        """For people and for the next task."""
        return asdict(self) | {"null_share": round(self.null_share, 6)}


def measure(lines: TextIO) -> Measured:
    """Count rows and missing values. UnreadableFile names the line which has another number of fields."""
    reader = csv.reader(lines, strict=True)
    try:
        columns = next(reader, None)
        if not columns:
            raise UnreadableFile("the file has no header line")
        nulls = [0] * len(columns)
        rows = 0
        for row in reader:
            if not row:  # a blank line
                continue
            if len(row) != len(columns):
                raise UnreadableFile(
                    f"line {reader.line_num}: {len(row)} fields, the header has {len(columns)}"
                )
            rows += 1
            for index, value in enumerate(row):
                nulls[index] += value.strip(_BLANKS).lower() in NULLS
    except (csv.Error, UnicodeDecodeError) as error:
        raise UnreadableFile(f"line {reader.line_num}: {error}") from None
    return Measured(columns, rows, dict(zip(columns, nulls, strict=True)))


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


def inspect(
    path: str, *, min_rows: int, max_null_percentage: float, required_columns: Sequence[str]
) -> Measured | None:
    """Read the CSV file at `path` (local, or s3://... and the like); None while it is not there.

    AirflowFailException lists all broken rules; UnreadableFile when it cannot be parsed. Other errors, such
    as a missing permission, are raised as they are.
    """
    from airflow.sdk import ObjectStoragePath

    try:
        with ObjectStoragePath(path).open("r", encoding="utf-8", newline="") as lines:  # type: ignore[no-untyped-call]
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
