"""/metrics, /healthz and /readyz on one port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from tenant_operator.core.metrics import Metrics


@asynccontextmanager
async def serve(metrics: Metrics, ready: Callable[[], bool], host: str, port: int) -> AsyncIterator[int]:
    """Serve until the context ends; yields the port in use (for `port` 0, a free one)."""

    async def exposition(_: web.Request) -> web.Response:
        body = generate_latest(metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def alive(_: web.Request) -> web.Response:
        # Answering at all shows that the event loop turns, which is what a restart could mend.
        return web.Response(text="ok\n")

    async def is_ready(_: web.Request) -> web.Response:
        if ready():
            return web.Response(text="ok\n")
        return web.Response(status=503, text="the watches have not seen the cluster yet\n")

    app = web.Application()
    app.add_routes(
        [web.get("/metrics", exposition), web.get("/healthz", alive), web.get("/readyz", is_ready)]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
