"""Looks into a tenant's Airflow, with an Airflow and a Kubernetes API that live in memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from typing import Any

import pytest
from tests.unit.operator.support import NAMESPACE, Counter, raw, tenant

from tenant_operator.core import kinds
from tenant_operator.core.airflow_errors import AirflowUnavailable
from tenant_operator.core.airflow_types import DagFacts, ObjectError, ObjectKind, ObservedObjects, Upsert
from tenant_operator.core.errors import ConditionType, Forbidden, KubeError, Reason
from tenant_operator.core.kinds import Kind, Object
from tenant_operator.core.metrics import Metrics
from tenant_operator.plan import outcome, secrets
from tenant_operator.plan.outcome import Findings
from tenant_operator.reconcile.airflow import AirflowFlow
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
        self.state = TenantState(raw=raw(**spec), status=outcome.TenantStatus())
        self.flow = AirflowFlow(self.kube, FakeSessions(self.airflow), Metrics())  # type: ignore[arg-type]

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

    world.airflow.upsert = upsert  # type: ignore[assignment]
    world.look()
    assert ["v"] in during
    assert [] not in during


def test_a_refused_name_leaves_the_stored_ledger() -> None:
    world = World(pools=[POOL, {"name": "cpu", "slots": 1}])
    world.airflow.refuse = {"gpu"}
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
    assert world.view.generation == world.state.generation
    assert world.view.owned.pools == ["gpu"]
    assert "Traceback" in caplog.text
