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
from tenant_operator.reconcile import optional, watches
from tenant_operator.reconcile.index import Index
from tenant_operator.reconcile.watches import Watches

OPTIONAL = kinds.OPTIONAL[0]
NAMES = frozenset({OPTIONAL.kind})
DEFINED = {"metadata": {"name": f"{OPTIONAL.plural}.{OPTIONAL.group}", "resourceVersion": "2"}}


class Cluster:
    """A cluster without objects, whose answers a test sets; `tell` is an event about a definition."""

    def __init__(self) -> None:
        self.has: frozenset[Kind] | KubeError = frozenset()
        self.refuses: dict[Kind, KubeError] = {}
        self.defined: list[Object] = []
        self.events: asyncio.Queue[Object] = asyncio.Queue()
        self.asked = 0

    def tell(self, type_: str = "MODIFIED", definition: Object = DEFINED) -> None:
        self.events.put_nowait({"type": type_, "object": definition})

    def define(self) -> None:
        """The kind appears, as it does: its definition, and a moment later what is served."""
        self.defined = [DEFINED]
        self.tell("ADDED")

    def withdraw(self) -> None:
        self.has, self.defined = frozenset(), []
        self.tell("DELETED")

    async def served(self, wanted: Iterable[Kind]) -> frozenset[Kind]:
        assert set(wanted) == {OPTIONAL}
        self.asked += 1
        if isinstance(self.has, KubeError):
            raise self.has
        return self.has

    async def list_all(
        self, kind: Kind, namespace: str = "", labels: str = "", *, metadata_only: bool = False
    ) -> tuple[list[Object], str]:
        if kind in self.refuses:
            raise self.refuses[kind]
        assert metadata_only or kind is not kinds.DEFINITION
        return (self.defined if kind is kinds.DEFINITION else []), "1"

    async def watch(
        self, kind: Kind, version: str, labels: str, *, metadata_only: bool, seconds: int
    ) -> AsyncIterator[Object]:
        if kind is kinds.DEFINITION and kind not in self.refuses:
            assert metadata_only
            assert not labels, "other projects' definitions have no tenant"
            yield await self.events.get()
        await asyncio.sleep(0.02)
        if kind in self.refuses:
            raise self.refuses[kind]


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
    monkeypatch.setattr(watches, "_ABSENT_SECONDS", 0.02)
    monkeypatch.setattr(optional, "_ASK_SECONDS", 0.02)
    monkeypatch.setattr(optional, "_GONE_SECONDS", 0.4)
    monkeypatch.setattr(optional, "_SETTLE_SECONDS", 0.6)


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
        cluster.define()
        await asyncio.sleep(0.1)
        cluster.has = frozenset({OPTIONAL})  # the API server serves it a moment after its definition
        await its.until(lambda: its.index.served == NAMES)
        assert its.changes == 1
        cluster.withdraw()
        await its.until(lambda: its.index.served == frozenset())
        assert its.changes == 2
        cluster.has = frozenset({OPTIONAL})
        cluster.define()
        await its.until(lambda: its.index.served == NAMES)
        assert its.changes == 3


@pytest.mark.parametrize("there", [True, False], ids=["with the kind", "without it"])
async def test_a_quiet_cluster_is_asked_nothing(there: bool) -> None:
    cluster = Cluster()
    if there:
        cluster.has, cluster.defined = frozenset({OPTIONAL}), [DEFINED]
    async with running(cluster) as its:
        await its.until(its.watches.synced.is_set)
        await asyncio.sleep(0.1)
        before = cluster.asked
        cluster.tell(definition={"metadata": {"name": "others.example.com", "resourceVersion": "3"}})
        cluster.tell("BOOKMARK", {"metadata": {"resourceVersion": "4"}})
        await asyncio.sleep(0.5)
        assert cluster.asked == before


async def test_a_definition_without_our_version_is_asked_about_for_a_while_only() -> None:
    cluster = Cluster()
    cluster.defined = [DEFINED]
    async with running(cluster) as its:
        await its.until(its.watches.synced.is_set)
        await asyncio.sleep(0.8)
        before = cluster.asked
        assert before > 5
        await asyncio.sleep(0.2)
        assert cluster.asked == before
        assert its.index.served == frozenset()
        cluster.has = frozenset({OPTIONAL})
        cluster.tell()  # its definition now has the version
        await its.until(lambda: its.index.served == NAMES)


async def test_a_version_that_is_no_longer_served_is_a_kind_that_is_gone() -> None:
    cluster = Cluster()
    cluster.has, cluster.defined = frozenset({OPTIONAL}), [DEFINED]
    async with running(cluster) as its:
        await its.until(lambda: its.index.served == NAMES)
        cluster.has = frozenset()
        cluster.tell()
        await its.until(lambda: its.index.served == frozenset())


@pytest.mark.parametrize("answer", [frozenset(), KubeError(503, "starting")], ids=["absent", "no answer"])
async def test_an_api_server_that_starts_takes_no_kind_away(answer: frozenset[Kind] | KubeError) -> None:
    cluster = Cluster()
    cluster.has, cluster.defined = frozenset({OPTIONAL}), [DEFINED]
    async with running(cluster) as its:
        await its.until(lambda: its.index.served == NAMES)
        await asyncio.sleep(0.5)  # seen last a long time ago
        cluster.has = answer
        cluster.tell()
        await asyncio.sleep(0.2)
        cluster.has = frozenset()  # answers, and lists the group late
        await asyncio.sleep(0.1)
        cluster.has = frozenset({OPTIONAL})
        await asyncio.sleep(0.6)
        assert its.index.served == NAMES
        assert its.changes == 1


@pytest.mark.parametrize("failure", [KubeError(410, "too old"), KubeError(0, "broken off")])
async def test_what_a_broken_watch_of_definitions_missed_is_found_out(
    failure: KubeError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watches, "_LAST_BACKOFF", 0.1)
    cluster = Cluster()
    async with running(cluster) as its:
        await its.until(its.watches.synced.is_set)
        cluster.refuses[kinds.DEFINITION] = failure
        cluster.tell(definition={"metadata": {"name": "others.example.com", "resourceVersion": "3"}})
        await asyncio.sleep(0.1)
        cluster.has, cluster.defined = frozenset({OPTIONAL}), [DEFINED]
        del cluster.refuses[kinds.DEFINITION]
        await its.until(lambda: its.index.served == NAMES)


async def test_without_the_right_to_see_definitions_discovery_is_asked_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watches, "_LAST_BACKOFF", 0.1)
    cluster = Cluster()
    cluster.refuses[kinds.DEFINITION] = Forbidden(403, "no")
    async with running(cluster) as its:
        await its.until(its.watches.synced.is_set)
        cluster.has = frozenset({OPTIONAL})
        await its.until(lambda: its.index.served == NAMES)


async def test_a_kind_whose_definition_was_deleted_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    cluster = Cluster()
    cluster.has, cluster.defined = frozenset({OPTIONAL}), [DEFINED]
    with caplog.at_level(logging.WARNING):
        async with running(cluster) as its:
            await its.until(lambda: its.index.served == NAMES)
            cluster.refuses[OPTIONAL] = NotFound(404, "404 page not found")
            cluster.withdraw()
            await its.until(lambda: its.index.served == frozenset())
    assert not caplog.records
