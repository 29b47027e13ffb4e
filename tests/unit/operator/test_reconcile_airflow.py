"""Looks into a tenant's Airflow, with an Airflow and a Kubernetes API that live in memory."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from typing import Any

import pytest
from aiohttp import web
from tests.unit.operator.support import NAMESPACE, Counter, raw, tenant

from tenant_operator.adapters.git_sync import GitSyncMetrics
from tenant_operator.api.status import DagSourceStatus, TenantStatus
from tenant_operator.core import kinds, names
from tenant_operator.core.airflow_errors import AirflowUnavailable
from tenant_operator.core.airflow_types import DagFacts, ObjectError, ObjectKind, ObservedObjects, Upsert
from tenant_operator.core.errors import ConditionType, Forbidden, KubeError, Reason
from tenant_operator.core.kinds import Kind, Object
from tenant_operator.core.metrics import Metrics
from tenant_operator.plan import outcome, secrets
from tenant_operator.plan.outcome import Findings
from tenant_operator.plan.tenant import parse
from tenant_operator.reconcile.airflow import AirflowFlow
from tenant_operator.reconcile.index import Index
from tenant_operator.reconcile.state import TenantState

POOL = {"name": "gpu", "slots": 3}
VARIABLE = {"key": "v", "value": "1"}


class FakeKube:
    """Keeps the stored ledger; `trouble` is raised by the calls that it names."""

    def __init__(self) -> None:
        self.stored: Object = {}
        self.trouble: dict[str, Exception] = {}

    async def list(self, kind: Kind, namespace: str = "", labels: str = "") -> list[Object]:
        self._maybe("list")
        assert (kind, namespace) == (kinds.SECRET, NAMESPACE)
        return secrets.missing(tenant(), {}, Counter())

    async def merge(self, kind: Kind, name: str, patch: Object, *_: str, subresource: str = "") -> Object:
        assert (kind, name, subresource) == (kinds.TENANT, "payments", "status")
        self._maybe("merge")
        self.stored = patch["status"]["owned"]
        return {}

    async def event(self, *_: object) -> None:
        self._maybe("event")

    def _maybe(self, call: str) -> None:
        if call in self.trouble:
            raise self.trouble[call]


class FakeAirflow:
    """Has no objects; `refuse` are names that it does not take, `broken` are kinds that time out."""

    def __init__(self) -> None:
        self.observed = ObservedObjects()
        self.refuse: set[str] = set()
        self.broken: set[ObjectKind] = set()
        self.commit = "0123456789abcdef"

    async def observe(self, _: Collection[ObjectKind]) -> ObservedObjects:
        return self.observed

    async def upsert(self, kind: ObjectKind, changes: Sequence[Upsert]) -> tuple[ObjectError, ...]:
        if kind in self.broken:
            raise AirflowUnavailable("no answer in 60 s")
        return tuple(ObjectError(kind, c.name, "no") for c in changes if c.name in self.refuse)

    async def delete(self, *_: object) -> tuple[ObjectError, ...]:
        return ()

    async def dag_facts(self, bundle: str) -> DagFacts:
        return DagFacts(bundle, 1, self.commit)


class FakeSessions:
    def __init__(self, port: Any) -> None:
        self.port = port

    def client(self, *_: str) -> Any:
        return self.port

    def forget(self, _: str) -> None: ...


class World:
    """One tenant, its Airflow and its cluster."""

    def __init__(self, **spec: Any) -> None:
        self.kube, self.airflow = FakeKube(), FakeAirflow()
        self.state = TenantState(raw=raw(**spec), status=TenantStatus())
        self.index = Index()
        self.flow = self.flow_with(None)

    def flow_with(self, git: GitSyncMetrics | None, now: Callable[[], float] = lambda: 0.0) -> AirflowFlow:
        return AirflowFlow(
            self.kube,  # type: ignore[arg-type]
            FakeSessions(self.airflow),  # type: ignore[arg-type]
            Metrics(),
            self.index,
            git,
            now,
        )

    def look(self) -> float | None:
        return asyncio.run(self.flow.run(self.state))

    @property
    def view(self) -> Any:
        assert self.state.airflow is not None
        return self.state.airflow

    def next_status(self) -> Object | None:
        """What the tenant's own pass would write: None if it sees nothing new."""
        findings = Findings(owned=self.view.owned, dags=self.view.dags, objects=self.view.objects)
        findings.gates[ConditionType.OBJECTS] = self.view.objects_finding
        findings.gates[ConditionType.DAGS] = self.view.dags_finding
        after = outcome.status(findings, self.state.status, generation=3, namespace=NAMESPACE, now=1.0)
        if after == self.state.status:
            return None
        self.state.status = after
        self.kube.stored = after.model_dump(mode="json", by_alias=True)["owned"]
        return self.kube.stored


