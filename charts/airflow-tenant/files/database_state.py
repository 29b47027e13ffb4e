"""What the metadata database must look like, found out without importing Airflow.

``airflow db check-migrations`` answers the same question for 5 to 7 CPU seconds a pod. This module costs less
than 0.1: the heads that the installed Airflow expects are read from the text of its Alembic revision files
(no import, no marker in the database, right for every image and every rollback), the heads that the database
has come from the two version tables. Needs psycopg2 and the standard library only.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

DATABASE_URL = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"

# version table -> folder of revision files, below site-packages
REVISION_FOLDERS = {
    "alembic_version": "airflow/migrations/versions",
    "alembic_version_fab": "airflow/providers/fab/migrations/versions",
}
_ASSIGNMENT = re.compile(r"^(revision|down_revision)\s*(?::[^=]+)?=\s*(.+?)$", re.MULTILINE)
_QUOTED = re.compile(r"""["']([0-9A-Za-z_]+)["']""")


def connection_url() -> str:
    """The database URL as libpq understands it: SQLAlchemy's driver suffix is dropped.

    Raises KeyError when the environment has no ``AIRFLOW__DATABASE__SQL_ALCHEMY_CONN``.
    """
    return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", os.environ[DATABASE_URL])


def connect(timeout_seconds: int = 8) -> Any:
    """Open a connection; raises psycopg2.OperationalError when the server is away or refuses."""
    psycopg2 = importlib.import_module("psycopg2")  # late: the rest of this module works without it
    return psycopg2.connect(connection_url(), connect_timeout=timeout_seconds)


def heads(revision_files: Iterable[str]) -> frozenset[str]:
    """The revisions that no other revision follows, from the texts of Alembic revision files."""
    revisions: set[str] = set()
    followed: set[str] = set()
    for text in revision_files:
        for name, value in _ASSIGNMENT.findall(text):
            found = _QUOTED.findall(value)
            if name == "revision":
                revisions.update(found)
            else:
                followed.update(found)
    return frozenset(revisions - followed)


def _texts(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*.py")):
        yield path.read_text(encoding="utf-8")


def expected_heads(search_path: Iterable[str] | None = None) -> dict[str, frozenset[str]]:
    """Version table -> heads of the Airflow installed on ``search_path`` (default ``sys.path``).

    A provider that is not installed has no entry. Raises LookupError when Airflow itself is not found.
    """
    places = [Path(entry or ".") for entry in (sys.path if search_path is None else search_path)]
    expected: dict[str, frozenset[str]] = {}
    for table, below in REVISION_FOLDERS.items():
        folder = next((place / below for place in places if (place / below).is_dir()), None)
        if folder is not None:
            expected[table] = heads(_texts(folder))
    if not expected.get("alembic_version"):
        raise LookupError("no installed Airflow with migrations was found on the Python path")
    return expected


def actual_heads(connection: Any) -> dict[str, frozenset[str]]:
    """Version table -> heads recorded in the database; a missing table has no heads."""
    actual: dict[str, frozenset[str]] = {}
    with connection.cursor() as cursor:
        for table in REVISION_FOLDERS:
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (table,))
            if cursor.fetchone()[0]:
                cursor.execute(f"SELECT version_num FROM {table}")  # noqa: S608  (names from the constant above)
                actual[table] = frozenset(row[0] for row in cursor.fetchall())
            else:
                actual[table] = frozenset()
    return actual


def has_users(connection: Any) -> bool:
    """Whether the table of FAB users exists and has at least one row."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('ab_user') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return False
        cursor.execute("SELECT EXISTS (SELECT 1 FROM ab_user)")
        return bool(cursor.fetchone()[0])
