"""Ends a deleted tenant by its deletion policy. Every pass may be the first or the tenth.

Retain: workloads and everything rendered go; the namespace, the database's volume and the generated
Secrets stay, labelled, and a new tenant of the same name takes them up again. Delete: the namespace goes
with all in it. After the deadline the tenant says what is still in the way; it keeps trying.
"""

from __future__ import annotations

import logging
from datetime import datetime

from tenant_operator.core import kinds, names
from tenant_operator.core.errors import Conflict, DeletionBlocked, NotFound, NotReady, Reason
from tenant_operator.core.kinds import Object, ObjectId
from tenant_operator.core.ports import Clock, Kube
from tenant_operator.core.settings import Settings
from tenant_operator.plan import bootstrap, record
from tenant_operator.reconcile import retention
from tenant_operator.reconcile.index import Index
from tenant_operator.reconcile.state import TenantState

log = logging.getLogger(__name__)

_RETRY = 2.0


class Finalizer:
    """Removes what a tenant had, then the finalizer."""

    def __init__(self, kube: Kube, index: Index, clock: Clock, settings: Settings) -> None:
        """`settings.deletion_deadline`: seconds after which a deletion counts as blocked."""
        self._kube = kube
        self._index = index
        self._clock = clock
        self._settings = settings

    async def run(self, state: TenantState) -> None:
        """One step towards the end; raises NotReady or DeletionBlocked while something is left."""
        metadata = state.raw["metadata"]
        if names.FINALIZER not in (metadata.get("finalizers") or []):
            return
        spec = state.raw.get("spec") or {}
        namespace = (
            state.status.namespace
            or (spec.get("namespace") or {}).get("name")
            or names.default_namespace(state.name)
        )
        if await self._ours(state.name, namespace):
            await self._ensure_rights(state.name, namespace)
            left = await self._end_components(state, namespace)
            if not left and spec.get("deletionPolicy") == "Delete":
                left = await self._delete_namespace(namespace)
            elif not left:
                left = await self._delete_release(state, namespace)
            if left:
                self._wait(state, left)
            if spec.get("deletionPolicy") != "Delete":
                await self._tell_what_stays(state, namespace)
        await self._remove_finalizer(state)

    async def _ours(self, tenant: str, namespace: str) -> bool:
        """A tenant that never got its namespace must not touch somebody else's."""
        try:
            live = await self._kube.get(kinds.NAMESPACE, namespace)
        except NotFound:
            return False
        return (live["metadata"].get("annotations") or {}).get(names.ANNOTATION_TENANT) == tenant

    async def _ensure_rights(self, tenant: str, namespace: str) -> None:
        """A tenant suspended from its first moment has no binding yet, and somebody may have removed it."""
        binding = bootstrap.operator_binding(
            tenant, namespace, {}, self._settings.operator_namespace, self._settings.service_account
        )
        known = self._index.children(tenant).objects
        if self._settings.service_account and ObjectId.of(binding) not in known:
            self._index.put(kinds.ROLE_BINDING, await self._kube.apply(kinds.ROLE_BINDING, binding))

    async def _delete_namespace(self, namespace: str) -> list[str]:
        await self._kube.delete(kinds.NAMESPACE, namespace)
        try:
            live = await self._kube.get(kinds.NAMESPACE, namespace)
        except NotFound:
            return []
        conditions = (live.get("status") or {}).get("conditions") or []
        words = [str(c.get("message", "")) for c in conditions if c.get("status") == "True"]
        return [f"namespace {namespace}" + (f" ({'; '.join(words)})" if words else "")]

    async def _end_components(self, state: TenantState, namespace: str) -> list[str]:
        """First Airflow's pods: without database and network they would hang for their grace period.

        Task pods have no owner that would take them along, and failed ones are kept for their logs.
        """
        owners = [
            id_
            for id_ in self._release_objects(state, namespace)
            if id_.kind in {kinds.DEPLOYMENT.kind, kinds.JOB.kind}
        ]
        for id_ in owners:
            await self._delete(id_)
        pods = await self._kube.list(
            kinds.POD, namespace, f"{names.LABEL_TENANT}={state.name},{names.LABEL_COMPONENT}!=postgresql"
        )
        for pod in pods:
            metadata = pod["metadata"]
            if metadata["labels"].get(names.LABEL_COMPONENT) == "worker" and not metadata.get(
                "deletionTimestamp"
            ):
                await self._kube.delete(kinds.POD, metadata["name"], namespace, uid=metadata["uid"])
        left = set(self._release_objects(state, namespace))
        return [
            *(id_.label for id_ in owners if id_ in left),
            *(f"Pod/{pod['metadata']['name']}" for pod in pods),
        ]

    async def _delete_release(self, state: TenantState, namespace: str) -> list[str]:
        for id_ in self._release_objects(state, namespace):
            await self._delete(id_)
        left = []
        for kind in (*kinds.WORKLOADS, kinds.POD):
            listed = await self._kube.list(kind, namespace, f"{names.LABEL_TENANT}={state.name}")
            left += [f"{kind.kind}/{item['metadata']['name']}" for item in listed]
        return left

    async def _delete(self, id_: ObjectId) -> None:
        kind = kinds.kind_of(id_)
        if kind in kinds.MANAGED:
            await self._kube.delete(kind, id_.name, id_.namespace)

    def _release_objects(self, state: TenantState, namespace: str) -> list[ObjectId]:
        live = self._index.children(state.name).objects
        own = [id_ for id_ in live if id_.namespace == namespace and id_.name != names.OPERATOR_BINDING]
        return sorted(own, reverse=True)

    async def _tell_what_stays(self, state: TenantState, namespace: str) -> None:
        records = await self._kube.list(kinds.SECRET, namespace, f"owner=helm,name={state.name}")
        for item in records:
            if item.get("type") == record.TYPE:
                await self._kube.delete(kinds.SECRET, item["metadata"]["name"], namespace)
        kept = await retention.mark(self._kube, state.name, namespace, retained=True)
        await self._kube.event(
            state.raw,
            "Normal",
            "DataRetained",
            f"kept namespace {namespace} with {', '.join(kept) or 'nothing in it'}: a tenant named "
            f"{state.name} takes it up again; delete the namespace to remove the data",
        )

    def _wait(self, state: TenantState, left: list[str]) -> None:
        words = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
        since = datetime.fromisoformat(str(state.raw["metadata"]["deletionTimestamp"]))
        age = self._clock.now() - since.timestamp()
        if age > self._settings.deletion_deadline:
            raise DeletionBlocked(
                f"still there {age / 60:.0f} min after the deletion: {words}. Find what holds it "
                "(finalizers, a stuck pod or volume) and remove that"
            )
        raise NotReady(f"deleting: {words}", reason=Reason.DELETING, retry=_RETRY)

    async def _remove_finalizer(self, state: TenantState) -> None:
        metadata = state.raw["metadata"]
        rest = [item for item in metadata["finalizers"] if item != names.FINALIZER]
        patch: Object = {"metadata": {"finalizers": rest, "resourceVersion": metadata["resourceVersion"]}}
        try:
            # With this answer kept, a pass that comes before the watch's DELETED finds nothing left to do.
            state.raw = await self._kube.merge(kinds.TENANT, state.name, patch)
        except NotFound:
            return
        except Conflict as error:
            now = await self._kube.get(kinds.TENANT, state.name)
            if now["metadata"]["uid"] != metadata["uid"]:
                return  # a new tenant of the same name: not this one's end
            state.raw = now
            raise NotReady("the tenant changed meanwhile", reason=Reason.DELETING, retry=0.2) from error
        log.info("tenant %s is gone", state.name)
