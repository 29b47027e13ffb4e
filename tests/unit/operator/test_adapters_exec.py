"""Commands in containers, against a server that speaks as the API server does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from kubernetes.aio import client

from tenant_operator.adapters.exec import PodCommands
from tenant_operator.core.errors import Forbidden, KubeError, NotFound

SUCCESS = {"metadata": {}, "status": "Success"}
FAILURE = {
    "metadata": {},
    "status": "Failure",
    "message": "command terminated with non-zero exit code: exit status 1",
    "reason": "NonZeroExitCode",
    "details": {"causes": [{"reason": "ExitCode", "message": "1"}]},
}

Answer = Callable[[web.WebSocketResponse], Awaitable[None]]


@dataclass
class Server:
    """Refuses with `refusal`, or opens the stream and leaves the rest to `answer`."""

    answer: Answer
    refusal: int = 0
    url: str = ""
    requests: list[web.BaseRequest] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        if self.refusal:
            return web.json_response({"kind": "Status", "message": "no"}, status=self.refusal)
        socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        await socket.prepare(request)
        await self.answer(socket)
        await socket.close()
        return socket

    def commands(self, timeout: float = 5.0) -> PodCommands:
        configuration = client.Configuration(host=self.url)
        configuration.api_key = {"BearerToken": "Bearer t0ken"}
        return PodCommands(client.ApiClient(configuration), timeout)


async def succeed(socket: web.WebSocketResponse) -> None:
    await socket.send_bytes(b"\x01")  # the real one opens each channel with an empty frame
    await socket.send_bytes(b"\x03" + json.dumps(SUCCESS).encode())


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server(succeed)
    runner = web.ServerRunner(web.Server(made.handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    made.url = f"http://{host}:{port}"
    yield made
    await runner.cleanup()


async def run(server: Server, seconds: float = 5.0) -> None:
    commands = server.commands(seconds)
    try:
        await commands.run("airflow-pay", "pod-1", "git-sync-main", ("sh", "-c", "kill -HUP 1"))
    finally:
        await commands.close()


async def test_the_command_runs_in_the_named_container_with_the_operators_token(server: Server) -> None:
    await run(server)
    (request,) = server.requests
    assert request.path == "/api/v1/namespaces/airflow-pay/pods/pod-1/exec"
    assert request.query.getall("command") == ["sh", "-c", "kill -HUP 1"]
    assert request.query["container"] == "git-sync-main"
    assert "stdin" not in request.query
    assert request.headers["Authorization"] == "Bearer t0ken"
    assert request.headers["Sec-WebSocket-Protocol"] == "v4.channel.k8s.io"


async def test_a_command_that_fails_is_an_error_with_its_own_words(server: Server) -> None:
    async def fail(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(b"\x02sh: 1: kill: No such process\n")
        await socket.send_bytes(b"\x03" + json.dumps(FAILURE).encode())

    server.answer = fail
    with pytest.raises(KubeError, match=r"^the command failed: sh: 1: kill: No such process$"):
        await run(server)


async def test_a_silent_failure_is_told_in_the_kubelets_words(server: Server) -> None:
    async def fail(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(b"\x03" + json.dumps(FAILURE).encode())

    server.answer = fail
    with pytest.raises(KubeError, match="non-zero exit code"):
        await run(server)


async def test_a_connection_that_breaks_is_no_success(server: Server) -> None:
    async def leave(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(b"\x01half")

    server.answer = leave
    with pytest.raises(KubeError, match="half"):
        await run(server)


@pytest.mark.parametrize("garbage", [b"\x03", b"\x03[]", b"\x03{", b"\x03null", b""])
async def test_a_status_that_cannot_be_read_is_no_success(server: Server, garbage: bytes) -> None:
    async def confuse(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(garbage)

    server.answer = confuse
    with pytest.raises(KubeError, match="broke before its end"):
        await run(server)


async def test_what_a_command_prints_is_bounded(server: Server) -> None:
    async def flood(socket: web.WebSocketResponse) -> None:
        for _ in range(50):
            await socket.send_bytes(b"\x02" + b"x" * 1000)
        await socket.send_bytes(b"\x03" + json.dumps(FAILURE).encode())

    server.answer = flood
    with pytest.raises(KubeError) as caught:
        await run(server)
    assert len(caught.value.message) < 600


async def test_a_container_that_never_answers_costs_no_more_than_the_deadline(server: Server) -> None:
    reached, gone = asyncio.Event(), asyncio.Event()

    async def hang(socket: web.WebSocketResponse) -> None:
        reached.set()
        await socket.receive()  # until the other side gives up
        gone.set()

    server.answer = hang
    with pytest.raises(KubeError, match=r"no end of the command within 1 s"):
        await run(server, seconds=1)
    if reached.is_set():  # on a very busy machine not even the connection was there in time
        async with asyncio.timeout(60):
            await gone.wait()


@pytest.mark.parametrize(
    ("refusal", "kind", "words"),
    [
        (403, Forbidden, "the right to get and create it there, or an admission policy"),
        (404, NotFound, "gone"),
        (500, KubeError, "HTTP 500"),
    ],
)
async def test_a_refusal_is_told(server: Server, refusal: int, kind: type[KubeError], words: str) -> None:
    server.refusal = refusal
    with pytest.raises(kind, match=words) as caught:
        await run(server)
    assert caught.value.status == refusal


async def test_nobody_there_is_an_error_of_the_connection(server: Server) -> None:
    server.url = "http://127.0.0.1:9"
    with pytest.raises(KubeError, match="no connection to the container"):
        await run(server)
