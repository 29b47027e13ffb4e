"""A request to fetch DAGs now (airflowtenants.io/dag-sync-requested-at).

Every running git-sync container of the tenant gets the signal on which it syncs at once; Airflow then finds
the new tree within its bundles' 5 seconds by itself, so it is not asked (docs/adr/0016). What cannot be told
now (no pod runs yet, the API server refuses) is an Event, and tried again for a while. After the deadline
the request counts as handled, with a Warning: git-sync goes on looking by itself, and new pods fetch anyway.
While the tenant is suspended or hibernates, its request waits.

In a queue of its own, because a node that does not answer may keep a call waiting.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tenant_operator.core import kinds, names
from tenant_operator.core.errors import KubeError, TenantError
from tenant_operator.core.metrics import Metrics
from tenant_operator.core.ports import Clock, Commands, Kube
from tenant_operator.plan import fetch, intent
from tenant_operator.plan.fetch import Target
from tenant_operator.plan.tenant import Tenant, parse
from tenant_operator.reconcile.state import TenantState

log = logging.getLogger(__name__)

#: How long a request is tried (seconds): a roll of the pods fits in.
DEADLINE = 180.0
_FIRST_RETRY = 2.0
_LAST_RETRY = 30.0
#: How long Airflow may take to parse what was fetched (seconds).
_PARSE = 60.0
_AT_ONCE = 8


@dataclass(slots=True)
class _Try:
    """A request under way."""

    value: str
    since: float
    failures: int = 0


class FetchFlow:
    """Tells git-sync. What it remembers of a request may be lost: then it is tried anew."""

    def __init__(self, kube: Kube, commands: Commands, clock: Clock, metrics: Metrics) -> None:
        """Wire the ports together."""
        self._kube = kube
        self._commands = commands
        self._clock = clock
        self._metrics = metrics
        self._tries: dict[str, _Try] = {}

    def forget(self, tenant: str) -> None:
        """Drop a tenant that is gone."""
        self._tries.pop(tenant, None)

    def wanted(self, state: TenantState) -> bool:
        """Whether a request waits that is not being tried: between two tries the delay counts."""
        attempt = self._tries.get(state.name)
        return pending(state) and (attempt is None or attempt.value != _value(state))

    async def run(self, state: TenantState) -> float | None:
        """Try once; returns the seconds until the next try. Once handled, the request is `state.fetched`."""
        tenant = _parse(state)
        if tenant is None or tenant.spec.suspend or tenant.intent.hibernated_by or not pending(state):
            self.forget(state.name)
            return None
        value = tenant.intent.dag_sync
        wanted = fetch.sources(tenant)
        started = time.perf_counter()
        trouble = await self._tell(tenant.namespace, wanted) if wanted else ""
        self._metrics.finished("fetch", "requeue" if trouble else "success", time.perf_counter() - started)
        if not trouble:
            told = (
                f"git-sync of {', '.join(wanted)} fetches now" if wanted else "no DAG source is pulled by Git"
            )
            await self._handled(state, value, "Normal", "DagSyncRequested", told)
            return None
        return await self._again(state, value, trouble)

    async def _tell(self, namespace: str, wanted: Sequence[str]) -> str:
        """Signal all containers; what went wrong, in words, empty when nothing did."""
        try:
            pods = await self._kube.list(kinds.POD, namespace, names.LABEL_TENANT)
        except KubeError as error:
            return f"the pods cannot be listed: {error}"
        targets, absent = fetch.targets(pods, wanted)
        slots = asyncio.Semaphore(_AT_ONCE)

        async def tell(target: Target) -> str:
            async with slots:
                try:
                    await self._commands.run(namespace, target.pod, target.container, fetch.COMMAND)
                except KubeError as error:
                    return f"{target.container} of pod {target.pod} cannot be told: {error.message}"
            return ""

        troubles = [trouble for trouble in await asyncio.gather(*map(tell, targets)) if trouble]
        if absent:
            troubles.append(f"no pod runs git-sync for {', '.join(absent)}")
        return troubles[0] if troubles else ""

    async def _again(self, state: TenantState, value: str, trouble: str) -> float | None:
        now = self._clock.monotonic()
        attempt = self._tries.get(state.name)
        if attempt is None or attempt.value != value:
            attempt = self._tries[state.name] = _Try(value, now)
            await self._kube.event(
                state.raw, "Warning", "DagSyncDelayed", f"{trouble}; tried again for {DEADLINE:.0f} seconds"
            )
        if now - attempt.since >= DEADLINE:
            await self._handled(
                state,
                value,
                "Warning",
                "DagSyncFailed",
                f"given up after {DEADLINE:.0f} seconds: {trouble}; git-sync fetches at its next period",
            )
            return None
        attempt.failures += 1
        log.info("tenant %s: %s", state.name, trouble)
        left = DEADLINE - (now - attempt.since)
        return min(_FIRST_RETRY * 2.0 ** (attempt.failures - 1), _LAST_RETRY, left)

    async def _handled(self, state: TenantState, value: str, kind: str, reason: str, message: str) -> None:
        self._tries.pop(state.name, None)
        state.fetched = value
        state.expecting = max(state.expecting, self._clock.now() + _PARSE)
        await self._kube.event(state.raw, kind, reason, message)


def pending(state: TenantState) -> bool:
    """Whether a request waits. Never raises; the tenant may be suspended or wrong all the same."""
    return _value(state) not in ("", state.fetched, state.status.last_handled_dag_sync_at)


def _value(state: TenantState) -> str:
    return intent.requested(state.raw, names.ANNOTATION_DAG_SYNC)


def _parse(state: TenantState) -> Tenant | None:
    try:
        return parse(state.raw)
    except TenantError:
        return None  # the tenant's own pass tells; when it is mended, the request is still there
