from __future__ import annotations

import contextlib
from typing import Any

import pytest
from tests.unit.operator.support import raw, tenant

from tenant_operator.api.status import TenantStatus
from tenant_operator.core import kinds
from tenant_operator.core.errors import (
    ApplyError,
    ConditionType,
    Conflict,
    Forbidden,
    KubeError,
    NotFound,
    Reason,
)
from tenant_operator.core.kinds import Kind, Object, ObjectId
from tenant_operator.core.ports import ChartInfo
from tenant_operator.plan import record
from tenant_operator.plan.release import Planned, Release, Stage
from tenant_operator.reconcile.apply import Applier, namespace_refused, refused
from tenant_operator.reconcile.index import Index
from tenant_operator.reconcile.state import TenantState

CHART = ChartInfo("airflow-tenant", "1", "3.3.2", "d", {"name": "airflow-tenant"})
ID = ObjectId("Deployment", "airflow-payments", "payments-scheduler", "apps")
REFUSALS: list[tuple[KubeError, Reason, str, float]] = [
    (KubeError(0, "reset"), Reason.API_SERVER_UNAVAILABLE, "the Kubernetes API does not answer: reset", 5),
    (KubeError(503, "busy"), Reason.API_SERVER_UNAVAILABLE, "the Kubernetes API does not answer: busy", 5),
    (
        Forbidden(403, "exceeded quota: q"),
        Reason.QUOTA_EXCEEDED,
        "Deployment/payments-scheduler: exceeded quota: q: raise spec.quota.hard or ask for less",
        60,
    ),
    (
        KubeError(422, "replicas: Invalid value"),
        Reason.APPLY_REJECTED,
        "Deployment/payments-scheduler was refused by the Kubernetes API: replicas: Invalid value",
        60,
    ),
    (
        Forbidden(403, "denied by a webhook"),
        Reason.APPLY_REJECTED,
        "Deployment/payments-scheduler was refused by the Kubernetes API: denied by a webhook",
        10,
    ),
    (
        Forbidden(403, "unable to create: namespace x is being terminated"),
        Reason.NAMESPACE_TERMINATING,
        "namespace airflow-payments was deleted: it is made anew when it is gone",
        2,
    ),
    (
        NotFound(404, "namespaces not found"),
        Reason.NAMESPACE_TERMINATING,
        "namespace airflow-payments was deleted: it is made anew when it is gone",
        2,
    ),
]


@pytest.mark.parametrize(("error", "reason", "message", "retry"), REFUSALS, ids=lambda value: str(value)[:30])
def test_what_the_user_reads_of_a_refusal(
    error: KubeError, reason: Reason, message: str, retry: float
) -> None:
    found = refused(ID, error)
    assert (found.reason, found.message, found.retry) == (reason, message, retry)


def test_only_a_wrong_namespace_is_the_spec_s_fault() -> None:
    wrong = namespace_refused("ns", KubeError(422, "metadata.labels: Invalid value"))
    assert (wrong.condition, wrong.reason) == (ConditionType.NAMESPACE, Reason.APPLY_REJECTED)
    assert "check spec.namespace.labels" in wrong.message
    assert namespace_refused("ns", KubeError(500, "x")).reason is Reason.API_SERVER_UNAVAILABLE


class Cluster:
    """Notes writes of Secrets."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.calls: list[tuple[str, str]] = []
        self._fails = fails

    async def create(self, _: Kind, obj: Object) -> Object:
        if self._fails is not None:
            raise self._fails
        self.calls.append(("create", obj["metadata"]["name"]))
        return obj

    async def merge(self, _: Kind, name: str, patch: Object, namespace: str = "", **__: Any) -> Object:
        assert namespace == "airflow-payments"
        self.calls.append((patch["metadata"]["labels"]["status"], name))
        return patch

    async def delete(self, _: Kind, name: str, namespace: str = "", **__: Any) -> bool:
        assert namespace == "airflow-payments"
        self.calls.append(("delete", name))
        return True


class Clock:
    def now(self) -> float:
        return 0.0

    def monotonic(self) -> float:
        return 0.0


def past(*revisions: int, status: str = "superseded", last: str = "deployed", manifest: str = "m") -> Any:
    found = {}
    for revision in revisions:
        made = record.secret(tenant(), CHART, revision=revision, values={"a": 1}, manifest=manifest,
                             first_deployed="", now=0)  # fmt: skip
        made["metadata"]["labels"]["status"] = last if revision == revisions[-1] else status
        found[made["metadata"]["name"]] = made
    return found


async def written(secrets: Any, manifest: str = "m", fails: Exception | None = None) -> tuple[int, Any]:
    cluster = Cluster(fails)
    applier = Applier(cluster, Index(), Clock())  # type: ignore[arg-type]
    release = Release("d", manifest, ())
    revision = await applier.write_record(tenant(), CHART, release, {"a": 1}, secrets)
    return revision, cluster.calls


def name(revision: int) -> str:
    return f"sh.helm.release.v1.payments.v{revision}"


async def test_the_first_release_is_revision_one() -> None:
    assert await written({}) == (1, [("create", name(1))])


async def test_the_same_release_is_not_recorded_again() -> None:
    assert await written(past(1, 2)) == (2, [])


async def test_a_change_supersedes_the_one_before() -> None:
    assert await written(past(1, 2), "other") == (3, [("create", name(3)), ("superseded", name(2))])


async def test_only_the_last_three_are_kept() -> None:
    revision, calls = await written(past(4, 5, 6), "other")
    assert revision == 7
    assert calls == [("create", name(7)), ("superseded", name(6)), ("delete", name(4))]


async def test_what_a_pass_that_was_cut_short_left_is_put_in_order() -> None:
    """Killed between the new record and the old one's new label: two are deployed."""
    assert await written(past(1, 2, status="deployed")) == (2, [("superseded", name(1))])


