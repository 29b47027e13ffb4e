"""One look into one tenant's Airflow: what became of its DAGs, and are its objects as the spec says.

Runs in a queue of its own, so that a slow Airflow delays nobody else. Its result is a view that the
tenant's next pass writes into the status; only the ledger of new names is written from here, before the
objects are made, so that a crash in between cannot orphan them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from tenant_operator.adapters.airflow_sessions import AirflowSessions
from tenant_operator.api.rules import seconds
from tenant_operator.api.status import DagSourceStatus, ObjectCounts, ObjectsStatus, Owned
from tenant_operator.core import kinds, names
from tenant_operator.core.airflow_errors import (
    AirflowError,
    AirflowLoginFailed,
    AirflowUnavailable,
    InvalidObject,
)
from tenant_operator.core.airflow_types import (
    AirflowPort,
    DagFacts,
    Mode,
    ObjectKind,
    OwnedNames,
    SyncResult,
)
from tenant_operator.core.errors import Reason, TenantError
from tenant_operator.core.metrics import Metrics
from tenant_operator.core.ports import Kube
from tenant_operator.plan import secrets, tenant_objects
from tenant_operator.plan.outcome import Finding
from tenant_operator.plan.secrets import Resolved
from tenant_operator.plan.tenant import Tenant, parse
from tenant_operator.reconcile.objects import sync_objects
from tenant_operator.reconcile.state import AirflowView, TenantState

log = logging.getLogger(__name__)

_FIRST_RETRY = 3.0
_LAST_RETRY = 60.0
_DAGS_RETRY = 5.0
_PATIENCE = 2  # failures in a row, about nine seconds


class AirflowFlow:
    """Looks into tenants' Airflows."""

    def __init__(self, kube: Kube, sessions: AirflowSessions, metrics: Metrics) -> None:
        """`sessions` keeps one logged-in client per tenant."""
        self._kube = kube
        self._sessions = sessions
        self._metrics = metrics
        self._failures: dict[str, int] = {}
        self._synced: dict[str, str] = {}

    def forget(self, tenant: str) -> None:
        """Drop a tenant that is gone."""
        self._sessions.forget(tenant)
        self._failures.pop(tenant, None)
        self._synced.pop(tenant, None)

    async def run(self, state: TenantState) -> float | None:
        """Look once and keep the view in the state; returns the seconds until the next look."""
        try:
            tenant = parse(state.raw)
            if tenant.spec.suspend:
                return None
            resolved = await self._resolve(tenant, state)
        except TenantError as error:
            # The tenant's own pass tells what is wrong; it comes back here when that is mended.
            log.debug("tenant %s: %s", state.name, error)
            state.full = True
            return error.retry or None
        try:
            view, again = await self._look(tenant, state, resolved)
        except (AirflowError, InvalidObject, TenantError) as error:
            view, again = self._failed(tenant, state, error)
        else:
            self._failures.pop(tenant.name, None)
        state.airflow = view
        return again

    async def _resolve(self, tenant: Tenant, state: TenantState) -> Resolved:
        listed = await self._kube.list(kinds.SECRET, tenant.namespace)
        resolved = secrets.resolve(tenant, {item["metadata"]["name"]: item for item in listed})
        if dict(resolved.checksums) != dict(state.checksums):
            state.full = True  # a Secret changed: pods that read it must roll
        return resolved

    async def _look(
        self, tenant: Tenant, state: TenantState, resolved: Resolved
    ) -> tuple[AirflowView, float]:
        secret = names.operator_secret(tenant.name)
        port = self._sessions.client(
            tenant.name,
            tenant.namespace,
            names.api_server_service(tenant.name),
            resolved.value(secret, "username"),
            resolved.value(secret, "password"),
        )
        result = await self._sync(tenant, state, resolved, port)
        facts = [await port.dag_facts(source.name) for source in tenant.spec.dags.sources]
        dags, finding = describe_dags(tenant, facts)
        view = AirflowView(
            dags=tuple(dags),
            dags_finding=finding,
            objects=_counts(result),
            objects_finding=describe_objects(tenant, result),
            owned=_ledger(result.owned),
            drift=_drift(tenant, result),
            generation=tenant.generation,
        )
        interval = float(seconds(tenant.spec.sync.interval))
        pending = finding.reason is Reason.DAGS_PENDING
        return view, min(interval, _DAGS_RETRY) if pending else interval

    async def _sync(
        self, tenant: Tenant, state: TenantState, resolved: Resolved, port: AirflowPort
    ) -> SyncResult:
        owned = state.airflow.owned if state.airflow is not None else state.status.owned
        wanted = f"{tenant.generation}:{sorted(resolved.checksums.items())}"

        async def remember(names_: OwnedNames) -> None:
            body = {"status": {"owned": _ledger(names_).model_dump(mode="json", by_alias=True)}}
            await self._kube.merge(kinds.TENANT, tenant.name, body, subresource="status")

        result = await sync_objects(
            port,
            tenant_objects.desired(tenant, resolved),
            OwnedNames.build({kind: getattr(owned, kind.value) for kind in ObjectKind}),
            hmac_key=resolved.value(names.operator_secret(tenant.name), "hmac-key").encode(),
            tenant=tenant.name,
            mode=Mode(tenant.spec.sync.mode),
            prune=tenant.spec.sync.prune,
            spec_unchanged=self._synced.get(tenant.name) == wanted,
            remember=remember,
        )
        if result.ok:
            self._synced[tenant.name] = wanted
        if tenant.spec.sync.mode == "Enforce":
            for difference in result.drift:
                self._metrics.drift.labels(difference.kind.singular).inc()
                await self._kube.event(
                    state.raw,
                    "Warning",
                    "DriftReverted",
                    f"put back {difference} (changed by hand in Airflow)",
                )
        return result

    def _failed(self, tenant: Tenant, state: TenantState, error: Exception) -> tuple[AirflowView, float]:
        failures = self._failures[tenant.name] = self._failures.get(tenant.name, 0) + 1
        before = state.airflow or AirflowView(
            dags=tuple(state.status.dags), objects=state.status.objects, owned=state.status.owned
        )
        view = AirflowView(
            dags=before.dags,
            dags_finding=before.dags_finding,
            objects=before.objects,
            objects_finding=_patient(before, tenant, error, failures) or _explain(tenant, error),
            owned=before.owned,
            drift=before.drift,
            generation=tenant.generation,
        )
        return view, min(_FIRST_RETRY * 2 ** (failures - 1), _LAST_RETRY)


