"""A request to fetch DAGs now (airflowtenants.io/dag-sync-requested-at).

Every running git-sync container of the tenant gets the signal on which it syncs at once; Airflow then finds
the new tree within its bundles' 5 seconds by itself, so it is not asked (docs/adr/0016). What cannot be told
now (no pod runs, the API server refuses) is an Event, and tried again for a while. After the deadline the
request counts as handled, with a Warning: git-sync goes on looking by itself, and new pods fetch anyway.
While the tenant is suspended or hibernates its request waits, and until its release has come up for the first
time or after a rest: what is about to start is no failure.

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
from tenant_operator.plan.hibernation import State
from tenant_operator.plan.tenant import Tenant, parse
from tenant_operator.reconcile.state import Fetching, TenantState

log = logging.getLogger(__name__)

#: How long a request is tried (seconds): a roll of the pods fits in.
DEADLINE = 180.0
_FIRST_RETRY = 2.0
_LAST_RETRY = 30.0
#: How long Airflow may take to parse what was fetched (seconds).
_PARSE = 60.0
_AT_ONCE = 8
#: Task pods, by the hundred in a busy hour, run no git-sync.
_PODS = f"{names.LABEL_TENANT},{names.LABEL_COMPONENT}!=worker"


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Why not everybody was told."""

    words: str
    #: some have just begun and are told in a moment: nothing is wrong
    starting: bool = False


class FetchFlow:
    """Tells git-sync. What is remembered of a request is in `state.fetching`; lost, it is tried anew."""

    def __init__(self, kube: Kube, commands: Commands, clock: Clock, metrics: Metrics) -> None:
        """Wire the ports together."""
        self._kube = kube
        self._commands = commands
        self._clock = clock
        self._metrics = metrics

    def wanted(self, state: TenantState) -> bool:
        """Whether a request waits that is not being tried: between two tries the delay counts."""
        attempt = state.fetching
        return pending(state) and _up(state) and (attempt is None or attempt.value != _value(state))

    async def run(self, state: TenantState) -> float | None:
        """Try once; returns the seconds until the next try. Once handled, the request is `state.fetched`."""
        tenant = _asking(state)
        if tenant is None:
            state.fetching = None
            return None
        value = tenant.intent.dag_sync
        wanted = fetch.sources(tenant)
        started = time.perf_counter()
        trouble = await self._tell(tenant.namespace, wanted) if wanted else None
        if trouble is not None and not _asks(state, value):
            # Taken back, replaced or laid to rest meanwhile: nobody is warned of it any more, and the pass
            # that the change has started brings back what is still to be done.
            state.fetching = None
            self._metrics.finished("fetch", "requeue", time.perf_counter() - started)
            return None
        delay = await self._again(state, value, trouble) if trouble else None
        result = "success" if trouble is None else "error" if delay is None else "requeue"
        self._metrics.finished("fetch", result, time.perf_counter() - started)
        if trouble is not None and not trouble.starting:
            self._metrics.retries.labels("fetch").inc()
        if trouble is None:
            told = (
                f"git-sync of {', '.join(wanted)} fetches now" if wanted else "no DAG source is pulled by Git"
            )
            await self._handled(state, value, "Normal", "DagSyncRequested", told)
        return delay

    async def _tell(self, namespace: str, wanted: Sequence[str]) -> _Trouble | None:
        """Signal all containers; what went wrong, or who is not ready to be told yet."""
        try:
            pods = await self._kube.list(kinds.POD, namespace, _PODS)
        except KubeError as error:
            return _Trouble(f"the pods cannot be listed: {error}")
        audience = fetch.audience(pods, wanted, self._clock.now())
        slots = asyncio.Semaphore(_AT_ONCE)

        async def tell(target: Target) -> str:
            async with slots:
                try:
                    await self._commands.run(namespace, target.pod, target.container, fetch.COMMAND)
                except KubeError as error:
                    return f"{target.container} of pod {target.pod} cannot be told: {error.message}"
            return ""

        async with asyncio.TaskGroup() as group:  # a mistake of ours leaves none running behind
            told = [group.create_task(tell(target)) for target in audience.found]
        troubles = [trouble for task in told if (trouble := task.result())]
        if audience.absent:
            troubles.append(f"no pod runs git-sync for {', '.join(audience.absent)}")
        if troubles:
            return _Trouble(troubles[0])
        if audience.young:
            first = audience.young[0]
            return _Trouble(f"{first.container} of pod {first.pod} has just started", starting=True)
        return None

    async def _again(self, state: TenantState, value: str, found: _Trouble) -> float | None:
        """Note a try that told not everybody; seconds to the next one, None when it was the last."""
        now, trouble = self._clock.monotonic(), found.words
        attempt = state.fetching
        if attempt is None or attempt.value != value:
            attempt = state.fetching = Fetching(value, now)
        if now - attempt.since >= DEADLINE:
            await self._handled(
                state,
                value,
                "Warning",
                "DagSyncFailed",
                f"given up after {DEADLINE:.0f} seconds: {trouble}; git-sync fetches at its next period",
            )
            return None
        log.info("tenant %s: %s", state.name, trouble)
        left = DEADLINE - (now - attempt.since)
        if found.starting:
            return min(fetch.SETTLE, left)
        if not attempt.told:
            attempt.told = True
            await self._kube.event(
                state.raw, "Warning", "DagSyncDelayed", f"{trouble}; tried again for {DEADLINE:.0f} seconds"
            )
        attempt.failures += 1
        return min(_FIRST_RETRY * 2.0 ** (attempt.failures - 1), _LAST_RETRY, left)

    async def _handled(self, state: TenantState, value: str, kind: str, reason: str, message: str) -> None:
        state.fetching, state.fetched = None, value
        state.expecting = max(state.expecting, self._clock.now() + _PARSE)
        await self._kube.event(state.raw, kind, reason, message)


def pending(state: TenantState) -> bool:
    """Whether a request waits. Never raises; the tenant may be suspended or wrong all the same."""
    return _value(state) not in ("", state.fetched, state.status.last_handled_dag_sync_at)


def _asks(state: TenantState, value: str) -> bool:
    """Whether it is still this request that is to be carried out now."""
    tenant = _asking(state)
    return tenant is not None and tenant.intent.dag_sync == value


def _up(state: TenantState) -> bool:
    """Whether the release has come up, for the first time or after a rest. A new pod fetches by itself."""
    return state.status.release.revision > 0 and state.status.state in {"", State.RUNNING}


def _value(state: TenantState) -> str:
    return intent.requested(state.raw, names.ANNOTATION_DAG_SYNC)


def _asking(state: TenantState) -> Tenant | None:
    """The tenant, if its request is to be carried out now."""
    try:
        tenant = parse(state.raw, state.known)
    except TenantError:
        return None  # the tenant's own pass tells; when it is mended, the request is still there
    resting = tenant.spec.suspend or tenant.intent.hibernated_by or not _up(state)
    leaving = state.raw["metadata"].get("deletionTimestamp")
    return None if resting or leaving or not pending(state) else tenant
