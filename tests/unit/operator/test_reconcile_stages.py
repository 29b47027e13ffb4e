"""The way down of a tenant that is to rest, at moments that no test can hit on a real API server."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.operator.support import NAMESPACE, tenant

from tenant_operator.core import kinds
from tenant_operator.core.errors import NotReady
from tenant_operator.core.kinds import Kind, Object, ObjectId
from tenant_operator.plan.release import Stage
from tenant_operator.reconcile.index import Index
from tenant_operator.reconcile.stages import Stages

SCHEDULER = ObjectId("Deployment", NAMESPACE, "payments-scheduler", "apps")
LABEL = "airflowtenants.io/tenant"


def pod(name: str, component: str) -> Object:
    owner = {"kind": "ReplicaSet", "name": "r", "controller": True}
    return {
        "metadata": {
            "name": name,
            "uid": f"u-{name}",
            "labels": {LABEL: "payments", "app.kubernetes.io/component": component},
            "ownerReferences": [] if component == "worker" else [owner],
        },
        "status": {"phase": "Running"},
    }


class Dying:
    """A cluster whose scheduler starts a last task, and is gone, right after task pods were listed first."""

    def __init__(self) -> None:
        self.index, self.tasks, self.deleted = Index(), [], []
        self.scheduler = pod("scheduler-1", "scheduler")
        self.index.put(kinds.POD, self.scheduler)
        deployment = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": SCHEDULER.name,
                "namespace": NAMESPACE,
                "resourceVersion": "1",
                "labels": {LABEL: "payments"},
            },
            "spec": {"replicas": 0},
            "status": {},
        }
        self.index.put(kinds.DEPLOYMENT, deployment)

    tasks: list[Object]
    deleted: list[str]

    async def list(self, kind: Kind, namespace: str = "", labels: str = "") -> list[Object]:
        assert (kind, namespace) == (kinds.POD, NAMESPACE)
        found = [*self.tasks]
        if not self.tasks and not self.deleted:
            self.tasks.append(pod("last-task", "worker"))
            self.index.remove(kinds.POD, self.scheduler)
        return found

    async def delete(self, kind: Kind, name: str, namespace: str = "", *, uid: str = "") -> bool:
        self.deleted.append(name)
        self.tasks.clear()
        return True


async def test_a_task_that_the_scheduler_starts_while_it_ends_keeps_its_database() -> None:
    cluster: Any = Dying()
    stages = Stages(cluster, cluster.index, None)  # type: ignore[arg-type]

    async def rest() -> None:
        await stages._rest(Stage.COMPONENTS, tenant(state="Hibernated"), [SCHEDULER])

    with pytest.raises(NotReady, match="scheduler still running"):
        await rest()
    assert cluster.tasks, "it has been started meanwhile"
    with pytest.raises(NotReady, match=r"1 task pod\(s\) still running, first last-task") as caught:
        await rest()
    assert caught.value.retry, "nobody watches task pods"
    assert cluster.deleted == ["last-task"]
    await rest()


async def test_tasks_end_beside_the_components_not_after_them() -> None:
    cluster: Any = Dying()
    cluster.tasks.append(pod("slow", "worker"))
    stages = Stages(cluster, cluster.index, None)  # type: ignore[arg-type]
    with pytest.raises(NotReady, match="scheduler still running"):
        await stages._rest(Stage.COMPONENTS, tenant(state="Hibernated"), [SCHEDULER])
    assert cluster.deleted == ["slow"]
