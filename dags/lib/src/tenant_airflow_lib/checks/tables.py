"""Tables as streams of rows: read once, in constant memory."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, TextIO

Row = Mapping[str, Any]

# What people and programs write for "no value"; in any case, blanks around it do not matter.
NULL_SPELLINGS = frozenset({"", "null", "none", "na", "n/a", "nan", "\\n"})
_BLANKS = " \t\r\n"


class TableError(ValueError):
    """The file is no table: no header, a column twice, a row with another number of fields."""


@dataclass(frozen=True)
class Table:
    """Columns and a stream of rows. The stream can be read once."""

    columns: Sequence[str]
    rows: Iterable[Row]


@dataclass(frozen=True)
class NullCount:
    """The rows of a table, and for each column how many of them are null."""

    rows: int
    nulls: Mapping[str, int]

    def share(self, column: str) -> float:
        """Share of nulls in a column, 0 to 1; 0 for a table without rows. Raises KeyError: no such column."""
        nulls = self.nulls[column]
        return nulls / self.rows if self.rows else 0.0

    @property
    def worst(self) -> float:
        """The highest share of all columns."""
        return max((self.share(column) for column in self.nulls), default=0.0)

    @property
    def overall(self) -> float:
        """Share of null fields among all fields."""
        fields = self.rows * len(self.nulls)
        return sum(self.nulls.values()) / fields if fields else 0.0


def is_null(value: object) -> bool:
    """None, an empty text (all that CSV has for it) and the number NaN are null; 0, False and "0" are not."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


@contextmanager
def read_csv(
    path: str | PathLike[str], delimiter: str = ",", nulls: Collection[str] = frozenset()
) -> Iterator[Table]:
    """Open a CSV file with a header, UTF-8 (with or without byte order mark).

    `nulls` (lower case) are texts that stand for no value and become None, whatever their case and the
    blanks around them: `NULL_SPELLINGS` judges a file as DataQualitySensor does. Without, only an empty text
    is null.

    Raises FileNotFoundError (OSError); while the rows are read, TableError for a file that is no table and
    UnicodeDecodeError (both ValueError).
    """
    with Path(path).open(newline="", encoding="utf-8-sig") as lines:
        yield parse_csv(lines, delimiter, nulls)


def parse_csv(lines: TextIO, delimiter: str = ",", nulls: Collection[str] = frozenset()) -> Table:
    """The table in an open file (newline=""), as `read_csv`. Raises TableError for its header."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise TableError(f"header: {error}") from error
    if not header:
        raise TableError("no header")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise TableError(f"columns twice: {', '.join(twice)}")
    rows = _rows(header, reader)
    return Table(header, _without(rows, frozenset(nulls)) if nulls else rows)


def as_table(rows: Iterable[Row], columns: Sequence[str] | None = None) -> Table:
    """Rows in memory as a table; without `columns`, those of the first row (none without rows)."""
    rows = list(rows)
    return Table(columns if columns is not None else list(rows[0]) if rows else [], rows)


def count_nulls(table: Table, columns: Sequence[str] | None = None) -> NullCount:
    """Read the table; count rows and nulls in `columns` (default: all). Raises KeyError: no such column."""
    columns = table.columns if columns is None else columns
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise KeyError(missing[0])
    count, nulls = 0, dict.fromkeys(columns, 0)
    for count, row in enumerate(table.rows, start=1):  # noqa: B007 - the last number is the number of rows
        for column in columns:
            nulls[column] += is_null(row.get(column))
    return NullCount(count, nulls)


def _without(rows: Iterable[Row], nulls: frozenset[str]) -> Iterator[Row]:
    for row in rows:
        yield {name: None if value.strip(_BLANKS).lower() in nulls else value for name, value in row.items()}


def _rows(header: Sequence[str], reader: Iterator[list[str]]) -> Iterator[Row]:
    number = 0
    while True:
        number += 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise TableError(f"row {number}: {error}") from error
        if not fields:  # an empty line, as csv.DictReader sees it
            number -= 1
            continue
        if len(fields) != len(header):
            raise TableError(f"row {number}: {len(fields)} fields, the header has {len(header)}")
        yield dict(zip(header, fields, strict=True))
