"""Whole passes over a tenant, with a cluster and a Helm that live in memory."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from tests.unit.operator.support import NAMESPACE, Counter, raw

from tenant_operator.adapters.system import SystemClock
from tenant_operator.api.status import TenantStatus
from tenant_operator.core import kinds, names
from tenant_operator.core.errors import Forbidden, NotFound
from tenant_operator.core.kinds import Kind, Object
from tenant_operator.core.metrics import Metrics
from tenant_operator.core.ports import ChartInfo, Rendered
from tenant_operator.core.settings import Settings
from tenant_operator.plan.values import Defaults
from tenant_operator.reconcile.controller import Controller
from tenant_operator.reconcile.flow import Flow
from tenant_operator.reconcile.index import Index
from tenant_operator.reconcile.state import TenantState

DEADLINE = 10.0


class Cluster:
    """Keeps what is written, and every status of the tenant in order."""

    def __init__(self) -> None:
        self.statuses: list[Object] = []
        self.told = asyncio.Event()
        self._objects: dict[tuple[str, str], Object] = {}
        self._versions = itertools.count(100)

    def found(self, kind: str, name: str) -> Object | None:
        return self._objects.get((kind, name))

    async def get(self, kind: Kind, name: str, namespace: str = "") -> Object:
        found = self.found(kind.kind, name)
        if found is None:
            raise NotFound(404, f"{namespace}/{name}")
        return copy.deepcopy(found)

    async def list(self, kind: Kind, namespace: str = "", labels: str = "") -> list[Object]:
        assert namespace == NAMESPACE
        assert labels in ("", "owner=helm")
        return [copy.deepcopy(obj) for (its, _), obj in self._objects.items() if its == kind.kind]

    async def create(self, kind: Kind, obj: Object) -> Object:
        assert self.found(kind.kind, obj["metadata"]["name"]) is None
        return await self.apply(kind, obj)

    async def apply(self, kind: Kind, obj: Object) -> Object:
        live = copy.deepcopy(obj)
        live["metadata"] |= {"resourceVersion": str(next(self._versions)), "uid": "u"}
        self._objects[kind.kind, obj["metadata"]["name"]] = live
        return copy.deepcopy(live)

    async def merge(self, kind: Kind, name: str, patch: Object, *_: str, subresource: str = "") -> Object:
        if (kind, subresource) == (kinds.TENANT, "status"):
            self.statuses.append(patch["status"])
            self.told.set()
        return {"metadata": {"name": name}}

    async def delete(self, *_: object, **__: object) -> bool:
        raise AssertionError("nothing is to be deleted")

    async def event(self, *_: object) -> None:
        """Nobody reads them here."""


class Helm:
    """Renders one ConfigMap that tells the replicas; `during` runs inside each render."""

    chart = ChartInfo("airflow-tenant", "1", "3.3.2", "d", {"name": "airflow-tenant"})

    def __init__(self) -> None:
        self.rendered: list[int] = []
        self.during: Callable[[], None] = lambda: None

    async def render(self, release: str, namespace: str, values: Mapping[str, Any]) -> Rendered:
        replicas = values["triggerer"]["replicas"]
        self.rendered.append(replicas)
        self.during()
        await asyncio.sleep(0.01)
        metadata = {"name": f"{release}-config", "namespace": namespace}
        data = {"replicas": str(replicas)}
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        return Rendered(f"replicas {replicas}", (obj,))


class Nobody:
    """In the place of the watches and of Airflow."""

    def __init__(self) -> None:
        self.synced = asyncio.Event()
        self.synced.set()

    async def run(self, *_: object) -> None:
        """Nothing ever comes, and nothing is to be done."""

    def forget(self, _: str) -> None:
        """Nothing is remembered."""

    def wanted(self, _: object) -> bool:
        """Nothing is asked for."""
        return False


def edited(generation: int, replicas: int) -> Object:
    """The tenant as a watch brings it after an edit."""
    found = raw(generation=generation, airflow={"triggerer": {"replicas": replicas}})
    found["metadata"] |= {"finalizers": [names.FINALIZER], "resourceVersion": str(10 + generation)}
    return found


def released(status: Object, generation: int) -> bool:
    return any(
        (c["type"], c["status"], c["observedGeneration"]) == ("ReleaseReady", "True", generation)
        for c in status["conditions"]
    )


async def run(controller: Controller, cluster: Cluster, generation: int) -> None:
    """Until a status says that the release of this generation is up."""
    work = asyncio.create_task(controller.run())
    try:
        async with asyncio.timeout(DEADLINE):
            while not any(released(status, generation) for status in cluster.statuses):
                cluster.told.clear()
                await cluster.told.wait()
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work


@pytest.mark.parametrize("edits", [1, 2])
async def test_an_edit_that_arrives_while_a_pass_renders_is_neither_lost_nor_told_as_done(edits: int) -> None:
    """A resync would find it too, some minutes later: here none comes before the deadline."""
    cluster, helm, index, metrics = Cluster(), Helm(), Index(), Metrics()
    settings = Settings(resync_interval=100 * DEADLINE, concurrency=2)
    flow = Flow(cluster, helm, index, SystemClock(), Counter(), metrics, settings, Defaults())  # type: ignore[arg-type]
    nobody: Any = Nobody()
    controller = Controller(flow, nobody, nobody, index, nobody, metrics, settings, nobody, nobody)
    told_at_render: list[list[Object]] = []

    def edit() -> None:
        told_at_render.append(list(cluster.statuses))
        seen = len(helm.rendered)
        if seen <= edits:
            controller.tenant_changed(edited(generation=1 + seen, replicas=2 + seen))

    helm.during = edit
    controller.tenant_changed(edited(generation=1, replicas=2))
    last = 1 + edits
    await run(controller, cluster, last)

    assert helm.rendered == [2 + seen for seen in range(last)]
    config = cluster.found("ConfigMap", "payments-config")
    assert config is not None
    assert config["data"] == {"replicas": str(1 + last)}
    for generation, told in enumerate(told_at_render, start=1):
        assert all(status["observedGeneration"] < generation for status in told), (
            "told before it was rendered"
        )
        assert not any(released(status, generation) for status in told)


class Guarded(Cluster):
    """Refuses the operator's binding, as a policy does that does not see the namespace's annotation yet."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words

    async def apply(self, kind: Kind, obj: Object) -> Object:
        if kind is kinds.ROLE_BINDING and self.words:
            raise Forbidden(403, self.words)
        return await super().apply(kind, obj)


