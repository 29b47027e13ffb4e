"""Reads the metrics of a tenant's git-sync sidecars, straight from the pod."""

from __future__ import annotations

import aiohttp
from yarl import URL

from tenant_operator.adapters.airflow_http import client_session

_FIRST_PORT = 2020
_TIMEOUT = 3.0
_MAX_BODY = 256 * 1024


class GitSyncMetrics:
    """One connection pool for all tenants. What answers is the team's ground: bounded, not trusted."""

    def __init__(self, first_port: int = _FIRST_PORT, timeout: float = _TIMEOUT) -> None:
        """The source at index i is asked at port `first_port` + i; `timeout` in seconds for the whole."""
        self._first_port = first_port
        self._limits = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None

    async def read(self, address: str, index: int) -> str:
        """The metrics of one source's git-sync as text; empty when there is no good answer. Never raises."""
        if self._session is None:
            self._session = client_session()
        try:
            url = URL.build(scheme="http", host=address, port=self._first_port + index, path="/metrics")
            async with self._session.get(
                url, timeout=self._limits, allow_redirects=False, headers={"Accept": "text/plain"}
            ) as response:
                return await _text(response) if response.status == 200 else ""
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
            return ""

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


async def _text(response: aiohttp.ClientResponse) -> str:
    received = bytearray()
    async for chunk in response.content.iter_chunked(16384):
        received += chunk
        if len(received) > _MAX_BODY:
            return ""
    return received.decode(errors="replace")
