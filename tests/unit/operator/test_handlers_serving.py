from __future__ import annotations

import gzip

import aiohttp
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as strict
from prometheus_client.parser import text_string_to_metric_families as parse_text
from tests.unit.operator.support import raw

from tenant_operator.api.status import TenantStatus
from tenant_operator.core.metrics import HANDLERS, Metrics
from tenant_operator.handlers.serving import serve
from tenant_operator.reconcile.collector import TenantCollector
from tenant_operator.reconcile.state import TenantState

NOBODY = TenantCollector(list)
ONE = TenantCollector(lambda: [TenantState(raw=raw(), status=TenantStatus())])
#: What Prometheus 3 sends.
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


def parse_openmetrics(text: str) -> list[Metric]:
    """By the library's parser, which refuses what OpenMetrics does not allow."""
    return list(strict.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]


async def fetch(port: int, path: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    """Status, body as sent, headers; nothing is unpacked."""
    async with (
        aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=["Accept-Encoding"]) as session,
        session.get(f"http://127.0.0.1:{port}{path}", headers=headers) as answer,
    ):
        return answer.status, await answer.read(), dict(answer.headers)


async def test_alive_at_once_ready_when_told() -> None:
    ready = False
    async with serve(Metrics(), NOBODY, lambda: ready, "127.0.0.1", 0) as port:
        assert (await fetch(port, "/healthz"))[:2] == (200, b"ok\n")
        status, text, _ = await fetch(port, "/readyz")
        assert (status, text) == (503, b"the watches have not seen the cluster yet\n")
        ready = True
        assert (await fetch(port, "/readyz"))[:2] == (200, b"ok\n")
        assert (await fetch(port, "/else"))[0] == 404


async def test_metrics_are_prometheus_text_for_whoever_asks_for_nothing() -> None:
    async with serve(Metrics(), ONE, lambda: True, "127.0.0.1", 0) as port:
        status, body, headers = await fetch(port, "/metrics")
    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "Content-Encoding" not in headers
    families = {family.name: family for family in parse_text(body.decode())}
    assert families["airflow_tenant_info"].samples[0].labels["tenant"] == "payments"
    assert {one.labels["handler"] for one in families["airflow_operator_handler_retries"].samples} == {
        *HANDLERS
    }


async def test_prometheus_gets_openmetrics() -> None:
    async with serve(Metrics(), ONE, lambda: True, "127.0.0.1", 0) as port:
        _, body, headers = await fetch(port, "/metrics", Accept=PROMETHEUS)
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert body.count(b"# EOF") == 1
    names = {family.name for family in parse_openmetrics(body.decode())}  # strict, unlike the other parser
    assert {"airflow_tenant_info", "airflow_operator_leader", "process_cpu_seconds"} <= names


async def test_both_formats_hold_the_same_series() -> None:
    metrics = Metrics()
    async with serve(metrics, ONE, lambda: True, "127.0.0.1", 0) as port:
        _, plain, _ = await fetch(port, "/metrics")
        _, modern, _ = await fetch(port, "/metrics", Accept=PROMETHEUS)
    series = [
        {
            (sample.name, tuple(sorted(sample.labels.items())))
            for family in families
            for sample in family.samples
            if not sample.name.endswith("_created")
        }
        for families in (parse_text(plain.decode()), parse_openmetrics(modern.decode()))
    ]
    assert series[0] == series[1]


async def test_the_answer_is_packed_only_for_those_who_can_unpack_it() -> None:
    async with serve(Metrics(), ONE, lambda: True, "127.0.0.1", 0) as port:
        _, body, headers = await fetch(port, "/metrics", **{"Accept-Encoding": "deflate, gzip"})
        _, plain, _ = await fetch(port, "/metrics", **{"Accept-Encoding": "identity"})
    assert headers["Content-Encoding"] == "gzip"
    assert b'airflow_tenant_info{tenant="payments"' in gzip.decompress(body)
    assert b'airflow_tenant_info{tenant="payments"' in plain
    assert len(body) < len(plain) / 3


async def test_the_port_is_free_afterwards() -> None:
    async with serve(Metrics(), NOBODY, lambda: True, "127.0.0.1", 0) as port:
        pass
    with pytest.raises(aiohttp.ClientConnectorError):
        await fetch(port, "/healthz")
    async with serve(Metrics(), NOBODY, lambda: True, "127.0.0.1", port) as again:
        assert again == port


async def test_a_scrape_fails_until_the_tenants_are_known() -> None:
    """Series of some tenants only would say that the others are gone."""
    ready = False
    async with serve(Metrics(), ONE, lambda: ready, "127.0.0.1", 0) as port:
        assert (await fetch(port, "/metrics"))[0] == 503
        ready = True
        assert (await fetch(port, "/metrics"))[0] == 200
