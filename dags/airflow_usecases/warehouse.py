"""The warehouse as the configuration DAGs see it: where it is, and which settings a report has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypedDict

DEFAULT_SETTINGS: Mapping[str, Any] = {"rows_per_page": 50, "regions": ["north", "south", "west"]}


class HasAddress(Protocol):
    """The fields of an Airflow connection that are no secret."""

    host: str | None
    port: int | None
    schema: str | None
    login: str | None


class Target(TypedDict):
    """Where a report is read from; holds no password, so that it may be an XCom."""

    host: str
    port: int
    database: str
    user: str


class Settings(TypedDict):
    """How a report is made."""

    currency: str
    rows_per_page: int
    regions: list[str]


def describe(connection: HasAddress) -> Target:
    """The connection without its secrets; port 5432 unless it says another.

    Raises ValueError when host, schema (the database) or login is missing.
    """
    if not (connection.host and connection.schema and connection.login):
        raise ValueError("the connection needs host, schema and login")
    return {
        "host": connection.host,
        "port": connection.port or 5432,
        "database": connection.schema,
        "user": connection.login,
    }


def settings(currency: str, stored: Mapping[str, Any]) -> Settings:
    """Settings from a text and a JSON Variable; keys that are not stored have their default.

    Raises ValueError for a key that no report knows: a typing error would otherwise have no effect.
    """
    unknown = stored.keys() - DEFAULT_SETTINGS.keys()
    if unknown:
        raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
    merged = {**DEFAULT_SETTINGS, **stored}
    return {"currency": currency, "rows_per_page": int(merged["rows_per_page"]), "regions": merged["regions"]}