def test_what_a_failed_look_has_made_stays_in_the_ledger() -> None:
    world = World(pools=[POOL], variables=[VARIABLE])
    world.airflow.broken = {ObjectKind.VARIABLES}
    world.look()
    assert (world.kube.stored["pools"], world.kube.stored["variables"]) == (["gpu"], ["v"])
    assert world.view.owned.pools == ["gpu"]
    world.next_status()
    assert world.kube.stored["pools"] == ["gpu"], "the next status takes the ledger back"


def test_a_status_written_during_the_look_keeps_the_new_names() -> None:
    world = World(pools=[POOL])
    world.look()
    world.state.raw = raw(pools=[POOL], variables=[VARIABLE])
    during: list[Any] = []

    async def upsert(kind: ObjectKind, changes: Sequence[Upsert]) -> tuple[ObjectError, ...]:
        world.next_status()
        during.append(world.kube.stored["variables"])
        return ()

    world.airflow.upsert = upsert  # type: ignore[method-assign]
    world.look()
    assert ["v"] in during
    assert [] not in during


def test_a_refused_name_leaves_the_stored_ledger() -> None:
    world = World(pools=[POOL, {"name": "cpu", "slots": 1}])
    world.airflow.refuse = {"gpu"}
    world.look()
    world.next_status()
    world.look()
    assert world.kube.stored["pools"] == ["cpu", "gpu"], "told before it was tried"
    world.next_status()
    assert world.kube.stored["pools"] == ["cpu"]
    assert world.view.objects_finding.reason is Reason.OBJECTS_REJECTED


def test_a_ledger_that_could_not_be_stored_does_not_count_and_is_put_right() -> None:
    world = World(pools=[POOL])
    world.kube.trouble["merge"] = KubeError(503, "away")
    world.look()
    assert world.view.owned.pools == []
    assert world.next_status() is not None, "the answer was lost, the write perhaps not"
    assert world.kube.stored["pools"] == []
    world.kube.trouble.clear()
    world.look()
    assert world.kube.stored["pools"] == ["gpu"], "asked again before it is made"


@pytest.mark.parametrize("call", ["list", "merge"])
def test_a_kubernetes_api_that_does_not_answer_shows_after_some_looks(call: str) -> None:
    world = World(pools=[POOL])
    world.kube.trouble[call] = KubeError(503, "busy")
    delays = [world.look() for _ in range(3)]
    assert world.view.objects_finding.status == "False"
    assert world.view.objects_finding.reason is Reason.API_SERVER_UNAVAILABLE
    assert "busy" in world.view.objects_finding.message
    assert delays == [3.0, 6.0, 12.0]


def test_a_hiccup_of_the_kubernetes_api_changes_nothing() -> None:
    world = World(pools=[POOL])
    world.look()
    world.kube.trouble["list"] = KubeError(503, "busy")
    assert world.look() == 3.0
    assert world.view.objects_finding.status == "True"
    world.kube.trouble.clear()
    world.look()
    world.kube.trouble["list"] = KubeError(503, "busy")
    assert world.look() == 3.0, "counted from the last success"


def test_a_missing_permission_shows_at_once() -> None:
    world = World(pools=[POOL])
    world.kube.trouble["list"] = Forbidden(403, "no secrets for you")
    world.look()
    assert world.view.objects_finding.reason is Reason.APPLY_REJECTED
    assert "permission" in world.view.objects_finding.message


def test_an_unforeseen_failure_shows_and_is_logged_with_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    world = World(pools=[POOL])
    world.look()
    world.airflow.observed = None  # type: ignore[assignment]
    with caplog.at_level(logging.ERROR):
        assert world.look() == 3.0
    finding = world.view.objects_finding
    assert (finding.status, finding.reason) == ("False", Reason.INTERNAL_ERROR)
    assert "AttributeError" in finding.message
    assert world.view.edition == world.state.edition
    assert world.view.owned.pools == ["gpu"]
    assert "Traceback" in caplog.text


