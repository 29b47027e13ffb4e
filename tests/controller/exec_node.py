"""A node of which only the kubelet's `exec` exists: it notes what the real API server passes on to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import web
from tests.controller.api import Refused
from tests.controller.stack import Stack, TenantUnderTest

from devcluster.pki import Pki
from tenant_operator.core import kinds
from tenant_operator.core.kinds import Kind

NODE = Kind("v1", "Node", "nodes", namespaced=False)
_PROTOCOL = "v4.channel.k8s.io"
_SECONDS = 60.0
#: The pod went while it was to be bound, or has a node by now.
_OVERTAKEN = {404, 409}


@dataclass
class ExecNode:
    """What the kubelet was asked to run: (namespace, pod, container, command)."""

    name: str
    loop: asyncio.AbstractEventLoop
    port: int = 0
    runs: list[tuple[str, str, str, str]] = field(default_factory=list)
    #: what the command says on its error channel instead of success
    failure: str = ""
    #: while it is not set commands begin and do not end
    going: asyncio.Event = field(default_factory=asyncio.Event)

    def hold(self) -> None:
        """Let no command end until `go`."""
        self.loop.call_soon_threadsafe(self.going.clear)

    def go(self) -> None:
        """Let commands end."""
        self.loop.call_soon_threadsafe(self.going.set)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        _, namespace, pod, container = request.path.strip("/").split("/")
        self.runs.append((namespace, pod, container, " ".join(request.query.getall("command"))))
        socket = web.WebSocketResponse(protocols=(_PROTOCOL,))
        await socket.prepare(request)
        await self.going.wait()
        status = {"status": "Failure", "message": self.failure} if self.failure else {"status": "Success"}
        with contextlib.suppress(ConnectionError):  # whoever asked is gone
            await socket.send_bytes(b"\x03" + json.dumps(status).encode())
        await socket.close()
        return socket

    def take(self, tenant: TenantUnderTest) -> set[str]:
        """Bind the pods that run git-sync to this node, as a scheduler would; returns their names.

        Pods may roll meanwhile: one that is gone is bound no more.
        """
        pods = {
            name: pod["spec"].get("nodeName")
            for name, pod in tenant.objects(kinds.POD).items()
            if any(c.get("restartPolicy") == "Always" for c in pod["spec"].get("initContainers") or [])
        }
        for name, node in pods.items():
            if node is None:
                binding = {
                    "apiVersion": "v1",
                    "kind": "Binding",
                    "metadata": {"name": name},
                    "target": {"apiVersion": "v1", "kind": "Node", "name": self.name},
                }
                path = kinds.POD.path(tenant.namespace, name, "binding")
                try:
                    tenant.api.call("POST", path, binding)
                except Refused as error:
                    if error.status not in _OVERTAKEN:
                        raise
        return set(pods)

    def told(self, since: int = 0) -> set[str]:
        """The pods in which a command was begun since that many had been.

        A command that takes long is tried again, so there may be more runs than pods.
        """
        return {pod for _, pod, _, _ in self.runs[since:]}


@contextmanager
def exec_node(stack: Stack, name: str) -> Iterator[ExecNode]:
    """The node, for as long as the context lasts."""
    loop, started = asyncio.new_event_loop(), threading.Event()
    node = ExecNode(name, loop)
    pki = Pki(stack.plane.directory / "pki")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki.crt("ca")))
    tls.load_cert_chain(pki.crt("kubelet"), pki.key("kubelet"))
    tls.verify_mode = ssl.CERT_REQUIRED  # as a kubelet does: nobody but the API server may run commands
    ended = asyncio.Event()

    async def serve() -> None:
        runner = web.ServerRunner(web.Server(node.handle))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        node.port = runner.addresses[0][1]
        started.set()
        await ended.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), name=name, daemon=True)
    thread.start()
    try:
        assert started.wait(_SECONDS), "the kubelet's server does not start"
        node.go()
        stack.api.create(NODE, {"metadata": {"name": name}})
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": node.port}},
        }
        stack.api.merge(NODE, name, {"status": status}, subresource="status")
        yield node
    finally:
        node.go()
        stack.api.delete(NODE, name)
        loop.call_soon_threadsafe(ended.set)
        thread.join(_SECONDS)
        assert not thread.is_alive(), "the kubelet's server does not end"
        loop.close()
