"""List-and-watch of everything that carries a tenant's label, kept alive for ever.

One watch per kind for the whole cluster, selected by label on the server. Kinds without a state worth
reading are watched as metadata only, which halves their size.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from tenant_operator.core import kinds, names
from tenant_operator.core.errors import KubeError
from tenant_operator.core.kinds import Kind, Object
from tenant_operator.core.metrics import Metrics
from tenant_operator.reconcile.index import Index

log = logging.getLogger(__name__)

_STREAM_SECONDS = 300
_LAST_BACKOFF = 30.0


class Watcher(Protocol):
    """What a watch needs of the Kubernetes client."""

    async def list_all(
        self, kind: Kind, namespace: str = "", labels: str = "", *, metadata_only: bool = False
    ) -> tuple[list[Object], str]:
        """All objects and the version to watch from."""

    def watch(
        self, kind: Kind, version: str, labels: str, *, metadata_only: bool, seconds: int
    ) -> AsyncIterator[Object]:
        """Events since a version."""


class Watches:
    """Feeds the index; `run` calls `changed(tenant)` whenever something of a tenant is news."""

    def __init__(
        self,
        client: Watcher,
        index: Index,
        metrics: Metrics,
        watched: Sequence[Kind] = (*kinds.RENDERED, kinds.POD),
    ) -> None:
        """Nothing happens until `run`."""
        self._client = client
        self._index = index
        self._metrics = metrics
        self._kinds = watched
        self._unsynced = set(watched)
        self.synced = asyncio.Event()

    async def run(self, changed: Callable[[str], None]) -> None:
        """Watch all kinds until cancelled."""
        async with asyncio.TaskGroup() as group:
            for kind in self._kinds:
                group.create_task(self._keep(kind, changed))

    async def _keep(self, kind: Kind, changed: Callable[[str], None]) -> None:
        failures, began = 0, time.monotonic()
        while True:
            try:
                began = time.monotonic()
                await self._list_and_watch(kind, changed)
                failures = 0
            except KubeError as error:
                # One that held for a while is no reason to wait long before the next.
                failures = 1 if time.monotonic() - began > _STREAM_SECONDS else failures + 1
                self._metrics.watch_restarts.labels(kind.plural).inc()
                delay = min(2.0 ** min(failures, 6), _LAST_BACKOFF) * (0.5 + random.random() / 2)  # noqa: S311 - jitter
                log.warning("watch of %s broke (%s), again in %.1f s", kind.plural, error, delay)
                await asyncio.sleep(delay)

    async def _list_and_watch(self, kind: Kind, changed: Callable[[str], None]) -> None:
        full = kind in kinds.WORKLOADS or kind in kinds.DIGESTED or kind is kinds.POD
        selector = names.LABEL_TENANT
        if kind is kinds.POD:
            # Pods of tasks come and go by the hundred; their failures are Airflow's to tell.
            selector += f",{names.LABEL_COMPONENT}!=worker"
        objects, version = await self._client.list_all(kind, labels=selector, metadata_only=not full)
        for tenant in self._index.replace(kind, objects):
            changed(tenant)
        self._unsynced.discard(kind)
        if not self._unsynced:
            self.synced.set()
        while True:
            try:
                async for event in self._client.watch(
                    kind, version, selector, metadata_only=not full, seconds=_STREAM_SECONDS
                ):
                    version = event["object"]["metadata"]["resourceVersion"]
                    if touched := self._take(kind, event):
                        changed(touched)
            except KubeError as error:
                if error.status == 410:
                    return
                raise

    def _take(self, kind: Kind, event: Object) -> str | None:
        obj = {**event["object"], "apiVersion": kind.api_version, "kind": kind.kind}
        if event["type"] in {"ADDED", "MODIFIED"}:
            return self._index.put(kind, obj)
        if event["type"] == "DELETED":
            return self._index.remove(kind, obj)
        return None
