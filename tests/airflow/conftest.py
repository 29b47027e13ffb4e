"""A real Airflow for the tests of this folder, one for each test process, emptied between tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from tests.airflow.server import AirflowServer

from tenant_operator.adapters.airflow_api import AirflowApi
from tenant_operator.adapters.airflow_http import DEFAULT_HEADERS
from tenant_operator.core.airflow_types import BUILTIN_ROLES


@pytest.fixture(scope="session")
def airflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowServer]:
    """A running API server with an administrator."""
    server = AirflowServer.start(tmp_path_factory.mktemp("airflow"))
    yield server
    server.stop()


@pytest.fixture
def airflow(airflow_server: AirflowServer) -> AirflowServer:
    """The server, with no objects in it but those that Airflow makes itself."""
    empty(airflow_server)
    return airflow_server


@dataclass
class Calls:
    """Requests that the adapter has sent, as (method, path), logins apart."""

    seen: list[tuple[str, str]] = field(default_factory=list)
    logins: int = 0

    @property
    def writes(self) -> list[tuple[str, str]]:
        """Those that are no reads."""
        return [call for call in self.seen if call[0] != "GET"]

    @property
    def reads(self) -> list[tuple[str, str]]:
        """Those that are reads."""
        return [call for call in self.seen if call[0] == "GET"]

    def clear(self) -> None:
        """Start counting anew."""
        self.seen.clear()
        self.logins = 0


@pytest.fixture
def calls() -> Calls:
    """What `session` has sent."""
    return Calls()


@pytest.fixture
async def session(calls: Calls) -> AsyncIterator[aiohttp.ClientSession]:
    """A session like the operator's that counts its requests."""
    trace = aiohttp.TraceConfig()

    async def note(_session: object, _context: object, params: aiohttp.TraceRequestStartParams) -> None:
        if params.url.path == "/auth/token":
            calls.logins += 1
        else:
            calls.seen.append((params.method, params.url.path))

    trace.on_request_start.append(note)
    async with aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers=DEFAULT_HEADERS,
        trace_configs=[trace],
    ) as made:
        yield made


@pytest.fixture
def api(airflow: AirflowServer, session: aiohttp.ClientSession) -> AirflowApi:
    """The adapter under test, against the real server."""
    return AirflowApi(session, airflow.url, airflow.username, airflow.password)


def empty(server: AirflowServer) -> None:
    """Delete everything that earlier tests left, and give default_pool its usual size."""
    for kind, key in (("pools", "name"), ("variables", "key"), ("connections", "connection_id")):
        while names := _names(server, kind, key):
            delete = {"action": "delete", "action_on_non_existence": "skip", "entities": names}
            server.call("PATCH", f"/api/v2/{kind}", {"actions": [delete]})
    for role in server.call("GET", "/auth/fab/v1/roles?limit=100")["roles"]:
        if role["name"] not in BUILTIN_ROLES:
            server.call("DELETE", f"/auth/fab/v1/roles/{quote(role['name'], safe='')}")
    server.call(
        "PATCH",
        "/api/v2/pools/default_pool?update_mask=slots&update_mask=include_deferred",
        {"name": "default_pool", "slots": 128, "include_deferred": False},
    )


def _names(server: AirflowServer, kind: str, key: str) -> list[str]:
    page: dict[str, Any] = server.call("GET", f"/api/v2/{kind}?limit=100")
    return [item[key] for item in page[kind] if item[key] != "default_pool"]
