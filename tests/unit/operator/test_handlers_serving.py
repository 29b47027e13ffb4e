from __future__ import annotations

import aiohttp
import pytest

from tenant_operator.core.metrics import Metrics
from tenant_operator.handlers.serving import serve


async def fetch(port: int, path: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text(), answer.headers["Content-Type"]


async def test_alive_at_once_ready_when_told() -> None:
    ready = False
    async with serve(Metrics(), lambda: ready, "127.0.0.1", 0) as port:
        assert (await fetch(port, "/healthz"))[:2] == (200, "ok\n")
        status, text, _ = await fetch(port, "/readyz")
        assert (status, text) == (503, "the watches have not seen the cluster yet\n")
        ready = True
        assert (await fetch(port, "/readyz"))[:2] == (200, "ok\n")
        assert (await fetch(port, "/else"))[0] == 404


async def test_metrics_are_prometheus_text() -> None:
    metrics = Metrics()
    metrics.drift.labels("Deployment").inc()
    async with serve(metrics, lambda: True, "127.0.0.1", 0) as port:
        status, text, kind = await fetch(port, "/metrics")
    assert status == 200
    assert kind.startswith("text/plain")
    assert 'airflow_operator_drift_corrected_total{kind="Deployment"} 1.0' in text


async def test_the_port_is_free_afterwards() -> None:
    async with serve(Metrics(), lambda: True, "127.0.0.1", 0) as port:
        pass
    with pytest.raises(aiohttp.ClientConnectorError):
        await fetch(port, "/healthz")
    async with serve(Metrics(), lambda: True, "127.0.0.1", port) as again:
        assert again == port


def test_condition_series_show_one_status_and_go_with_the_tenant() -> None:
    metrics = Metrics()
    one = {"tenant": "t", "namespace": "ns", "type": "Ready"}

    def value(status: str) -> float | None:
        return metrics.registry.get_sample_value("airflow_tenant_condition", {**one, "status": status})

    metrics.show_conditions("t", "ns", {"Ready": "False"})
    metrics.show_conditions("t", "ns", {"Ready": "True"})
    assert (value("True"), value("False"), value("Unknown")) == (1, None, None)
    metrics.forget("t", "ns")
    assert (value("True"), value("False"), value("Unknown")) == (None, None, None)
