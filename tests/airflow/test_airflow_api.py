"""The adapter itself: logins, pages, refusals and failures, against a real Airflow or a bad one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.airflow.conftest import Calls
from tests.airflow.server import AirflowServer, free_port

from tenant_operator.adapters.airflow_api import AirflowApi
from tenant_operator.adapters.airflow_http import Answer, Transport
from tenant_operator.core.airflow_errors import AirflowLoginFailed, AirflowUnavailable
from tenant_operator.core.airflow_types import (
    Connection,
    ObjectKind,
    Pool,
    Reason,
    Upsert,
    Variable,
)

PAGED = 230


def new(*items: Any) -> list[Upsert]:
    return [Upsert(item, Reason.CREATED, exists=False) for item in items]


class TestRealServer:
    async def test_reads_version_and_health_without_a_login(
        self, airflow: AirflowServer, session: aiohttp.ClientSession
    ) -> None:
        api = AirflowApi(session, airflow.url, "nobody", "wrong")
        assert await api.version() == "3.3.2"
        health = await api.health()
        assert health.metadatabase == "healthy"
        assert "scheduler" in health.unhealthy

    async def test_a_wrong_password_is_a_login_failure(
        self, airflow: AirflowServer, session: aiohttp.ClientSession
    ) -> None:
        api = AirflowApi(session, airflow.url, airflow.username, "wr0ng-password")
        with pytest.raises(AirflowLoginFailed) as raised:
            await api.observe([ObjectKind.POOLS])
        assert airflow.username in str(raised.value)
        assert "wr0ng-password" not in str(raised.value)

    @pytest.mark.parametrize("token", ["expired", "garbage"])
    async def test_a_refused_token_is_replaced_once(
        self,
        airflow: AirflowServer,
        session: aiohttp.ClientSession,
        api: AirflowApi,
        calls: Calls,
        token: str,
    ) -> None:
        await api.observe([ObjectKind.POOLS])
        transport = api._transport
        transport._token = expired_token(transport._token) if token == "expired" else "garbage"
        calls.clear()
        found = await asyncio.gather(*(api.observe([kind]) for kind in ObjectKind))
        assert "default_pool" in found[0].of(ObjectKind.POOLS)
        assert len(calls.seen) == 2 * len(ObjectKind)  # each is sent again once
        assert calls.logins == 1

    async def test_a_user_without_rights_is_a_login_failure(
        self, airflow: AirflowServer, session: aiohttp.ClientSession
    ) -> None:
        user = {"username": "guest", "email": "g@example.com", "first_name": "G", "last_name": "G"}
        airflow.call(
            "POST", "/auth/fab/v1/users", user | {"password": "guest", "roles": [{"name": "Public"}]}
        )
        try:
            with pytest.raises(AirflowLoginFailed, match="guest"):
                await AirflowApi(session, airflow.url, "guest", "guest").observe([ObjectKind.POOLS])
        finally:
            airflow.call("DELETE", "/auth/fab/v1/users/guest")

    async def test_lists_go_beyond_a_page(self, api: AirflowApi, calls: Calls) -> None:
        assert not await api.upsert(ObjectKind.POOLS, new(*(Pool(f"p{n}", n) for n in range(PAGED))))
        assert not await api.upsert(
            ObjectKind.VARIABLES, new(*(Variable(f"v{n}", "x") for n in range(PAGED)))
        )
        calls.clear()
        found = await api.observe([ObjectKind.POOLS, ObjectKind.VARIABLES])
        assert len(found.of(ObjectKind.POOLS)) == PAGED + 1
        assert len(found.of(ObjectKind.VARIABLES)) == PAGED
        assert len(calls.seen) == 6

    async def test_several_bad_entities_are_named_in_few_requests(
        self, api: AirflowApi, calls: Calls
    ) -> None:
        items = [Pool(f"p{n}", -5 if n in {3, 150} else n) for n in range(200)]
        errors = await api.upsert(ObjectKind.POOLS, new(*items))
        assert [error.name for error in errors] == ["p3", "p150"]
        assert all("slots" in error.message for error in errors)
        assert len(calls.writes) == 2
        assert len((await api.observe([ObjectKind.POOLS])).pools) == 199

    async def test_a_whole_request_refused_without_naming_anyone_is_halved(
        self, api: AirflowApi, calls: Calls
    ) -> None:
        """sqlite cannot hold such a port: the database refuses, and Airflow does not say for whom."""
        items = [Connection(f"c{n}", "http", port=2**70 if n == 9 else n) for n in range(40)]
        errors = await api.upsert(ObjectKind.CONNECTIONS, new(*items))
        assert [error.name for error in errors] == ["c9"]
        assert len(calls.writes) <= 24  # about two for each halving, twice where the server hangs up
        assert len((await api.observe([ObjectKind.CONNECTIONS])).connections) == 39

    async def test_deleting_what_is_gone_is_fine(self, api: AirflowApi) -> None:
        for kind in ObjectKind:
            assert await api.delete(kind, ["never-was"]) == ()

    async def test_default_pool_cannot_be_deleted_by_accident(self, api: AirflowApi) -> None:
        await api.delete(ObjectKind.POOLS, ["default_pool"])
        assert "default_pool" in (await api.observe([ObjectKind.POOLS])).of(ObjectKind.POOLS)

    async def test_a_bundle_that_airflow_does_not_know_has_no_dags(self, api: AirflowApi) -> None:
        facts = await api.dag_facts("nowhere")
        assert (facts.count, facts.version, facts.import_errors, facts.first_import_error) == (0, "", 0, "")

    async def test_secrets_do_not_reach_logs_or_errors(
        self, api: AirflowApi, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        item = Connection("bad id", "http", password="pa55-word", extra={"token": "t0k-en"})
        errors = await api.upsert(ObjectKind.CONNECTIONS, new(item))
        shown = caplog.text + repr(errors) + repr(item) + repr(new(item))
        assert errors
        assert not [secret for secret in ("pa55-word", "t0k-en", "operator-password") if secret in shown]


def expired_token(token: str) -> str:
    """The same user's token as it would be a day later: only its dates differ."""
    import base64
    import hashlib
    import hmac
    import json

    def part(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    header, claims, _ = token.split(".")
    content = json.loads(base64.urlsafe_b64decode(claims + "=="))
    content |= {name: content[name] - 172800 for name in ("exp", "iat", "nbf")}
    signed = f"{header}.{part(json.dumps(content).encode())}"
    return f"{signed}.{part(hmac.new(b'test' * 16, signed.encode(), hashlib.sha512).digest())}"


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def bad_airflow(handler: Handler) -> AsyncIterator[str]:
    """A server that lets anyone log in and then answers as `handler` likes."""

    async def login(_request: web.Request) -> web.Response:
        return web.json_response({"access_token": "t"}, status=201)

    app = web.Application()
    app.router.add_post("/auth/token", login)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


class TestBadServer:
    async def test_nobody_there(self, session: aiohttp.ClientSession) -> None:
        api = AirflowApi(session, f"http://127.0.0.1:{free_port()}", "u", "p")
        for call in (api.observe([ObjectKind.POOLS]), api.version(), api.health(), api.dag_facts("b")):
            with pytest.raises(AirflowUnavailable):
                await call

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(lambda: web.Response(status=503), id="not ready"),
            pytest.param(lambda: web.Response(status=500, text="Internal Server Error"), id="broken"),
            pytest.param(lambda: web.Response(text="<html>hello</html>"), id="not json"),
            pytest.param(lambda: web.json_response({"pools": []}), id="no total"),
            pytest.param(lambda: web.json_response(["pools"]), id="not an object"),
            pytest.param(
                lambda: web.json_response({"pools": [{"name": "x"}], "total_entries": 1}), id="fields missing"
            ),
            pytest.param(lambda: web.Response(body=b"x" * 17_000_000), id="endless"),
            pytest.param(lambda: web.HTTPFound("http://169.254.169.254/"), id="redirect"),
        ],
    )
    async def test_an_answer_that_makes_no_sense(
        self, session: aiohttp.ClientSession, answer: Callable[[], web.StreamResponse]
    ) -> None:
        async def handler(_request: web.Request) -> web.StreamResponse:
            return answer()

        async with bad_airflow(handler) as url:
            with pytest.raises(AirflowUnavailable):
                await AirflowApi(session, url, "u", "p").observe([ObjectKind.POOLS])

    async def test_a_server_that_never_answers(self, session: aiohttp.ClientSession) -> None:
        async def handler(_request: web.Request) -> web.StreamResponse:
            await asyncio.sleep(60)
            return web.Response()

        async with bad_airflow(handler) as url:
            with pytest.raises(AirflowUnavailable, match="no answer in"):
                await AirflowApi(session, url, "u", "p", timeout=0.2).observe([ObjectKind.POOLS])

    async def test_a_server_that_refuses_every_new_token(
        self, session: aiohttp.ClientSession, calls: Calls
    ) -> None:
        async def handler(_request: web.Request) -> web.StreamResponse:
            return web.json_response({"detail": "Token Expired"}, status=401)

        async with bad_airflow(handler) as url:
            with pytest.raises(AirflowLoginFailed):
                await AirflowApi(session, url, "u", "p").observe([ObjectKind.POOLS])
        assert len(calls.seen) == 2

    async def test_a_database_that_refuses_everything_ends_the_search(
        self, session: aiohttp.ClientSession, calls: Calls
    ) -> None:
        async def handler(_request: web.Request) -> web.StreamResponse:
            return web.json_response({"detail": {"reason": "Database error"}}, status=500)

        async with bad_airflow(handler) as url:
            api = AirflowApi(session, url, "u", "p")
            errors = await api.upsert(
                ObjectKind.VARIABLES, new(*(Variable(f"v{n}", "x") for n in range(500)))
            )
        assert len(errors) == 500
        assert len(calls.writes) == 64
        assert errors[0].message == "Database error (HTTP 500)"

    async def test_at_most_four_requests_at_once(self, session: aiohttp.ClientSession) -> None:
        now, most = 0, 0

        async def handler(_request: web.Request) -> web.StreamResponse:
            nonlocal now, most
            now, most = now + 1, max(most, now + 1)
            await asyncio.sleep(0.02)
            now -= 1
            return web.json_response({"pools": [], "total_entries": 2000})

        async with bad_airflow(handler) as url:
            await AirflowApi(session, url, "u", "p").observe([ObjectKind.POOLS])
        assert most == 4

    async def test_refusals_are_answers(self, session: aiohttp.ClientSession) -> None:
        async def handler(_request: web.Request) -> web.StreamResponse:
            return web.json_response({"detail": "no"}, status=409)

        async with bad_airflow(handler) as url:
            assert await Transport(session, url, "u", "p").request("POST", "/x") == Answer(
                409, {"detail": "no"}
            )