def _patient(before: AirflowView, tenant: Tenant, error: Exception, failures: int) -> Finding | None:
    """A new API server takes a moment to be found, and one that restarts is soon back: don't cry at once."""
    if failures > _PATIENCE or not isinstance(error, AirflowUnavailable):
        return None
    if before.generation == tenant.generation and before.objects_finding.status == "True":
        return before.objects_finding
    return Finding.unknown("waiting for Airflow's API to answer")


def _explain(tenant: Tenant, error: Exception) -> Finding:
    if isinstance(error, AirflowLoginFailed):
        return Finding.false(
            Reason.AIRFLOW_LOGIN_FAILED,
            f"Airflow refuses the operator's user: {error}. Delete Secret "
            f"{names.operator_secret(tenant.name)} in {tenant.namespace} to have it made anew",
        )
    if isinstance(error, AirflowUnavailable):
        return Finding.false(Reason.AIRFLOW_UNAVAILABLE, f"Airflow's API does not answer: {error}")
    if isinstance(error, TenantError):
        return Finding.false(error.reason, error.message)
    return Finding.false(Reason.INVALID_SPEC, str(error))


def describe_dags(tenant: Tenant, facts: Sequence[DagFacts]) -> tuple[list[DagSourceStatus], Finding]:
    """The status of each DAG source, and the condition DagsSynced."""
    by_name = {fact.bundle: fact for fact in facts}
    sources = []
    for source in tenant.spec.dags.sources:
        fact = by_name[source.name]
        sources.append(
            DagSourceStatus(
                name=source.name,
                repo=source.git_sync.repo,
                ref=source.git_sync.ref,
                commit=fact.version,
                dag_count=fact.count,
                import_errors=fact.import_errors,
                first_import_error=fact.first_import_error[:256],
            )
        )
    broken = [source for source in sources if source.import_errors]
    if broken:
        first = broken[0]
        return sources, Finding.true(
            f"{first.import_errors} file(s) of source {first.name} cannot be imported, first "
            f"{first.first_import_error}: the other DAGs run",
            Reason.DAG_IMPORT_ERRORS,
        )
    waiting = [source.name for source in sources if not source.commit and not source.dag_count]
    if waiting:
        return sources, Finding.unknown(
            f"no DAG of source {', '.join(waiting)} has been parsed yet: is its subPath right?",
            Reason.DAGS_PENDING,
        )
    count = sum(source.dag_count for source in sources)
    return sources, Finding.true(f"{count} DAG(s) parsed" if sources else "no DAG source in the spec")


def describe_objects(tenant: Tenant, result: SyncResult) -> Finding:
    """The condition ObjectsSynced."""
    if result.errors:
        first = result.errors[0]
        more = f"; and {len(result.errors) - 1} more" if len(result.errors) > 1 else ""
        return Finding.false(
            Reason.OBJECTS_REJECTED, f"Airflow refuses spec.{first.kind.value}: {first}{more}"
        )
    if tenant.spec.sync.mode == "Observe" and result.drift:
        return Finding.false(
            Reason.OBJECTS_DRIFTED, f"spec.sync.mode is Observe and Airflow differs: {_drift(tenant, result)}"
        )
    total = sum(counts.desired for counts in result.counts.values())
    warning = f"; {result.warnings[0]}" if result.warnings else ""
    return Finding.true(f"{total} object(s) are as the spec says{warning}")


def _drift(tenant: Tenant, result: SyncResult) -> str:
    if tenant.spec.sync.mode != "Observe":
        return ""
    return "; ".join(str(difference) for difference in result.drift[:5])


def _counts(result: SyncResult) -> ObjectsStatus:
    return ObjectsStatus(
        **{
            kind.value: ObjectCounts(desired=count.desired, in_sync=count.in_sync, failed=count.failed)
            for kind, count in result.counts.items()
        }
    )


def _ledger(owned: OwnedNames) -> Owned:
    return Owned(**{kind.value: sorted(owned.of(kind)) for kind in ObjectKind})
