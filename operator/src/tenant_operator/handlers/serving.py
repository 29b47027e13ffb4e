"""/metrics, /healthz and /readyz on one port."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder
from prometheus_client.openmetrics import exposition as openmetrics

from tenant_operator.core.metrics import Metrics
from tenant_operator.reconcile import collector
from tenant_operator.reconcile.collector import TenantCollector
from tenant_operator.reconcile.series import Snapshot

_END = b"# EOF\n"
#: Level 1 is three times as fast as the default here, for a tenth more bytes.
_LEVEL = 1
_NOT_YET = "the watches have not seen the cluster yet\n"


def expose(registry: CollectorRegistry, tenants: tuple[Snapshot, ...], accept: str) -> tuple[bytes, str]:
    """All series in the format that `accept` asks for (OpenMetrics 1.0 or Prometheus' text), and its type."""
    _, wanted = choose_encoder(accept)
    if wanted.startswith("application/openmetrics-text"):
        own: bytes = openmetrics.generate_latest(registry, version="1.0.0")  # type: ignore[no-untyped-call]
        theirs = collector.exposition(tenants, openmetrics=True).encode()
        return own.removesuffix(_END) + theirs + _END, openmetrics.CONTENT_TYPE_LATEST
    theirs = collector.exposition(tenants, openmetrics=False).encode()
    return generate_latest(registry) + theirs, CONTENT_TYPE_PLAIN_0_0_4


@asynccontextmanager
async def serve(
    metrics: Metrics, tenants: TenantCollector, ready: Callable[[], bool], host: str, port: int
) -> AsyncIterator[int]:
    """Serve until the context ends; yields the port in use (for `port` 0, a free one)."""

    async def exposition(request: web.Request) -> web.Response:
        if not ready():
            # Series of some tenants only would say that the others are gone; a failed scrape says nothing.
            return web.Response(status=503, text=_NOT_YET)
        snapshot = tenants.snapshot()
        accept = request.headers.get("Accept", "")
        packed = "gzip" in request.headers.get("Accept-Encoding", "").lower()

        def make() -> tuple[bytes, str]:
            body, kind = expose(metrics.registry, snapshot, accept)
            return (gzip.compress(body, _LEVEL, mtime=0) if packed else body), kind

        # In a thread: with many tenants this takes long enough to be felt by the passes under way.
        body, kind = await asyncio.to_thread(make)
        headers = {"Content-Type": kind, "Vary": "Accept, Accept-Encoding"}
        return web.Response(body=body, headers=headers | ({"Content-Encoding": "gzip"} if packed else {}))

    async def alive(_: web.Request) -> web.Response:
        # Answering at all shows that the event loop turns, which is what a restart could mend.
        return web.Response(text="ok\n")

    async def is_ready(_: web.Request) -> web.Response:
        if ready():
            return web.Response(text="ok\n")
        return web.Response(status=503, text=_NOT_YET)

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
