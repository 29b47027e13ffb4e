"""Which kinds are watched, and when the watches count as complete."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable

import pytest

from tenant_operator.core import kinds
from tenant_operator.core.errors import Forbidden, KubeError, NotFound
from tenant_operator.core.kinds import Kind, Object
from tenant_operator.core.metrics import Metrics
from tenant_operator.reconcile import watches
from tenant_operator.reconcile.index import Index
from tenant_operator.reconcile.watches import Watches

OPTIONAL = kinds.OPTIONAL[0]
NAMES = frozenset({OPTIONAL.kind})


class Cluster:
    """A cluster without objects, whose answers a test sets."""

    def __init__(self) -> None:
        self.has: frozenset[Kind] | KubeError = frozenset()
        self.refuses: dict[Kind, KubeError] = {}

    async def served(self, wanted: Iterable[Kind]) -> frozenset[Kind]:
        assert set(wanted) == {OPTIONAL}
        if isinstance(self.has, KubeError):
            raise self.has
        return self.has

    async def list_all(
        self, kind: Kind, namespace: str = "", labels: str = "", *, metadata_only: bool = False
    ) -> tuple[list[Object], str]:
        if kind in self.refuses:
            raise self.refuses[kind]
        return [], "1"

    async def watch(
        self, kind: Kind, version: str, labels: str, *, metadata_only: bool, seconds: int
    ) -> AsyncIterator[Object]:
        await asyncio.sleep(0.02)
        if kind in self.refuses:
            raise self.refuses[kind]
        for nothing in ():
            yield nothing


class Running:
    """Watches at work: what they tell is noted."""

    def __init__(self, cluster: Cluster) -> None:
        self.index = Index()
        self.changes = 0
        self.watches = Watches(cluster, self.index, Metrics(), watched=[kinds.SERVICE], optional=[OPTIONAL])

    def noted(self) -> None:
        self.changes += 1

    async def until(self, look: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not look():  # noqa: ASYNC110 - what is looked at tells nobody
                await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "_DISCOVERY_SECONDS", 0.02)
    monkeypatch.setattr(watches, "_GONE_SECONDS", 0.4)


@contextlib.asynccontextmanager
async def running(cluster: Cluster) -> AsyncIterator[Running]:
    made = Running(cluster)
    task = asyncio.create_task(made.watches.run(lambda _: None, made.noted))
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_cluster_without_the_kind_is_complete_without_it() -> None:
    async with running(Cluster()) as its:
        await its.until(its.watches.synced.is_set)
        assert its.index.served == frozenset()


async def test_a_kind_that_is_there_from_the_start_is_waited_for() -> None:
    cluster = Cluster()
    cluster.has = frozenset({OPTIONAL})
    cluster.refuses[OPTIONAL] = KubeError(500, "not yet")
    async with running(cluster) as its:
        await asyncio.sleep(0.2)
        assert not its.watches.synced.is_set()
    del cluster.refuses[OPTIONAL]
    async with running(cluster) as its:
        await its.until(its.watches.synced.is_set)
        assert its.index.served == NAMES


async def test_a_right_that_is_missing_keeps_nobody_waiting() -> None:
    cluster = Cluster()
    cluster.has = frozenset({OPTIONAL})
    cluster.refuses[OPTIONAL] = Forbidden(403, "no")
    async with running(cluster) as its:
        await its.until(its.watches.synced.is_set)
        assert its.index.served == frozenset()


async def test_each_coming_and_going_is_told_once() -> None:
    cluster = Cluster()
    async with running(cluster) as its:
        await its.until(its.watches.synced.is_set)
        cluster.has = frozenset({OPTIONAL})
        await its.until(lambda: its.index.served == NAMES)
        assert its.changes == 1
        cluster.has = frozenset()
        await its.until(lambda: its.index.served == frozenset())
        assert its.changes == 2
        cluster.has = frozenset({OPTIONAL})
        await its.until(lambda: its.index.served == NAMES)
        assert its.changes == 3


@pytest.mark.parametrize("answer", [frozenset(), KubeError(503, "starting")], ids=["absent", "no answer"])
async def test_an_api_server_that_starts_takes_no_kind_away(answer: frozenset[Kind] | KubeError) -> None:
    cluster = Cluster()
    cluster.has = frozenset({OPTIONAL})
    async with running(cluster) as its:
        await its.until(lambda: its.index.served == NAMES)
        cluster.has = answer
        await asyncio.sleep(0.2)
        cluster.has = frozenset({OPTIONAL})
        await asyncio.sleep(0.6)
        assert its.index.served == NAMES
        assert its.changes == 1


async def test_a_kind_whose_definition_was_deleted_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    cluster = Cluster()
    cluster.has = frozenset({OPTIONAL})
    with caplog.at_level(logging.WARNING):
        async with running(cluster) as its:
            await its.until(lambda: its.index.served == NAMES)
            cluster.refuses[OPTIONAL] = NotFound(404, "404 page not found")
            cluster.has = frozenset()
            await its.until(lambda: its.index.served == frozenset())
    assert not caplog.records
