"""Holds everything together: events come in, tenants go through their passes, one at a time each.

Four queues: for Kubernetes, for the objects in the tenants' Airflows, for the health of their components, and
for fetches of DAGs that somebody asked for. A slow or dead Airflow or node keeps a worker of the latter three
busy, and no tenant's pass waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Iterable, Mapping
from typing import Any

from tenant_operator.core import names
from tenant_operator.core.errors import Forbidden, KubeError, TenantError, unavailable
from tenant_operator.core.metrics import Metrics
from tenant_operator.core.settings import Settings
from tenant_operator.plan.outcome import Findings
from tenant_operator.plan.tenant import parse_status
from tenant_operator.reconcile import requests
from tenant_operator.reconcile.airflow import AirflowFlow
from tenant_operator.reconcile.fetch import FetchFlow
from tenant_operator.reconcile.finalize import Finalizer
from tenant_operator.reconcile.flow import Flow
from tenant_operator.reconcile.health import HealthFlow, probed
from tenant_operator.reconcile.index import Index
from tenant_operator.reconcile.queue import WorkQueue
from tenant_operator.reconcile.state import TenantState
from tenant_operator.reconcile.watches import Watches

log = logging.getLogger(__name__)

_LAG_PERIOD = 1.0
_STATUS_RETRY = 5.0


class Controller:
    """The operator without kopf: `tenant_changed` and `tenant_gone` are its only inputs from it."""

    def __init__(
        self,
        flow: Flow,
        airflow: AirflowFlow,
        finalizer: Finalizer,
        index: Index,
        watches: Watches,
        metrics: Metrics,
        settings: Settings,
        health: HealthFlow,
        fetch: FetchFlow,
    ) -> None:
        """Nothing runs until `run`."""
        self._flow = flow
        self._airflow = airflow
        self._finalizer = finalizer
        self._index = index
        self._watches = watches
        self._metrics = metrics
        self._settings = settings
        self._health = health
        self._fetch = fetch
        metrics.leader.set_function(lambda: self.ready)
        self._states: dict[str, TenantState] = {}
        self._queue = WorkQueue(self._pass, workers=settings.concurrency, metrics=metrics)
        self._airflow_queue = WorkQueue(
            self._airflow_pass, workers=settings.concurrency, metrics=metrics, name="airflow"
        )
        self._health_queue = WorkQueue(
            self._health_pass, workers=settings.concurrency, metrics=metrics, name="health"
        )
        self._fetch_queue = WorkQueue(
            self._fetch_pass, workers=settings.concurrency, metrics=metrics, name="fetch"
        )

    @property
    def states(self) -> Iterable[TenantState]:
        """The tenants of this moment."""
        return self._states.values()

    @property
    def ready(self) -> bool:
        """Whether all watches have seen the cluster once, so that passes may begin."""
        return self._watches.synced.is_set()

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watches.run(self.children_changed, self.kinds_changed))
            group.create_task(self._measure_lag())
            await self._watches.synced.wait()
            group.create_task(self._queue.run())
            group.create_task(self._airflow_queue.run())
            group.create_task(self._health_queue.run())
            group.create_task(self._fetch_queue.run())

    def children_changed(self, tenant: str) -> None:
        """A watch saw something new about a tenant's objects."""
        if tenant in self._states:
            self._queue.add(tenant)

    def kinds_changed(self) -> None:
        """The cluster has an optional kind more or less: every release is another one."""
        for name, state in self._states.items():
            state.full = True
            self._queue.add(name)

    def tenant_changed(self, raw: Mapping[str, Any]) -> None:
        """The tenant itself was seen: new, edited, deleted or merely listed again."""
        name = str(raw["metadata"]["name"])
        obj = {**raw, "apiVersion": names.API_VERSION, "kind": names.KIND}
        state = self._states.get(name)
        if state is not None and state.raw["metadata"]["uid"] != raw["metadata"]["uid"]:
            self.tenant_gone(name)
            state = None
        if state is None:
            self._states[name] = TenantState(raw=obj, status=parse_status(raw))
            self._queue.add(name)
            return
        if _asks_for_work(state.raw, obj):
            state.full = True
            self._queue.add(name)
        if int(raw["metadata"]["resourceVersion"]) >= int(state.raw["metadata"]["resourceVersion"]):
            state.take(obj)

    def tenant_gone(self, name: str, uid: str = "") -> None:
        """The tenant is no more; forget all about it, unless a namesake with another uid has come."""
        state = self._states.get(name)
        if state is not None and uid and state.raw["metadata"]["uid"] != uid:
            return
        self._states.pop(name, None)
        self._queue.forget(name)
        self._airflow_queue.forget(name)
        self._health_queue.forget(name)
        self._fetch_queue.forget(name)
        self._index.forget(name)
        self._airflow.forget(name)

    async def _pass(self, name: str) -> float | None:
        state = self._states.get(name)
        if state is None:
            return None
        try:
            if state.raw["metadata"].get("deletionTimestamp"):
                return await self._end(state)
            delay = await self._flow.run(state)
        except KubeError as error:
            # The status itself could not be written: the API server is away, or busy.
            log.warning("tenant %s: the status could not be written: %s", name, error)
            state.full = True
            self._failed("status")
            return _STATUS_RETRY
        except Exception as error:
            self._failed("tenant")
            await self._confess(state, error)
            raise  # the queue logs it with its trace, and tries again
        self._wake_others(state)
        return None if delay is None else delay * (0.9 + random.random() / 5)  # noqa: S311 - jitter

    def _wake_others(self, state: TenantState) -> None:
        """After a pass: what else is to be looked at now."""
        compared = state.airflow is not None and state.airflow.edition == state.edition
        if state.serving and (not compared or requests.outstanding(state, requests.AIRFLOW)):
            self._airflow_queue.add(state.name)
        if probed(state) and (state.health is None or requests.outstanding(state, requests.HEALTH)):
            self._health_queue.add(state.name)
        if self._fetch.wanted(state):
            self._fetch_queue.add(state.name)

    def _failed(self, handler: str) -> None:
        self._metrics.reconciles.labels("tenant", "error").inc()
        self._metrics.retries.labels(handler).inc()

    async def _confess(self, state: TenantState, error: Exception) -> None:
        """Tell in the status that a pass failed for a reason that nobody foresaw."""
        state.full = True
        told = TenantError(f"a mistake of the operator ({type(error).__name__}): its log has the trace")
        with contextlib.suppress(KubeError):
            await self._flow.write_status(state, Findings(), told)

    async def _end(self, state: TenantState) -> float | None:
        try:
            await self._finalizer.run(state)
            self._metrics.reconciles.labels("tenant", "success").inc()
        except (TenantError, KubeError) as failure:
            error = unavailable(failure) if isinstance(failure, KubeError) else failure
            await self._flow.write_status(state, Findings(), error)
            self._metrics.reconciles.labels("tenant", error.result).inc()
            if error.result == "error":
                self._metrics.retries.labels("deletion").inc()
            return min(error.retry, _STATUS_RETRY) if isinstance(failure, Forbidden) else error.retry
        return None

    async def _airflow_pass(self, name: str) -> float | None:
        state = self._states.get(name)
        if state is None or not state.serving or state.raw["metadata"].get("deletionTimestamp"):
            return None
        before, asked = state.airflow, requests.asked(state)
        delay = await self._airflow.run(state)
        if self._states.get(name) is not state:  # it went meanwhile: a namesake inherits nothing
            self._airflow.forget(name)
            return None
        requests.carried(state, requests.AIRFLOW, asked)
        if state.airflow != before or state.full or asked:
            self._queue.add(name)
        return delay

    async def _health_pass(self, name: str) -> float | None:
        state = self._states.get(name)
        if state is None:
            return None
        before, asked = state.health, requests.asked(state)
        delay = await self._health.run(state)
        requests.carried(state, requests.HEALTH, asked)
        after = state.health
        if asked or (after is not None and (before is None or before.finding != after.finding)):
            self._queue.add(name)
        return delay

    async def _fetch_pass(self, name: str) -> float | None:
        state = self._states.get(name)
        if state is None or state.raw["metadata"].get("deletionTimestamp"):
            return None
        delay = await self._fetch.run(state)
        if state.fetched not in (None, state.status.last_handled_dag_sync_at):
            self._queue.add(name)
            if state.serving:
                self._airflow_queue.add(name)
        return delay

    async def _measure_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            wanted = loop.time() + _LAG_PERIOD
            await asyncio.sleep(_LAG_PERIOD)
            self._metrics.beat(max(0.0, loop.time() - wanted))


def _asks_for_work(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether an event is about more than the status that we wrote ourselves."""
    fields = ("generation", "deletionTimestamp", "annotations")
    return any(old["metadata"].get(field) != new["metadata"].get(field) for field in fields)
