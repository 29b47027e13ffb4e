"""What comes to a tenant while its passes are under way, with a cluster and a Helm that live in memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from tests.unit.operator.support import Counter
from tests.unit.operator.test_reconcile_flow import DEADLINE, Cluster, Helm, Nobody, edited

from tenant_operator.adapters.system import SystemClock
from tenant_operator.api.status import DagSourceStatus
from tenant_operator.core import names
from tenant_operator.core.kinds import Object
from tenant_operator.core.metrics import Metrics
from tenant_operator.core.ports import Rendered
from tenant_operator.core.settings import Settings
from tenant_operator.plan.values import Defaults
from tenant_operator.reconcile.controller import Controller
from tenant_operator.reconcile.flow import Flow
from tenant_operator.reconcile.index import Index
from tenant_operator.reconcile.state import AirflowView, Edition, TenantState

A, B, STABLE = "a" * 40, "b" * 40, "stable-branch"


class SlowAirflow(Nobody):
    """A look ends when it is told to; notes whom it has forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.looking, self.answer = asyncio.Event(), asyncio.Event()
        self.forgotten: list[str] = []

    async def run(self, *_: object) -> None:
        self.looking.set()
        await self.answer.wait()

    def forget(self, tenant: str) -> None:
        self.forgotten.append(tenant)


class Answering(Nobody):
    """Airflow has a commit of the source main whenever it is asked."""

    def __init__(self, commit: str) -> None:
        super().__init__()
        self._dags = (DagSourceStatus(name="main", commit=commit),)
        self.asked: list[Edition] = []
        self.about_hold = asyncio.Event()

    async def run(self, *args: Any) -> None:
        (state,) = args
        edition = state.edition
        self.asked.append(edition)
        if edition.held:
            self.about_hold.set()
        state.airflow = AirflowView(dags=self._dags, edition=edition, answered=edition.written)


class Refs(Helm):
    """Notes what the sources were to follow."""

    def __init__(self) -> None:
        super().__init__()
        self.followed: list[str] = []

    async def render(self, release: str, namespace: str, values: Mapping[str, Any]) -> Rendered:
        self.followed += [ref for ref in (STABLE, A) if f"'{ref}'" in str(values)]
        return await super().render(release, namespace, values)


def holding(commit: str, seen: str) -> Object:
    """A tenant with a source that is to be held, as a watch brings it."""
    found = asking("", version=11)
    found["metadata"]["annotations"] = {names.ANNOTATION_DAG_REVISIONS: f"main={commit}@{seen}"}
    git = {"repo": "https://git.example.com/x.git", "ref": STABLE}
    found["spec"]["dags"] = {"sources": [{"name": "main", "gitSync": git}]}
    return found


def asking(value: str, version: int, uid: str = "u-1") -> Object:
    """A tenant that asks for everything, as a watch brings it."""
    found = edited(generation=1, replicas=2)
    found["metadata"] |= {
        "annotations": {names.ANNOTATION_RECONCILE: value}, "resourceVersion": str(version), "uid": uid
    }  # fmt: skip
    return found


def controller(cluster: Cluster, helm: Helm, airflow: Any) -> Controller:
    index, metrics, nobody = Index(), Metrics(), Nobody()
    settings = Settings(resync_interval=100 * DEADLINE, concurrency=2)
    flow = Flow(cluster, helm, index, SystemClock(), Counter(), metrics, settings, Defaults())  # type: ignore[arg-type]
    there: Any = nobody
    return Controller(flow, airflow, there, index, there, metrics, settings, there, there)


def answers(cluster: Cluster) -> list[str]:
    """What the statuses said was handled, in order."""
    return [status.get("lastHandledReconcileAt", "") for status in cluster.statuses]


def remarks(cluster: Cluster) -> list[str]:
    """What the statuses said in Ready, in order."""
    return [
        condition["message"]
        for status in cluster.statuses
        for condition in status.get("conditions") or ()
        if condition["type"] == "Ready"
    ]


async def until(made: Controller, cluster: Cluster, reached: Callable[[], bool]) -> None:
    """Run until a status makes it so."""
    work = asyncio.create_task(made.run())
    try:
        async with asyncio.timeout(DEADLINE):
            while not reached():
                cluster.told.clear()
                await cluster.told.wait()
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work


