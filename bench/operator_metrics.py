"""What a scrape of the operator costs; `python -m bench.operator_metrics [TENANTS ...]` prints a table.

Each tenant has every condition, 5 pools, 2 SLOs, a DAG with a limit, one DAG source, healthy components and
two kinds of corrected drift. Scraped over HTTP as Prometheus 3 does it, from the operator's own server.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from tenant_operator.adapters.airflow_sessions import AirflowSessions
from tenant_operator.api.status import Condition, DagSourceStatus, ObjectCounts, ObjectsStatus, TenantStatus
from tenant_operator.api.status import Release as ReleaseStatus
from tenant_operator.core.airflow_types import Health
from tenant_operator.core.errors import ConditionType
from tenant_operator.core.metrics import Metrics
from tenant_operator.handlers.serving import serve
from tenant_operator.plan.health import HealthView
from tenant_operator.plan.outcome import Finding
from tenant_operator.reconcile.collector import TenantCollector
from tenant_operator.reconcile.health import HealthFlow
from tenant_operator.reconcile.state import TenantState

_ROUNDS = 5
_BEAT = 0.002
_PARTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")
_ACCEPT = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3"
)
_STAMP = "2026-11-21T15:00:00Z"


def state(number: int) -> TenantState:
    """A tenant that is up."""
    name = f"team-{number:04d}-warehouse"
    counts = ObjectCounts(desired=5, in_sync=5)
    made = TenantState(
        raw={
            "metadata": {"name": name, "uid": name, "generation": 7, "resourceVersion": "1"},
            "spec": {
                "owner": {"team": f"team-{number:04d}"},
                "airflow": {"version": "3.3.2", "executor": "KubernetesExecutor"},
                "pools": [{"name": f"warehouse_{pool}", "slots": 8} for pool in range(5)],
                "monitoring": {
                    "slo": [{"name": name, "objective": "99.5"} for name in ("settlement", "reports")],
                    "dagDurations": [{"dag": "settlement", "limit": "30m"}],
                },
            },
        },
        status=TenantStatus(
            observed_generation=7,
            namespace=f"airflow-{name}",
            conditions=[
                Condition(
                    type=kind, status="True", reason="Succeeded", message="as the spec says",
                    last_transition_time=_STAMP, observed_generation=7,
                )
                for kind in ConditionType
            ],
            release=ReleaseStatus(
                name=name, revision=12, chart_version="0.1.0", airflow_version="3.3.2",
                executor="KubernetesExecutor", digest="d",
            ),
            dags=[DagSourceStatus(name="main", commit=f"{number:040x}", dag_count=40)],
            objects=ObjectsStatus(pools=counts, connections=counts, variables=counts, roles=counts),
        ),
    )  # fmt: skip
    beats = {"scheduler": 1795272000.5, "dag-processor": 1795272001.5, "triggerer": 1795272002.5}
    made.health = HealthView(
        Finding.true("healthy"), Health("healthy", "healthy", "healthy", "healthy", beats)
    )
    for kind in ("Deployment", "pool"):
        made.drift_detected[kind] = made.drift_corrected[kind] = 3
    return made


@dataclass(slots=True)
class Row:
    """What one number of tenants costs; times are medians in seconds."""

    tenants: int
    series: int
    plain_bytes: int
    plain: float
    packed_bytes: int
    packed: float
    lag: float
    library: float

    def __str__(self) -> str:
        return (
            f"{self.tenants:>7}  {self.series:>7}  {self.plain_bytes / 1024:>8.0f} KiB  "
            f"{self.plain * 1000:>6.0f} ms  {self.packed_bytes / 1024:>6.0f} KiB  "
            f"{self.packed * 1000:>6.0f} ms  "
            f"{self.lag * 1000:>6.0f} ms  {self.library * 1000:>7.0f} ms"
        )


HEAD = "tenants   series      plain bytes     scrape   gzip bytes     scrape  loop lag   library's"


async def measure(count: int) -> Row:
    """Serve `count` tenants, scrape them a few times."""
    states = [state(number) for number in range(count)]
    collector = TenantCollector(lambda: states)
    async with serve(Metrics(), collector, lambda: True, "127.0.0.1", 0) as port:
        url = f"http://127.0.0.1:{port}/metrics"
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            plain = [await _scrape(session, url, "identity") for _ in range(_ROUNDS)]
            packed = [await _scrape(session, url, "gzip") for _ in range(_ROUNDS)]
    body = plain[0].body
    return Row(
        tenants=count,
        series=sum(1 for line in body.splitlines() if line and not line.startswith(b"#")),
        plain_bytes=len(body),
        plain=statistics.median(one.took for one in plain),
        packed_bytes=len(packed[0].body),
        packed=statistics.median(one.took for one in packed),
        lag=statistics.median(one.lag for one in packed),
        library=_library(collector),
    )


@dataclass(slots=True)
class Scrape:
    """One answer, the seconds that it took, and the longest that the event loop stood still meanwhile."""

    body: bytes
    took: float
    lag: float


async def _scrape(session: aiohttp.ClientSession, url: str, encoding: str) -> Scrape:
    worst = 0.0

    async def watch() -> None:
        nonlocal worst
        while True:
            before = time.perf_counter()
            await asyncio.sleep(_BEAT)
            worst = max(worst, time.perf_counter() - before - _BEAT)

    watcher = asyncio.create_task(watch())
    await asyncio.sleep(0.05)
    worst, started = 0.0, time.perf_counter()
    async with session.get(url, headers={"Accept": _ACCEPT, "Accept-Encoding": encoding}) as answer:
        body = await answer.read()
    took = time.perf_counter() - started
    watcher.cancel()
    return Scrape(body, took, worst)


def _library(collector: TenantCollector) -> float:
    """The same series through prometheus_client's own encoder."""
    registry = CollectorRegistry()
    registry.register(collector)
    times = []
    for _ in range(3):
        started = time.perf_counter()
        generate_latest(registry)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


async def probe_seconds(count: int = 500) -> float:
    """CPU seconds of one health probe, those of the local server that answers it included."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({name: {"status": "healthy"} for name in _PARTS})

    app = web.Application()
    app.router.add_get("/api/v2/monitor/health", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sessions = AirflowSessions(f"http://127.0.0.1:{runner.addresses[0][1]}")
    flow, tenant = HealthFlow(sessions, Metrics()), state(0)
    tenant.serving = True
    await flow.run(tenant)
    started = time.process_time()
    for _ in range(count):
        await flow.run(tenant)
    took = time.process_time() - started
    assert tenant.health is not None
    assert tenant.health.health is not None, "the probes were answered"
    await sessions.close()
    await runner.cleanup()
    return took / count


def main(counts: list[int]) -> None:
    """Print a row for each number of tenants, and what a probe costs."""
    print(HEAD)
    for count in counts:
        print(asyncio.run(measure(count)))
    probe = asyncio.run(probe_seconds())
    print(f"a health probe: {probe * 1000:.1f} CPU-ms, once a minute and tenant")


if __name__ == "__main__":
    main([int(count) for count in sys.argv[1:]] or [1, 100, 1000])
