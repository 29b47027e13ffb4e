"""Rules of data governance: which class a column has, how long a class is kept, whom a change reaches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

PII, CONFIDENTIAL, PUBLIC = "PII", "Confidential", "Public"
CLASSES = (PUBLIC, CONFIDENTIAL, PII)  # from the least to the most protected
# how long a class is kept after a row was made; None: without end
RETENTION: Mapping[str, timedelta | None] = {
    PII: timedelta(days=30),
    CONFIDENTIAL: timedelta(days=365),
    PUBLIC: None,
}
# The columns of the very table that an unqualified statement reaches (search path), whoever owns it: unlike
# information_schema, pg_catalog does not leave out what this user has no rights on.
COLUMNS_SQL = (
    "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(quote_ident(%s)) "
    "AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
)
_PLAIN = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SIGNS = (
    (PII, re.compile(r"(^|_)(e?mail|phone|name|birth|iban|address|ip|ssn|passport)(_|$)")),
    (CONFIDENTIAL, re.compile(r"(^|_)(salary|price|margin|discount|contract|revenue|cost)(_|$)")),
)


def classify(columns: Iterable[str], declared: Mapping[str, str] | None = None) -> dict[str, str]:
    """The class of each column: what its owner declared, else what its name suggests, else Public.

    Raises ValueError for a declared class that does not exist.
    """
    declared = declared or {}
    unknown = sorted(set(declared.values()) - set(CLASSES))
    if unknown:
        raise ValueError(f"no such class: {', '.join(unknown)}")
    return {column: declared.get(column) or _suggested(column) for column in columns}


def strictest(classes: Iterable[str]) -> str:
    """The most protected class among some. Raises ValueError for none: nobody knows what is in the table."""
    return max(classes, key=CLASSES.index)


def keep_from(classification: str, today: date) -> date | None:
    """Rows made before this day have expired; None when the class is kept without end."""
    kept = RETENTION[classification]
    return None if kept is None else today - kept


def retention_sql(table: str) -> tuple[str, str]:
    """Count the expired rows under legal hold, and delete the other expired ones; each takes one date.

    Raises ValueError for anything but a plain name: a table's name cannot be a parameter of a statement.
    """
    if not _PLAIN.fullmatch(table):
        raise ValueError(f"not a table's name: {table!r}")
    return (
        f'SELECT count(*) FROM "{table}" WHERE created_at < %s AND legal_hold',  # noqa: S608 - a plain name
        f'DELETE FROM "{table}" WHERE created_at < %s AND NOT legal_hold',  # noqa: S608 - a plain name
    )


def downstream_dags(assets: Iterable[Mapping[str, Any]], name: str) -> list[str]:
    """Every DAG that a change of one asset reaches, through the assets that those DAGs produce in turn.

    `assets` is `/api/v2/assets`. An unknown asset reaches none.
    """
    readers: dict[str, set[str]] = {}
    made_by: dict[str, set[str]] = {}
    for asset in assets:
        uses = [*asset.get("scheduled_dags", ()), *asset.get("consuming_tasks", ())]
        readers[asset["name"]] = {use["dag_id"] for use in uses}
        for use in asset.get("producing_tasks", ()):
            made_by.setdefault(use["dag_id"], set()).add(asset["name"])
    reached: set[str] = set()
    waiting, seen = [name], {name}
    while waiting:
        for dag_id in readers.get(waiting.pop(), set()) - reached:
            reached.add(dag_id)
            ahead = made_by.get(dag_id, set()) - seen
            seen |= ahead
            waiting.extend(ahead)
    return sorted(reached)


def notice(
    asset: str, changes: Iterable[str], dags: Iterable[str], consumers: Iterable[str]
) -> dict[str, Any]:
    """The message to the teams that a change concerns."""
    broken = list(changes)
    return {
        "asset": asset,
        "kind": "breaking change refused" if broken else "compatible change",
        "changes": broken,
        "downstream_dags": list(dags),
        "teams": list(consumers),
    }


def _suggested(column: str) -> str:
    return next((kind for kind, sign in _SIGNS if sign.search(column.lower())), PUBLIC)
