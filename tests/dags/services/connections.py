"""Connections and variables for one test, in the environment, where Airflow looks first."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

Connect = Callable[..., str]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """`connect(conn_id, conn_type, host=..., port=..., login=..., password=..., schema=..., extra={...})`."""

    def set_connection(
        conn_id: str, conn_type: str, *, extra: Mapping[str, Any] | None = None, **fields: Any
    ) -> str:
        wrong = fields.keys() - {"host", "port", "login", "password", "schema"}
        if wrong:
            raise TypeError(f"no such field of a connection: {', '.join(sorted(wrong))}")
        body = {"conn_type": conn_type} | {key: value for key, value in fields.items() if value is not None}
        if extra is not None:
            body["extra"] = dict(extra)
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(body))
        return conn_id

    return set_connection


@pytest.fixture
def variable(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Any], None]:
    """`variable(key, value)`; what is no string is stored as JSON."""

    def set_variable(key: str, value: Any) -> None:
        text = value if isinstance(value, str) else json.dumps(value)
        monkeypatch.setenv(f"AIRFLOW_VAR_{key.upper()}", text)

    return set_variable


@pytest.fixture
def http_connection(connect: Connect, httpserver: HTTPServer) -> Callable[..., str]:
    """`http_connection(conn_id, **fields)`: a connection of type http to the test's HTTP server."""

    def set_connection(conn_id: str, **fields: Any) -> str:
        return connect(
            conn_id,
            **({"conn_type": "http", "host": f"http://{httpserver.host}", "port": httpserver.port} | fields),
        )

    return set_connection
