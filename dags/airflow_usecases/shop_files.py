"""Names of the files that shops deliver: `<table>_<day>.csv`, such as `orders_2026-03-02.csv`."""

from __future__ import annotations

import datetime
from pathlib import PurePosixPath
from typing import TypedDict


class LoadPlan(TypedDict):
    """Where a file goes; the keys are the parameters of the load task."""

    file: str
    table: str
    day: str


def checked(file: str, suffix: str) -> str:
    """The name itself. Raises ValueError when it has another suffix or a folder in it."""
    if PurePosixPath(file).name != file or not file.endswith(suffix):
        raise ValueError(f"{file!r} is no file name ending in {suffix}")
    return file


def plan(file: str) -> LoadPlan:
    """Split a file's name. Raises ValueError when it has no table or its end is no date."""
    table, _, day = PurePosixPath(file).stem.rpartition("_")
    if not table:
        raise ValueError(f"{file!r} names no table")
    return {"file": file, "table": table, "day": datetime.date.fromisoformat(day).isoformat()}


def rows_of(file: str, table: str, day: str) -> int:
    """The number of rows that a load of this file writes; made up from the name, the same each time."""
    return len(file) + len(table) + datetime.date.fromisoformat(day).day
