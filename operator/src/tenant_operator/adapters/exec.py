"""Runs commands in containers, over the official client's WebSocket side.

The client's own `connect_get_namespaced_pod_exec` returns the output only; whether the command succeeded is
on a channel that it drops. So the frames are read here: the first byte of each is the channel.
https://kubernetes.io/docs/reference/using-api/api-concepts/#streaming
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import aiohttp
from kubernetes.aio import client
from kubernetes.aio.stream import WsApiClient
from kubernetes.aio.stream.ws_client import ERROR_CHANNEL, STDERR_CHANNEL, STDOUT_CHANNEL

from tenant_operator.core.errors import Forbidden, KubeError, NotFound
from tenant_operator.core.kinds import POD

_TIMEOUT = 15.0
#: What a command prints is the team's ground: bounded, and told only when it fails.
_MAX_OUTPUT = 512


class PodCommands:
    """Implements core.ports.Commands. One connection for each command, none is kept."""

    def __init__(self, api: client.ApiClient, timeout: float = _TIMEOUT) -> None:
        """Take over the configuration of a client: address, credentials, TLS. `timeout` is in seconds."""
        self._api = WsApiClient(configuration=api.configuration)  # type: ignore[no-untyped-call]
        self._timeout = timeout

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()  # type: ignore[no-untyped-call]

    async def run(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> None:
        """See core.ports.Commands."""
        query = [("container", container), ("stdout", "true"), ("stderr", "true")]
        query += [("command", part) for part in command]
        _, url, headers, *_ = await self._api.param_serialize(
            "GET", POD.path(namespace, pod, "exec"), query_params=query, auth_settings=["BearerToken"]
        )
        try:
            async with asyncio.timeout(self._timeout):
                connecting = await self._api.request(  # type: ignore[no-untyped-call]
                    "GET", url, headers=headers, _preload_content=False
                )
                async with connecting as socket:
                    status, output = await _read(socket)
        except aiohttp.WSServerHandshakeError as error:
            raise _refused(error.status) from error
        except TimeoutError as error:
            raise KubeError(0, f"no end of the command within {self._timeout:g} s") from error
        except aiohttp.ClientError as error:
            raise KubeError(0, f"no connection to the container: {error!r}") from error
        if status.get("status") != "Success":
            words = output or str(status.get("message") or "the connection broke before its end")
            raise KubeError(0, f"the command failed: {words.strip()}")


async def _read(socket: aiohttp.ClientWebSocketResponse) -> tuple[dict[str, Any], str]:
    """The Status that ends the command (empty: none came), and the beginning of what it printed."""
    output = bytearray()
    async for message in socket:
        if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
            continue
        channel, data = message.data[0], message.data[1:]
        if channel == ERROR_CHANNEL:
            return _status(data), output.decode(errors="replace")
        if channel in (STDOUT_CHANNEL, STDERR_CHANNEL):
            output += data[: _MAX_OUTPUT - len(output)]
    return {}, output.decode(errors="replace")


def _status(data: bytes) -> dict[str, Any]:
    try:
        status = json.loads(data)
    except ValueError:
        return {}
    return status if isinstance(status, dict) else {}


def _refused(status: int) -> KubeError:
    """What a refused upgrade means: its body cannot be read any more."""
    if status == 403:
        return Forbidden(
            403,
            "pods/exec is refused: the operator lacks the right to get and create it there, or an admission "
            "policy forbids it (the API server's audit log says which)",
        )
    if status == 404:
        return NotFound(404, "the pod is gone")
    return KubeError(status, f"the Kubernetes API or the kubelet refuses (HTTP {status})")