async def test_a_request_that_comes_during_the_pass_of_another_is_answered_by_a_pass_of_its_own() -> None:
    cluster, helm = Cluster(), Helm()
    made = controller(cluster, helm, Nobody())
    answered_at_render: list[list[str]] = []

    def during() -> None:
        answered_at_render.append(answers(cluster))
        if len(answered_at_render) == 1:
            made.tenant_changed(asking("t2", version=12))

    helm.during = during
    made.tenant_changed(asking("t1", version=11))
    await until(made, cluster, lambda: "t2" in answers(cluster))
    assert len(helm.rendered) == 2, "what the first pass has seen is older than the request"
    assert all("t2" not in answered for answered in answered_at_render)
    assert "t1" not in answers(cluster), "the last value is the one that is answered"


async def test_a_hold_is_rendered_as_soon_as_a_look_has_decided_on_it() -> None:
    cluster, helm = Cluster(), Refs()
    made = controller(cluster, helm, Answering(B))
    made.tenant_changed(holding(A, seen=B))
    await until(made, cluster, lambda: any("'main' held by" in said for said in remarks(cluster)))
    assert helm.followed == [STABLE, A]
    assert any("once Airflow is seen to have the commit after @" in said for said in remarks(cluster))


async def test_a_look_that_decides_on_a_hold_is_followed_by_one_that_knows_of_it() -> None:
    """The first look after a restart is enough to decide: nobody would look again before sync.interval."""
    cluster, airflow = Cluster(), Answering(B)
    made = controller(cluster, Refs(), airflow)
    work = asyncio.create_task(made.run())
    try:
        async with asyncio.timeout(DEADLINE):
            made.tenant_changed(holding(A, seen=B))
            await airflow.about_hold.wait()
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
    assert [dict(edition.held) for edition in airflow.asked] == [{}, {"main": A}]
    (state,) = made.states
    assert state.expecting > SystemClock().now(), "it looks every few seconds until Airflow has it"


async def test_a_decision_is_in_the_status_before_anything_is_rendered_with_it() -> None:
    """The operator ends there, and finds it again: by then an old pod has parsed a push on its way out."""
    cluster, helm = Cluster(), Refs()
    made = controller(cluster, helm, Answering(B))
    died, stored = asyncio.Event(), list[Object]()

    def during() -> None:
        if helm.followed[-1] == A and not died.is_set():
            stored.extend(cluster.statuses)
            died.set()
            raise RuntimeError("the operator ends here")

    helm.during = during
    work = asyncio.create_task(made.run())
    try:
        async with asyncio.timeout(DEADLINE):
            made.tenant_changed(holding(A, seen=B))
            await died.wait()
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
    refs = Refs()
    restarted = controller(cluster, refs, Answering("c" * 40))
    after = holding(A, seen=B)
    for status in stored:
        after["status"] = {**after.get("status", {}), **status}
    restarted.tenant_changed(after)
    cluster.statuses.clear()
    await until(restarted, cluster, lambda: any("'main' held by" in said for said in remarks(cluster)))
    assert refs.followed == [A]
    assert not any("holds nothing" in said for said in remarks(cluster))


async def test_a_hold_that_a_look_decides_against_renders_nothing_and_is_told() -> None:
    cluster, helm = Cluster(), Refs()
    made = controller(cluster, helm, Answering("c" * 40))
    made.tenant_changed(holding(A, seen=B))
    await until(made, cluster, lambda: any("holds nothing for 'main'" in said for said in remarks(cluster)))
    assert helm.followed == [STABLE]


async def test_a_look_that_outlives_its_tenant_leaves_nothing_to_a_namesake() -> None:
    cluster, airflow = Cluster(), SlowAirflow()
    made = controller(cluster, Helm(), airflow)
    work = asyncio.create_task(made.run())
    try:
        async with asyncio.timeout(DEADLINE):
            made.tenant_changed(asking("", version=11))
            await airflow.looking.wait()
            made.tenant_changed(asking("", version=12, uid="u-2"))
            assert airflow.forgotten == ["payments"]
            (namesake,) = made.states
            airflow.looking.clear()
            airflow.answer.set()
            await airflow.looking.wait()  # the namesake's own look
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
    assert isinstance(namesake, TenantState)
    assert airflow.forgotten == ["payments", "payments"], "and what the first look noted at its end"