class Clock(SystemClock):
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.moved = 100.0

    def monotonic(self) -> float:
        return self.moved


POLICY = "ValidatingAdmissionPolicy 'airflow-tenant-operator-rights' with binding 'x' denied request: no"


def entering(cluster: Cluster, clock: Clock) -> tuple[Flow, TenantState]:
    """A tenant whose namespace was there and has been handed over to it."""
    metadata = {"name": NAMESPACE, "annotations": {names.ANNOTATION_TENANT: "payments"}}
    asyncio.run(cluster.apply(kinds.NAMESPACE, {"metadata": metadata}))
    settings = Settings(operator_namespace="system", service_account="operator")
    ports: Any = cluster, Helm(), Index(), clock, Counter(), Metrics(), settings, Defaults()
    return Flow(*ports), TenantState(raw=edited(generation=1, replicas=2), status=TenantStatus())


def ready(cluster: Cluster) -> Object:
    found: Object = next(c for c in cluster.statuses[-1]["conditions"] if c["type"] == "Ready")
    return found


def test_a_namespace_whose_annotation_the_policies_do_not_see_yet_is_soon_entered() -> None:
    cluster, clock = Guarded(POLICY), Clock()
    flow, state = entering(cluster, clock)
    for _ in range(3):
        assert asyncio.run(flow.run(state)) == 0.5
        clock.moved += 0.5
    assert (ready(cluster)["status"], ready(cluster)["reason"]) == ("False", "Pending")
    assert "permission" not in ready(cluster)["message"]
    cluster.words = ""
    asyncio.run(flow.run(state))
    assert cluster.found("RoleBinding", names.OPERATOR_BINDING)


def test_policies_that_go_on_refusing_are_named_and_asked_less_often() -> None:
    cluster, clock = Guarded(POLICY), Clock()
    flow, state = entering(cluster, clock)
    asyncio.run(flow.run(state))
    clock.moved += 10.0
    assert asyncio.run(flow.run(state)) == 60.0
    assert ready(cluster)["reason"] == "ApplyRejected"
    assert "check the policies airflow-tenant-operator-*" in ready(cluster)["message"]


def test_a_namespace_that_is_handed_over_again_is_again_soon_entered() -> None:
    cluster, clock = Guarded(POLICY), Clock()
    flow, state = entering(cluster, clock)
    asyncio.run(flow.run(state))
    asyncio.run(cluster.apply(kinds.NAMESPACE, {"metadata": {"name": NAMESPACE}}))
    clock.moved += 60.0
    assert asyncio.run(flow.run(state)) == 60.0
    assert "annotate it" in ready(cluster)["message"]
    mine = {"metadata": {"name": NAMESPACE, "annotations": {names.ANNOTATION_TENANT: "payments"}}}
    asyncio.run(cluster.apply(kinds.NAMESPACE, mine))
    clock.moved += 60.0
    assert asyncio.run(flow.run(state)) == 0.5


def test_a_right_that_is_missing_is_told_at_once() -> None:
    cluster = Guarded("user cannot create rolebindings")
    flow, state = entering(cluster, Clock())
    assert asyncio.run(flow.run(state)) == 60.0
    assert "check its ClusterRoles" in ready(cluster)["message"]


@pytest.mark.covers("M-07")
async def test_a_process_whose_watches_have_not_seen_the_cluster_is_no_leader() -> None:
    metrics, nobody = Metrics(), Nobody()

    def leader() -> float | None:
        return metrics.registry.get_sample_value("airflow_operator_leader")

    assert leader() == 0
    any_: Any = nobody
    Controller(any_, any_, any_, Index(), any_, metrics, Settings(), any_, any_)
    nobody.synced.clear()
    assert leader() == 0
    nobody.synced.set()
    assert leader() == 1