def test_in_observe_mode_a_difference_is_told_and_the_tenant_stays_ready() -> None:
    world = World(pools=[POOL], sync={"mode": "Observe"})
    world.look()
    finding = world.view.objects_finding
    assert (finding.status, finding.reason) == ("True", Reason.OBJECTS_DRIFTED)
    assert "pool gpu: missing" in finding.message
    assert world.view.drift == "pool gpu: missing"
    world.look()
    assert (world.state.drift_detected, world.state.drift_corrected) == ({"pool": 1}, {}), (
        "one, not one a look"
    )
    assert world.kube.stored == {}


REPO = "https://git.example.org/dags.git"
DAGS = {"sources": [{"name": "main", "gitSync": {"repo": REPO}}]}
TOLD = (
    f"spec.dags.sources[main].gitSync: git-sync cannot fetch {REPO}: the last good commit 0123456 keeps "
    "serving; check repo, ref and credentialsSecretRef"
)


def dag_processor(ip: str) -> Object:
    labels = {names.LABEL_TENANT: "payments", names.LABEL_COMPONENT: "dag-processor"}
    return {
        "metadata": {"name": "payments-dag-processor-x", "labels": labels},
        "status": {"phase": "Running", "podIP": ip},
    }


class GitSync:
    """A metrics endpoint like git-sync's; `counts` by status, None for an answer that is no success."""

    def __init__(self) -> None:
        self.counts: dict[str, int] | None = {"success": 1}

    async def answer(self, _: web.Request) -> web.Response:
        if self.counts is None:
            raise web.HTTPServiceUnavailable
        lines = [f'git_sync_count_total{{status="{key}"}} {value}' for key, value in self.counts.items()]
        return web.Response(text="# TYPE git_sync_count_total counter\n" + "\n".join(lines) + "\n")

    @contextlib.asynccontextmanager
    async def serving(self, *, place: int = 0, **limits: float) -> AsyncIterator[GitSyncMetrics]:
        app = web.Application()
        app.router.add_get("/metrics", self.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        reader = GitSyncMetrics(runner.addresses[0][1] - place, **limits)
        try:
            yield reader
        finally:
            await reader.close()
            await runner.cleanup()


def test_git_that_becomes_unreachable_is_told_and_taken_back() -> None:
    async def scenario() -> None:
        world, git = World(dags=DAGS), GitSync()
        world.index.put(kinds.POD, dag_processor("127.0.0.1"))
        async with git.serving() as reader:
            world.flow = world.flow_with(reader)

            async def look(counts: dict[str, int] | None) -> tuple[str, Reason]:
                git.counts = counts
                await world.flow.run(world.state)
                return world.view.dags_finding.status, world.view.dags_finding.reason

            failing, fine = ("False", Reason.GIT_SYNC_FAILED), ("True", Reason.SUCCEEDED)
            assert await look({"success": 1, "noop": 4, "error": 1}) == fine
            assert await look({"success": 1, "noop": 5, "error": 1}) == fine
            assert await look({"success": 1, "noop": 5, "error": 2}) == failing
            assert world.view.dags_finding.message == TOLD
            assert await look({"success": 1, "noop": 5, "error": 2}) == failing, "not tried since"
            world.next_status()

            world.flow = world.flow_with(reader)  # the operator restarts
            assert await look({"success": 1, "noop": 5, "error": 3}) == failing
            assert await look({"success": 1, "noop": 6, "error": 3}) == fine

    asyncio.run(scenario())


@pytest.mark.covers("M-07")
def test_a_commit_that_airflow_does_not_parse_is_behind_from_the_look_that_saw_it_fetched() -> None:
    async def scenario() -> None:
        world, git, clock = World(dags=DAGS), GitSync(), [0.0]
        world.index.put(kinds.POD, dag_processor("127.0.0.1"))
        async with git.serving() as reader:
            world.flow = world.flow_with(reader, lambda: clock[0])

            async def look(news: int, at: float) -> float:
                git.counts, clock[0] = {"success": news, "noop": 3}, at
                await world.flow.run(world.state)
                return world.state.revisions["main"].since

            assert [await look(1, 10), await look(1, 20)] == [0, 0]
            assert [await look(2, 30), await look(2, 40)] == [30, 30]
            world.airflow.commit = "fedcba9876543210"
            assert await look(2, 50) == 0
            world.state.raw = raw(dags={"sources": []})
            await world.flow.run(world.state)
            assert world.state.revisions == {}, "gone with its source"

    asyncio.run(scenario())


def test_a_folder_of_the_image_is_a_source_without_git() -> None:
    library = {"name": "library", "image": {"path": "/opt/airflow/library"}}

    async def scenario() -> None:
        world, git = World(dags={"sources": [library, *DAGS["sources"]]}), GitSync()
        world.index.put(kinds.POD, dag_processor("127.0.0.1"))
        async with git.serving(place=1) as reader:  # the second source's git-sync, as the chart numbers ports
            world.flow = world.flow_with(reader)
            for errors in (0, 1):
                git.counts = {"success": 1, "error": errors}
                await world.flow.run(world.state)
        assert world.view.dags_finding.message == TOLD
        assert [(source.name, source.repo, source.dag_count) for source in world.view.dags] == [
            ("library", "", 1),
            ("main", REPO, 1),
        ]

    asyncio.run(scenario())


def test_without_an_answer_of_git_sync_nothing_is_judged(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        world, git = World(dags=DAGS), GitSync()
        async with git.serving() as reader:
            world.flow = world.flow_with(reader)
            await world.flow.run(world.state)  # no pod
            assert world.view.dags_finding.status == "True"
            world.index.put(kinds.POD, dag_processor("127.0.0.1"))
            git.counts = None
            await world.flow.run(world.state)
            assert world.view.dags_finding.status == "True"
        world.flow = world.flow_with(reader)  # nobody listens any more
        await world.flow.run(world.state)
        assert world.view.dags_finding.status == "True"
        await reader.close()

    with caplog.at_level(logging.INFO):
        asyncio.run(scenario())
    assert caplog.records == [] or all(record.name == "aiohttp.access" for record in caplog.records)


def test_git_sync_that_hangs_or_floods_gives_no_answer() -> None:
    class Hangs(GitSync):
        async def answer(self, _: web.Request) -> web.Response:
            await asyncio.sleep(30)
            return web.Response()

    class Floods(GitSync):
        async def answer(self, _: web.Request) -> web.Response:
            return web.Response(text="#" * 1_000_000)

    async def read(git: GitSync) -> str:
        async with git.serving(timeout=0.3) as reader:
            return await asyncio.wait_for(reader.read("127.0.0.1", 0), 5)

    assert asyncio.run(read(GitSync())).count("git_sync_count_total") == 2
    assert asyncio.run(read(Floods())) == ""
    assert asyncio.run(read(Hangs())) == ""


SOURCE = {"name": "main", "gitSync": {"repo": "https://git.example.com/x.git"}}


def test_the_commit_to_go_back_to_comes_from_the_status_after_a_restart() -> None:
    world = World(dags={"sources": [SOURCE]})
    before = DagSourceStatus(name="main", repo="https://git.example.com/x.git", commit="a" * 40)
    world.state.status = TenantStatus(dags=[before])
    world.look()
    assert (world.view.dags[0].commit, world.view.dags[0].previous_commit) == (world.airflow.commit, "a" * 40)


def test_while_another_commit_is_expected_airflow_is_asked_every_few_seconds() -> None:
    clock = {"now": 1000.0}
    world = World(dags={"sources": [SOURCE]}, sync={"interval": "1h"})
    world.flow = world.flow_with(None, lambda: clock["now"])
    assert world.look() == 3600
    world.state.expecting = 1060.0
    assert world.look() == 5
    clock["now"] = 1061.0
    assert world.look() == 3600, "not for ever"
    world.state.expecting = 1200.0
    world.airflow.commit = "b" * 40
    assert world.look() == 3600, "it has come"


def annotate(world: World, text: str) -> None:
    """The annotation dag-revisions as a watch brings it; an empty text removes it."""
    found = raw(**world.state.raw["spec"])
    found["metadata"]["annotations"] = {names.ANNOTATION_DAG_REVISIONS: text} if text else {}
    world.state.take(found)


def chosen(world: World, commit: str, seen: str) -> None:
    annotate(world, f"main={commit}@{seen}")


def test_a_source_that_is_let_go_is_looked_at_again() -> None:
    world = World(dags={"sources": [SOURCE]}, sync={"interval": "1h"})
    world.airflow.commit = "a" * 40
    annotate(world, f"main={'a' * 40}")
    assert world.look() == 3600
    assert world.view.edition == world.state.edition
    annotate(world, "")
    assert world.view.edition != world.state.edition, "the controller has it looked at again"
    world.look()
    assert not world.view.dags[0].held


def test_a_look_that_fails_knows_of_the_hold_too_so_that_its_delay_counts() -> None:
    world = World(dags={"sources": [SOURCE]})
    world.kube.trouble["list"] = KubeError(0, "no answer")
    annotate(world, f"main={'a' * 40}")
    world.look()
    assert world.view.edition == world.state.edition


def test_a_hold_is_decided_by_a_look_that_was_made_after_it_was_written() -> None:
    world = World(dags={"sources": [SOURCE]})
    world.airflow.commit = "b" * 40
    world.look()
    chosen(world, "a" * 40, seen="b" * 40)
    assert world.state.known.commits == {}, "a push may have come since"
    world.airflow.commit = "c" * 40
    world.look()
    assert world.state.known.commits == {"main": "c" * 40}
    assert not world.view.dags[0].held
    assert (world.view.dags[0].commit, world.view.dags[0].previous_commit) == ("c" * 40, "b" * 40)


def test_the_same_hold_written_again_is_decided_by_another_look() -> None:
    world = World(dags={"sources": [SOURCE]})
    chosen(world, "a" * 40, seen="0" * 40)
    world.look()
    assert world.state.known.commits == {"main": world.airflow.commit}
    annotate(world, "")
    chosen(world, "a" * 40, seen="0" * 40)
    assert world.state.known.commits == {}, "the look is older than this wish"
    world.look()
    assert world.state.known.commits == {"main": world.airflow.commit}


def test_a_look_under_way_decides_on_no_hold_that_was_written_again_meanwhile() -> None:
    world = World(dags={"sources": [SOURCE]})
    chosen(world, "a" * 40, seen="0" * 40)

    async def dag_facts(bundle: str) -> DagFacts:
        annotate(world, "")
        chosen(world, "a" * 40, seen="0" * 40)
        return DagFacts(bundle, 1, "b" * 40)

    world.airflow.dag_facts = dag_facts  # type: ignore[method-assign]
    world.look()
    assert world.state.known.commits == {}
    assert world.view.edition != world.state.edition


def test_a_look_that_fails_decides_on_no_hold() -> None:
    world = World(dags={"sources": [SOURCE]})
    world.airflow.commit = "b" * 40
    world.look()
    chosen(world, "a" * 40, seen="b" * 40)
    world.kube.trouble["list"] = KubeError(0, "no answer")
    world.look()
    assert world.state.known.commits == {}
    del world.kube.trouble["list"]
    world.look()
    assert world.state.known.commits == {"main": "b" * 40}


def test_what_the_status_calls_held_stays_held_after_a_restart() -> None:
    world = World(dags={"sources": [SOURCE]})
    held = DagSourceStatus(name="main", held=True, held_commit="a" * 40)
    world.state.status = TenantStatus(dags=[held])
    chosen(world, "a" * 40, seen="b" * 40)
    assert (world.state.known.commits, world.state.known.held) == ({}, {"main": "a" * 40})
    world.look()
    assert (world.view.dags[0].held, world.view.dags[0].held_commit) == (True, "a" * 40)


def test_another_hold_than_the_one_that_the_status_knows_is_decided_anew() -> None:
    """Written while the operator was away, or the tenant suspended."""
    world = World(dags={"sources": [SOURCE]})
    held = DagSourceStatus(name="main", held=True, held_commit="a" * 40)
    world.state.status = TenantStatus(dags=[held])
    world.airflow.commit = "c" * 40
    chosen(world, "d" * 40, seen="b" * 40)
    world.look()
    decided = parse(world.state.raw, world.state.known).intent
    assert decided.commits == {}
    assert "holds nothing for 'main'" in decided.ignored
