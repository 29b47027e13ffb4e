"""Airflow's REST API as a stub, for DAGs that look at Airflow itself.

Documented in Airflow 3.3's OpenAPI (`/openapi.json`): lists carry `total_entries`, pages are cut at 100
entries, `POST /auth/token` answers 201 with an access token, and every other call needs it.
"""

from __future__ import annotations

import json
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

LARGEST_PAGE = 100
USER = {"username": "auditor", "password": "auditor-of-the-test"}
_TOKEN = "token-of-the-stub"


class AirflowStub:
    """`lists[path] = (key, entries)` is what a GET answers; `seen` are the paths that were asked for."""

    def __init__(self, server: HTTPServer) -> None:
        self.lists: dict[str, tuple[str, list[dict[str, Any]]]] = {}
        self.queries: dict[str, dict[str, str]] = {}
        self.seen: list[str] = []
        self.changes: list[tuple[str, Any]] = []  # (path, body) of each PATCH
        server.expect_request("/auth/token", method="POST").respond_with_handler(self._login)
        for area in ("/api/v2/", "/auth/fab/v1/"):
            server.expect_request(_below(area), method="GET").respond_with_handler(self._list)
            server.expect_request(_below(area), method="PATCH").respond_with_handler(self._change)

    def _login(self, request: Request) -> Response:
        if request.get_json() != USER:
            return _json({"detail": "Invalid credentials"}, 401)
        return _json({"access_token": _TOKEN}, 201)

    def _change(self, request: Request) -> Response:
        if request.headers.get("Authorization") != f"Bearer {_TOKEN}":
            return _json({"detail": "Not authenticated"}, 401)
        self.changes.append((request.path, request.get_json()))
        return _json(request.get_json())

    def _list(self, request: Request) -> Response:
        if request.headers.get("Authorization") != f"Bearer {_TOKEN}":
            return _json({"detail": "Not authenticated"}, 401)
        self.seen.append(request.path)
        self.queries[request.path] = dict(request.args)
        if request.path not in self.lists:
            return _json({"detail": "Not Found"}, 404)
        key, entries = self.lists[request.path]
        offset = int(request.args.get("offset", 0))
        limit = min(int(request.args.get("limit", 50)), LARGEST_PAGE)
        return _json({key: entries[offset : offset + limit], "total_entries": len(entries)})


def _below(area: str) -> Any:
    import re

    return re.compile(re.escape(area) + ".*")


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")