async def test_a_record_that_somebody_else_wrote_meanwhile_is_looked_at_again_soon() -> None:
    with pytest.raises(ApplyError) as caught:
        await written({}, fails=Conflict(409, "exists"))
    assert caught.value.retry <= 1


class Applying:
    """Answers an apply with an object of the given version, or with an error."""

    def __init__(self, version: int, error: KubeError | None = None) -> None:
        self._version, self._error = version, error

    async def apply(self, _: Kind, obj: Object) -> Object:
        if self._error is not None:
            raise self._error
        return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self._version), "uid": "u"}}


DRIFTS: list[tuple[str, bool, int, KubeError | None, tuple[int, int]]] = [
    ("the first apply is no correction", False, 8, None, (0, 0)),
    ("a foreign change is found and put back", True, 8, None, (1, 1)),
    ("all was as it should be", True, 7, None, (0, 0)),
    ("an admission policy keeps the change", True, 8, Forbidden(403, "denied"), (1, 0)),
    ("an API server that is away tells nothing of drift", True, 8, KubeError(503, "away"), (0, 0)),
]


@pytest.mark.covers("M-07")
@pytest.mark.parametrize(
    ("name", "before", "version", "error", "counted"), DRIFTS, ids=[d[0] for d in DRIFTS]
)
async def test_drift_is_counted_when_something_was_written_over(
    name: str, before: bool, version: int, error: KubeError | None, counted: tuple[int, int]
) -> None:
    metadata = {"name": ID.name, "namespace": ID.namespace, "labels": tenant().labels}
    obj: Object = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {}}
    index, state = Index(), TenantState(raw=raw(), status=TenantStatus())
    seen = {**obj, "metadata": {**metadata, "resourceVersion": "7", "uid": "u"}}
    index.put(kinds.DEPLOYMENT, seen)
    if before:
        state.applied[ID] = ("digest", "version")
    planned = Planned(ID, Stage.COMPONENTS, "digest", obj)
    applier = Applier(Applying(version, error), index, Clock())  # type: ignore[arg-type]
    with contextlib.suppress(ApplyError):
        await applier.apply(tenant(), state, [planned])
    assert (state.drift_detected["Deployment"], state.drift_corrected["Deployment"]) == counted, name


async def test_a_foreign_change_that_cannot_be_put_back_is_one_drift_however_often_it_is_tried() -> None:
    metadata = {"name": ID.name, "namespace": ID.namespace, "labels": tenant().labels}
    obj: Object = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {}}
    index, state = Index(), TenantState(raw=raw(), status=TenantStatus())
    state.applied[ID] = ("digest", "version")
    planned = Planned(ID, Stage.COMPONENTS, "digest", obj)

    def foreign(version: str) -> None:
        seen = {**metadata, "resourceVersion": version, "generation": int(version), "uid": "u"}
        index.put(kinds.DEPLOYMENT, {**obj, "metadata": seen})

    async def tried(error: KubeError | None) -> tuple[int, int]:
        applier = Applier(Applying(20, error), index, Clock())  # type: ignore[arg-type]
        with contextlib.suppress(ApplyError):
            await applier.apply(tenant(), state, [planned])
        return state.drift_detected["Deployment"], state.drift_corrected["Deployment"]

    denied = Forbidden(403, "denied")
    foreign("7")
    assert [await tried(denied) for _ in range(3)] == [(1, 0)] * 3
    foreign("8")  # somebody changes it once more
    assert [await tried(denied) for _ in range(2)] == [(2, 0)] * 2
    assert await tried(None) == (2, 1), "put back at last: no new drift"
    foreign("21")
    assert await tried(denied) == (3, 1)
