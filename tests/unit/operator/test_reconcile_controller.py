"""What comes to a tenant while its passes are under way, with a cluster and a Helm that live in memory."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from tests.unit.operator.support import Counter
from tests.unit.operator.test_reconcile_flow import DEADLINE, Cluster, Helm, Nobody, edited

from tenant_operator.adapters.system import SystemClock
from tenant_operator.core import names
from tenant_operator.core.kinds import Object
from tenant_operator.core.metrics import Metrics
from tenant_operator.core.settings import Settings
from tenant_operator.plan.values import Defaults
from tenant_operator.reconcile.controller import Controller
from tenant_operator.reconcile.flow import Flow
from tenant_operator.reconcile.index import Index
from tenant_operator.reconcile.state import TenantState


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
    return [status["lastHandledReconcileAt"] for status in cluster.statuses]


async def until_answered(made: Controller, cluster: Cluster, value: str) -> None:
    work = asyncio.create_task(made.run())
    try:
        async with asyncio.timeout(DEADLINE):
            while value not in answers(cluster):
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
    await until_answered(made, cluster, "t2")
    assert len(helm.rendered) == 2, "what the first pass has seen is older than the request"
    assert all("t2" not in answered for answered in answered_at_render)
    assert "t1" not in answers(cluster), "the last value is the one that is answered"


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
