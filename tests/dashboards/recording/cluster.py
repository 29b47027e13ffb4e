"""The operator of a recording: a real process on a real API server, and the AirflowTenants it looks after."""

from __future__ import annotations

import contextlib
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from tests.airflow.server import PASSWORD, USERNAME
from tests.controller.stack import Stack, TenantUnderTest, running

from tenant_operator.core.kinds import Kind

CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
#: Of Fargate and EBS gp3 in us-east-1, so that the pictures show plausible sums.
PRICES = {
    "COST_CURRENCY": "USD",
    "COST_CPU_CORE_HOUR": "0.04048",
    "COST_MEMORY_GIB_HOUR": "0.004445",
    "COST_STORAGE_GIB_MONTH": "0.08",
}
_SECONDS = 30


@contextlib.contextmanager
def by_path(ports: Mapping[str, int]) -> Iterator[str]:
    """An address under which /<tenant>/... reaches a tenant's Airflow, as Services do it in a cluster."""

    class Forward(BaseHTTPRequestHandler):
        """One request to the port of its first path segment."""

        def do(self) -> None:
            """Forward it, answer what comes back."""
            tenant, _, rest = self.path.removeprefix("/").partition("/")
            if tenant not in ports:
                self.send_error(503)
                return
            length = int(self.headers.get("Content-Length") or 0)
            request = urllib.request.Request(
                f"http://127.0.0.1:{ports[tenant]}/{rest}",
                self.rfile.read(length) if length else None,
                {key: value for key, value in self.headers.items() if key not in ("Host", "Connection")},
                method=self.command,
            )
            try:
                with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - our own address
                    self.answer(answer.status, dict(answer.headers), answer.read())
            except urllib.error.HTTPError as error:
                with error:
                    self.answer(error.code, dict(error.headers), error.read())
            except OSError:
                self.send_error(502)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do  # noqa: N815 - http.server's names

        def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            """Status, content type and body."""
            self.send_response(status)
            self.send_header("Content-Type", headers.get("content-type", "application/json"))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Forward)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@contextlib.contextmanager
def operator(folder: Path, ports: Mapping[str, int], pods: Mapping[str, str]) -> Iterator[Stack]:
    """The operator; `pods` says at which address a tenant's DAG processor, with its git-sync, is found."""
    with (
        by_path(ports) as url,
        running(folder, airflow_url=f"{url}/{{tenant}}", RESYNC_INTERVAL="60", **PRICES) as stack,
    ):
        for tenant, address in pods.items():
            up = {
                "phase": "Running",
                "message": None,
                "podIP": address,
                "podIPs": [{"ip": address}],
                "conditions": [
                    {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"},
                    {"type": "ContainersReady", "status": "True"},
                ],
            }
            stack.kubelet.break_component(f"airflow-{tenant}", "dag-processor", up)
        yield stack


def create(stack: Stack, name: str, spec: Mapping[str, Any]) -> TenantUnderTest:
    """A tenant whose Airflow knows the operator's user."""
    tenant = TenantUnderTest(stack, name)
    tenant.prepare_namespace()
    login = {"username": USERNAME, "password": PASSWORD, "hmac_key": "key"}
    stack.api.secret(f"{name}-operator", tenant.namespace, **login)
    tenant.create(**spec)
    return tenant


def tenant_rules(stack: Stack) -> list[dict[str, Any]]:
    """Rule groups that the operator has written for its tenants, from every ConfigMap that holds rules."""
    groups: list[dict[str, Any]] = []
    for config in stack.api.list(CONFIG_MAP):
        for name, text in sorted((config.get("data") or {}).items()):
            if "rules" in name and name.endswith((".yaml", ".yml")):
                groups += (yaml.safe_load(text) or {}).get("groups", [])
    return groups
