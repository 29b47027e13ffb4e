"""Writes a release to the cluster: what differs is applied, what left is pruned, Helm is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from tenant_operator.core import kinds
from tenant_operator.core.errors import (
    ApplyError,
    ConditionType,
    Conflict,
    Forbidden,
    KubeError,
    NotFound,
    Reason,
    TenantError,
    unavailable,
)
from tenant_operator.core.kinds import Object, ObjectId
from tenant_operator.core.ports import ChartInfo, Clock, Kube
from tenant_operator.plan import record
from tenant_operator.plan.release import Planned, Release
from tenant_operator.plan.tenant import Tenant
from tenant_operator.reconcile.index import Index, version_of
from tenant_operator.reconcile.state import Kept, TenantState

log = logging.getLogger(__name__)

_AT_ONCE = 8


class Applier:
    """Applies, repairs and prunes the objects of releases."""

    def __init__(self, kube: Kube, index: Index, clock: Clock) -> None:
        """All state is the tenants' own."""
        self._kube = kube
        self._index = index
        self._clock = clock

    def stale(self, state: TenantState, kept: Kept) -> set[ObjectId]:
        """Objects that differ from the release: never applied, changed in it, touched by others or gone."""
        live = self._index.children(state.name).objects
        found = set()
        for id_, _, digest in kept.index:
            applied = state.applied.get(id_)
            child = live.get(id_)
            if applied is None or applied[0] != digest or child is None or child.version != applied[1]:
                found.add(id_)
        return found

    async def apply(self, tenant: Tenant, state: TenantState, planned: Iterable[Planned]) -> None:
        """Server-side apply of some objects; raises ApplyError for the first that is refused."""
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(item: Planned) -> None:
            async with slots:
                await self._apply(tenant, state, item)

        # All of them get their turn: one that is refused must not keep the others away.
        results = await asyncio.gather(*(one(item) for item in planned), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _apply(self, tenant: Tenant, state: TenantState, planned: Planned) -> None:
        kind = kinds.kind_of(planned.id)
        if kind is None:  # pragma: no cover - plan.release refuses strangers
            raise ApplyError(f"unknown kind {planned.id.kind}")
        known = state.applied.get(planned.id)
        again = known is not None and known[0] == planned.digest
        child = self._index.children(tenant.name).objects.get(planned.id)
        # What was refused is tried again and again: each foreign version is one drift, not each attempt.
        foreign = child.version if child is not None else ""
        counted = state.refused.get(planned.id) == foreign
        try:
            live = await self._kube.apply(kind, planned.object)
        except KubeError as error:
            if again and 400 <= error.status < 500:
                state.drift_detected[kind.kind] += not counted
                state.refused[planned.id] = foreign
            raise refused(planned.id, error) from error
        # An apply that found all as it should be leaves the resourceVersion where the watch saw it.
        wrote = child is None or int(live["metadata"]["resourceVersion"]) != child.resource_version
        state.refused.pop(planned.id, None)
        if again and wrote:
            state.drift_detected[kind.kind] += not counted
            state.drift_corrected[kind.kind] += 1
            log.info("put back %s of tenant %s", planned.id.label, tenant.name)
        self._index.put(kind, live)
        state.applied[planned.id] = (planned.digest, version_of(kind, live))

    async def prune(self, tenant: Tenant, state: TenantState, release: Release) -> None:
        """Delete what an earlier release had and this one has not; never anything that holds data."""
        wanted = {planned.id for planned in release.objects}
        live = self._index.children(tenant.name).objects
        before = {ObjectId.parse(entry) for entry in state.status.inventory} | set(state.applied)
        for id_ in sorted(before - wanted):
            kind = kinds.kind_of(id_)
            child = live.get(id_)
            if kind in kinds.MANAGED and child is not None and id_.namespace == tenant.namespace:
                await self._kube.delete(kind, id_.name, id_.namespace, uid=child.uid)
                log.info("pruned %s of tenant %s", id_.label, tenant.name)
            state.applied.pop(id_, None)
            state.refused.pop(id_, None)

    async def write_record(
        self,
        tenant: Tenant,
        chart: ChartInfo,
        release: Release,
        values: Mapping[str, Any],
        secrets: Mapping[str, Object],
    ) -> int:
        """Store a deployed revision in Helm's format and keep the last few; returns its number."""
        past = record.records(secrets, tenant.name)
        if past:
            newest = record.unpack(past[-1])
            same = newest.get("manifest") == release.manifest and newest.get("config") == dict(values)
            if same and newest["info"].get("status") == "deployed":
                await self._supersede(tenant, past[:-1])  # a pass that was cut short may have left them
                return record.revision_of(past[-1])
        revision = record.revision_of(past[-1]) + 1 if past else 1
        now = self._clock.now()
        new = record.secret(
            tenant,
            chart,
            revision=revision,
            values=values,
            manifest=release.manifest,
            first_deployed=str(record.unpack(past[0]).get("info", {}).get("first_deployed", ""))
            if past
            else "",
            now=now,
        )
        try:
            await self._kube.create(kinds.SECRET, new)
            await self._supersede(tenant, past)
            for old in past[: max(0, len(past) + 1 - record.HISTORY)]:
                await self._kube.delete(kinds.SECRET, old["metadata"]["name"], tenant.namespace)
        except Conflict as error:
            raise ApplyError(f"the Helm record v{revision} appeared meanwhile: {error}", retry=1.0) from error
        return revision

    async def _supersede(self, tenant: Tenant, past: Iterable[Object]) -> None:
        for old in past:
            if (old["metadata"].get("labels") or {}).get("status") == "deployed":
                name = old["metadata"]["name"]
                await self._kube.merge(kinds.SECRET, name, record.superseded(old), tenant.namespace)


def namespace_refused(namespace: str, error: KubeError) -> TenantError:
    """What to tell the user when the API server does not take the namespace as the spec wants it."""
    if error.status != 422:
        return unavailable(error)
    return ApplyError(
        f"namespace {namespace} was refused by the Kubernetes API: {error.message}: "
        "check spec.namespace.labels and spec.namespace.annotations",
        condition=ConditionType.NAMESPACE,
    )


def refused(id_: ObjectId, error: KubeError) -> ApplyError:
    """What to tell the user when the API server does not take an object."""
    if error.status == 0 or error.status >= 500:
        return ApplyError(
            f"the Kubernetes API does not answer: {error.message}",
            reason=Reason.API_SERVER_UNAVAILABLE,
            retry=5.0,
        )
    if isinstance(error, Forbidden) and "exceeded quota" in error.message:
        return ApplyError(
            f"{id_.label}: {error.message}: raise spec.quota.hard or ask for less",
            reason=Reason.QUOTA_EXCEEDED,
        )
    if kinds.kind_of(id_) in kinds.OPTIONAL and "page not found" in error.message:
        return ApplyError(f"{id_.label}: the cluster has lost this kind of object", retry=10.0)
    if isinstance(error, NotFound) or "is being terminated" in error.message:
        return ApplyError(
            f"namespace {id_.namespace} was deleted: it is made anew when it is gone",
            condition=ConditionType.NAMESPACE,
            reason=Reason.NAMESPACE_TERMINATING,
            retry=2.0,
        )
    # A namespace on its way out loses the operator's rights first: the next look at it tells.
    retry = 10.0 if isinstance(error, Forbidden) else None
    return ApplyError(f"{id_.label} was refused by the Kubernetes API: {error.message}", retry=retry)
