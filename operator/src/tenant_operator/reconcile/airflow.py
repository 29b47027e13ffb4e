"""One look into one tenant's Airflow: what became of its DAGs, and are its objects as the spec says.

Runs in a queue of its own, so that a slow Airflow delays nobody else. Its result is a view that the
tenant's next pass writes into the status; only the ledger of new names is written from here, before the
objects are made, so that a crash in between cannot orphan them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from tenant_operator.adapters.airflow_sessions import AirflowSessions
from tenant_operator.adapters.git_sync import GitSyncMetrics
from tenant_operator.api.airflow import DagSource
from tenant_operator.api.rules import seconds
from tenant_operator.api.status import Owned
from tenant_operator.core import kinds, names
from tenant_operator.core.airflow_errors import AirflowError, InvalidObject
from tenant_operator.core.airflow_types import (
    AirflowPort,
    Difference,
    Mode,
    ObjectKind,
    OwnedNames,
    SyncResult,
)
from tenant_operator.core.errors import ConditionType, KubeError, Reason, TenantError
from tenant_operator.core.metrics import Metrics
from tenant_operator.core.ports import Kube
from tenant_operator.plan import airflow_status, git_sync, intent, secrets, tenant_objects
from tenant_operator.plan.secrets import Resolved
from tenant_operator.plan.tenant import Tenant, parse
from tenant_operator.reconcile import trouble
from tenant_operator.reconcile.index import Index
from tenant_operator.reconcile.objects import sync_objects
from tenant_operator.reconcile.state import AirflowView, Edition, TenantState

log = logging.getLogger(__name__)

_FIRST_RETRY = 3.0
_LAST_RETRY = 60.0
_DAGS_RETRY = 5.0


class AirflowFlow:
    """Looks into tenants' Airflows."""

    def __init__(
        self,
        kube: Kube,
        sessions: AirflowSessions,
        metrics: Metrics,
        index: Index | None = None,
        git: GitSyncMetrics | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`sessions` keeps one logged-in client per tenant; without `index` and `git` Git is not judged.

        `now` gives the seconds since the epoch.
        """
        self._now = now
        self._kube = kube
        self._sessions = sessions
        self._metrics = metrics
        self._failures: dict[str, int] = {}
        self._synced: dict[str, str] = {}
        self._index = index
        self._git = git
        self._git_seen: dict[str, dict[str, git_sync.Seen]] = {}
        self._drifting: dict[str, frozenset[Difference]] = {}

    def forget(self, tenant: str) -> None:
        """Drop a tenant that is gone."""
        self._sessions.forget(tenant)
        self._failures.pop(tenant, None)
        self._synced.pop(tenant, None)
        self._git_seen.pop(tenant, None)
        self._drifting.pop(tenant, None)

    async def run(self, state: TenantState) -> float | None:
        """Look once and keep the view in the state; returns the seconds until the next look.

        Whatever fails ends in the view, and so in the tenant's status.
        """
        edition = state.edition  # an edit may arrive meanwhile: this look knows nothing of it
        started, result = time.perf_counter(), "error"
        try:
            delay = await self._attempt(state, edition)
            result = "success"
        except (AirflowError, InvalidObject, TenantError, KubeError) as error:
            if intent.hibernated(state.raw):  # told to sleep during the look: no failure
                return None
            delay = self._failed(state, edition, error)
        except Exception as error:  # raising would leave the old view in the status
            log.exception("tenant %s: the look into its Airflow failed", state.name)
            delay = self._failed(state, edition, error)
        self._metrics.finished("airflow", result, time.perf_counter() - started)
        if result == "error":
            self._metrics.retries.labels("airflow").inc()
        return delay

    async def _attempt(self, state: TenantState, edition: Edition) -> float | None:
        try:
            tenant = parse(state.raw, state.known)
            if tenant.spec.suspend or tenant.intent.hibernated_by:
                return None
            resolved = await self._resolve(tenant, state)
        except TenantError as error:
            # The tenant's own pass tells what is wrong; it comes back here when that is mended.
            log.debug("tenant %s: %s", state.name, error)
            state.full = True
            return error.retry or None
        state.airflow, again = await self._look(tenant, state, resolved, edition)
        self._failures.pop(tenant.name, None)
        return again

    async def _resolve(self, tenant: Tenant, state: TenantState) -> Resolved:
        listed = await self._kube.list(kinds.SECRET, tenant.namespace)
        resolved = secrets.resolve(tenant, {item["metadata"]["name"]: item for item in listed})
        if dict(resolved.checksums) != dict(state.checksums):
            state.full = True  # a Secret changed: pods that read it must roll
        return resolved

    async def _look(
        self, tenant: Tenant, state: TenantState, resolved: Resolved, edition: Edition
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
        unreachable = await self._unreachable(tenant, state, {fact.bundle: fact.version for fact in facts})
        before = _known(state)
        dags, finding = airflow_status.describe_dags(tenant, facts, unreachable, before.dags)
        view = AirflowView(
            dags=tuple(dags),
            dags_finding=finding,
            objects=airflow_status.counts(result),
            objects_finding=airflow_status.describe_objects(tenant, result),
            owned=airflow_status.ledger(result.owned),
            drift=airflow_status.drift(tenant, result),
            edition=edition,
            answered=edition.written,
        )
        interval = float(seconds(tenant.spec.sync.interval))
        pending = self._expecting(state, view) or finding.reason is Reason.DAGS_PENDING
        return view, min(interval, _DAGS_RETRY) if pending else interval

    def _expecting(self, state: TenantState, view: AirflowView) -> bool:
        """Whether Airflow will soon parse another commit, and has not done so yet."""
        before, after = (
            {source.name: source.commit for source in dags} for dags in (_known(state).dags, view.dags)
        )
        if before != after:
            state.expecting = 0.0
        return self._now() < state.expecting

    async def _unreachable(
        self, tenant: Tenant, state: TenantState, parsed: Mapping[str, str]
    ) -> frozenset[str]:
        """The sources whose repository git-sync can no longer fetch. Notes how Airflow follows each."""
        git = self._git
        if git is None or self._index is None:
            return frozenset()
        addresses = self._index.children(tenant.name).addresses()
        before = self._git_seen.get(tenant.name, {})

        async def look(index: int, source: DagSource, key: str) -> git_sync.Seen:
            old = before.get(key) or git_sync.Seen(failing=_told_unreachable(state, source.name))
            address = old.address if old.address in addresses else next(iter(addresses), "")
            text = await git.read(address, index) if address else ""
            return git_sync.judge(old, address, git_sync.parse(text))

        # git-sync's port tells by the place in the whole list, as in the chart
        sources = [(i, source) for i, source in enumerate(tenant.spec.dags.sources) if source.git_sync]
        # Another port is another git-sync, and one that fetches something else has a history of its own.
        keys = [f"{index}:{source.model_dump_json()}" for index, source in sources]
        seen = await asyncio.gather(
            *(look(index, source, key) for (index, source), key in zip(sources, keys, strict=True))
        )
        self._git_seen[tenant.name] = dict(zip(keys, seen, strict=True))
        old = {key: revision for key, revision in state.revisions.items() if key in parsed}
        for (_, source), key, now in zip(sources, keys, seen, strict=True):
            last = before.get(key, git_sync.Seen())
            old[source.name] = git_sync.follow(
                old.get(source.name), parsed.get(source.name, ""), last, now, self._now()
            )
        state.revisions = old
        return frozenset(
            source.name for (_, source), found in zip(sources, seen, strict=True) if found.failing
        )

    async def _sync(
        self, tenant: Tenant, state: TenantState, resolved: Resolved, port: AirflowPort
    ) -> SyncResult:
        owned = _known(state).owned
        wanted = f"{tenant.generation}:{sorted(resolved.checksums.items())}"

        async def remember(names_: OwnedNames) -> None:
            await self._remember(state, airflow_status.ledger(names_))

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
        self._count_drift(tenant, state, result)
        if tenant.spec.sync.mode == "Enforce":
            for difference in result.drift:
                await self._kube.event(
                    state.raw,
                    "Warning",
                    "DriftReverted",
                    f"put back {difference} (changed by hand in Airflow)",
                )
        return result

    def _count_drift(self, tenant: Tenant, state: TenantState, result: SyncResult) -> None:
        """Observe mode shows a difference at every look until somebody acts: it is counted once."""
        observe = tenant.spec.sync.mode == "Observe"
        before = self._drifting.get(tenant.name, frozenset())
        for difference in result.drift:
            kind = difference.kind.singular
            if observe:
                state.drift_detected[kind] += difference not in before
            else:
                state.drift_detected[kind] += 1
                state.drift_corrected[kind] += 1
        self._drifting[tenant.name] = frozenset(result.drift if observe else ())

    async def _remember(self, state: TenantState, ledger: Owned) -> None:
        """Store a ledger ahead of the writes; a status that is written meanwhile says the same.

        `state.status.owned` is what the server holds, or may hold: if the answer was lost, the next
        status differs from it and puts the server right. `state.airflow.owned` is what counts.
        """
        before = _known(state).owned
        state.status = state.status.model_copy(update={"owned": ledger})
        if state.airflow is not None:
            state.airflow = replace(state.airflow, owned=ledger)
        body = {"status": {"owned": ledger.model_dump(mode="json", by_alias=True)}}
        try:
            await self._kube.merge(kinds.TENANT, state.name, body, subresource="status")
        except KubeError:
            state.airflow = replace(_known(state), owned=before)
            raise

    def _failed(self, state: TenantState, edition: Edition, error: Exception) -> float:
        """Keep what is known, the ledger that this look may have remembered included, and tell the error."""
        failures = self._failures[state.name] = self._failures.get(state.name, 0) + 1
        before = _known(state)
        state.airflow = replace(
            before,
            objects_finding=trouble.patient(before, edition.generation, error, failures)
            or trouble.explain(state, error),
            edition=edition,
        )
        return min(_FIRST_RETRY * (1 << min(failures - 1, 10)), _LAST_RETRY)


def _known(state: TenantState) -> AirflowView:
    """The last view; before the first look, what the status says."""
    status = state.status
    return state.airflow or AirflowView(
        dags=tuple(status.dags), objects=status.objects, owned=status.owned, drift=status.drift
    )


def _told_unreachable(state: TenantState, source: str) -> bool:
    told = state.status.condition(ConditionType.DAGS)
    failed = told is not None and told.reason == Reason.GIT_SYNC_FAILED
    return failed and told is not None and git_sync.place(source) in told.message
