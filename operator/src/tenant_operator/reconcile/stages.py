"""The stages of a release: what is stale is applied, each stage behind the gate of the one before."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from tenant_operator.core import kinds
from tenant_operator.core.errors import ApplyError, ConditionType, NotReady, Reason
from tenant_operator.core.kinds import ObjectId
from tenant_operator.core.ports import Kube
from tenant_operator.plan import hibernation
from tenant_operator.plan.outcome import Finding, Findings
from tenant_operator.plan.release import Release, Stage
from tenant_operator.plan.tenant import Tenant
from tenant_operator.reconcile.apply import Applier
from tenant_operator.reconcile.gates import (
    check_at_work,
    check_components,
    check_database,
    check_ended,
    check_migration,
)
from tenant_operator.reconcile.index import Index
from tenant_operator.reconcile.state import Kept, TenantState
from tenant_operator.reconcile.tasks import end_tasks

_WAITING = frozenset({Reason.DATABASE_STARTING, Reason.MIGRATION_RUNNING})
#: Pause between two looks for task pods on the way to sleep (seconds).
_TASKS_RETRY = 3.0


class Stages:
    """Walks a release through its stages."""

    def __init__(self, kube: Kube, index: Index, applier: Applier) -> None:
        """All state is the tenants' own."""
        self._kube = kube
        self._index = index
        self._applier = applier

    async def run(self, tenant: Tenant, state: TenantState, kept: Kept, findings: Findings) -> None:
        """Apply what is stale, up to the first closed gate; that one raises NotReady.

        A tenant that is to rest goes the other way round: components, migrations, database.
        """
        stale = self._applier.stale(state, kept)
        unpacked: Release | None = None
        if stale:
            unpacked, _ = kept.unpack()
            stale -= await self._monitoring(tenant, state, unpacked, stale, findings)
            # Objects that were applied before and were touched are put back at once, whatever the gates say.
            digests = {id_: digest for id_, _, digest in kept.index}
            known = {id_ for id_ in stale if state.applied.get(id_, ("",))[0] == digests[id_]}
            await self._applier.apply(tenant, state, [p for p in unpacked.objects if p.id in known])
            stale -= known
        resting = bool(tenant.intent.hibernated_by)
        for stage in hibernation.DOWN if resting else tuple(Stage):
            if resting and stage is Stage.MIGRATE:
                check_at_work(self._index.children(tenant.name))
            if unpacked is not None:
                await self._applier.apply(tenant, state, [p for p in unpacked.of(stage) if p.id in stale])
            ids = [id_ for id_, its, _ in kept.index if its is stage]
            if resting:
                await self._rest(stage, tenant, ids)
                continue
            try:
                self._gate(stage, tenant, ids, findings)
            except NotReady as closed:
                if closed.reason in _WAITING:
                    await self._refused_pods(tenant, ids, closed)
                raise

    async def _rest(self, stage: Stage, tenant: Tenant, ids: Sequence[ObjectId]) -> None:
        """Wait until what a stage has taken down has ended: on the way down that is the only gate."""
        staying = hibernation.STAYING.get(stage)
        if staying is None:
            return
        children = self._index.children(tenant.name)
        if stage is not Stage.COMPONENTS:
            check_ended(ids, children, staying)
            return
        try:
            check_ended(ids, children, staying)
        except NotReady:
            await end_tasks(self._kube, tenant)  # beside the components: their grace periods are long
            raise
        # Looked for after the scheduler is known to be gone: until then it may start another one.
        if tasks := await end_tasks(self._kube, tenant):
            # Nobody watches task pods, and they have a grace period of their own.
            raise NotReady(
                f"going to sleep: {len(tasks)} task pod(s) still running, first {tasks[0]}",
                condition=ConditionType.READY,
                reason=Reason.HIBERNATING,
                retry=_TASKS_RETRY,
            )

    async def _monitoring(
        self,
        tenant: Tenant,
        state: TenantState,
        release: Release,
        stale: AbstractSet[ObjectId],
        findings: Findings,
    ) -> AbstractSet[ObjectId]:
        """Apply what watches the tenant, and return its ids. Airflow works without: a refusal closes no gate.

        It stays stale, so that the next pass tries again.
        """
        ours = [planned for planned in release.of(Stage.MONITORING) if planned.id in stale]
        try:
            await self._applier.apply(tenant, state, ours)
        except ApplyError as error:
            findings.gates[ConditionType.MONITORING] = Finding.false(error.reason, str(error))
        return {planned.id for planned in ours}

    def _gate(self, stage: Stage, tenant: Tenant, ids: Sequence[ObjectId], findings: Findings) -> None:
        children = self._index.children(tenant.name)
        if stage is Stage.DATABASE:
            check_database(ids, children)
            findings.gates[ConditionType.DATABASE] = Finding.true("PostgreSQL answers")
        elif stage is Stage.MIGRATE:
            check_migration(ids, children)
            findings.gates[ConditionType.MIGRATIONS] = Finding.true("the schema is that of the image")
        elif stage is Stage.COMPONENTS:
            check_components(ids, children, tenant.intent.commits)
            findings.gates[ConditionType.RELEASE] = Finding.true("all components are up")

    async def _refused_pods(self, tenant: Tenant, ids: Sequence[ObjectId], closed: NotReady) -> None:
        """Raise what the API server says if it refuses the pods of a StatefulSet or Job: quota, policy.

        A Deployment says so in a condition; these two say it only in Events.
        """
        children = self._index.children(tenant.name)
        there = {pod.job or pod.component for pod in children.pods.values()}
        absent = {
            id_.name: found.component
            for id_, found in children.workloads().items()
            if id_ in ids and not found.ready and not there & {id_.name, found.component}
        }
        if not absent:
            return
        told = [
            event
            for event in await self._kube.list(kinds.EVENT, tenant.namespace)
            if event.get("reason") == "FailedCreate"
            and (event.get("involvedObject") or {}).get("name") in absent
        ]
        if not told:
            return
        last = max(told, key=lambda event: str(event.get("lastTimestamp") or ""))
        message = f"{absent[last['involvedObject']['name']]}: {last.get('message', '')}"
        quota = "exceeded quota" in message
        raise NotReady(
            f"{message}: raise spec.quota.hard or ask for less" if quota else message,
            condition=closed.condition,
            reason=Reason.QUOTA_EXCEEDED if quota else Reason.APPLY_REJECTED,
        ) from closed
