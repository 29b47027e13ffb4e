"""What the team's DAGs load into."""

from __future__ import annotations

import re
from typing import Any

import pytest


class Redshift:
    """A stub in the place of `redshift_connector.connect`: no free Redshift exists.

    It keeps each statement, its white space folded, and the arguments of each connection. The statements are
    compared with https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html.
    """

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.connections: list[dict[str, Any]] = []
        self.commits = 0
        self.autocommit = False

    def connect(self, **arguments: Any) -> Redshift:
        """Called by the provider's hook."""
        self.connections.append(arguments)
        return self

    def cursor(self) -> Redshift:
        """DB-API."""
        return self

    def execute(self, sql: str, *_: Any) -> None:
        """DB-API."""
        self.statements.append(re.sub(r"\s+", " ", sql).strip())

    def commit(self) -> None:
        """DB-API."""
        self.commits += 1

    def close(self) -> None:
        """DB-API."""

    rowcount = -1
    description = None
    notices = ()


@pytest.fixture
def redshift(monkeypatch: pytest.MonkeyPatch) -> Redshift:
    """The stub; it answers for every redshift connection."""
    import redshift_connector

    stub = Redshift()
    monkeypatch.setattr(redshift_connector, "connect", stub.connect)
    return stub
