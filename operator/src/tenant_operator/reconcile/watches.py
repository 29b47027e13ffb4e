"""List-and-watch of everything that carries a tenant's label, kept alive for ever.

One watch per kind for the whole cluster, selected by label on the server. Kinds without a state worth
reading are watched as metadata only, which halves their size. Kinds of other projects are watched where
the cluster has them (reconcile.optional tells).
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from tenant_operator.core import kinds, names
from tenant_operator.core.errors import Forbidden, KubeError, NotFound
from tenant_operator.core.kinds import Kind, Object
from tenant_operator.core.metrics import Metrics
from tenant_operator.reconcile.index import Index
from tenant_operator.reconcile.optional import Discovery, OptionalKinds

log = logging.getLogger(__name__)

_STREAM_SECONDS = 300
_LAST_BACKOFF = 30.0
#: how soon a kind is listed again whose definition is gone
_ABSENT_SECONDS = 2.0


class Watcher(Discovery, Protocol):
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
    """Feeds the index; `run` calls `changed(tenant)` whenever something of a tenant is news.

    `served_changed()` is called whenever the index serves other optional kinds than before.
    """

    def __init__(
        self,
        client: Watcher,
        index: Index,
        metrics: Metrics,
        watched: Sequence[Kind] = (*kinds.RENDERED, kinds.POD),
        optional: Sequence[Kind] = kinds.OPTIONAL,
    ) -> None:
        """Nothing happens until `run`."""
        self._client = client
        self._index = index
        self._metrics = metrics
        self._kinds = watched
        self._optional = optional
        self._follower = OptionalKinds(client, optional)
        self._unsynced = {*watched, *optional}
        self.synced = asyncio.Event()

    async def run(
        self, changed: Callable[[str], None], served_changed: Callable[[], None] = lambda: None
    ) -> None:
        """Watch all kinds until cancelled."""
        self._changed, self._served_changed = changed, served_changed
        async with asyncio.TaskGroup() as group:
            for kind in self._kinds:
                group.create_task(self._keep(kind))
            if self._optional:
                group.create_task(self._keep(kinds.DEFINITION))
                await self._follow_optional(group)

    async def _follow_optional(self, group: asyncio.TaskGroup) -> None:
        """Watch each optional kind for as long as the cluster has it."""
        tasks: dict[Kind, asyncio.Task[None]] = {}
        async for found in self._follower.changes():
            for kind in found - tasks.keys():
                log.info("the cluster has %s", kind.plural)
                tasks[kind] = group.create_task(self._keep(kind))
            for kind in tasks.keys() - found:
                log.info("the cluster no longer has %s", kind.plural)
                tasks.pop(kind).cancel()
                self._forget(kind)
            for kind in set(self._optional) - tasks.keys():
                self._first_seen(kind)

    def _forget(self, kind: Kind) -> None:
        for tenant in self._index.replace(kind, ()):
            self._changed(tenant)
        self._serve(self._index.served - {kind.kind})

    def _serve(self, names_: frozenset[str]) -> None:
        if names_ != self._index.served:
            self._index.served = names_
            self._served_changed()

    def _first_seen(self, kind: Kind) -> None:
        """Nothing more is to be waited for of this kind."""
        self._unsynced.discard(kind)
        if not self._unsynced:
            self.synced.set()

    async def _keep(self, kind: Kind) -> None:
        failures, began = 0, time.monotonic()
        while True:
            try:
                began = time.monotonic()
                await self._list_and_watch(kind)
                failures = 0
            except KubeError as error:
                if kind in self._optional and isinstance(error, NotFound):
                    self._follower.news()  # its definition is gone: discovery will tell
                    await asyncio.sleep(_ABSENT_SECONDS)
                    continue
                if kind in self._optional and isinstance(error, Forbidden):
                    self._first_seen(kind)  # a right that is missing must not keep all tenants waiting
                if kind is kinds.DEFINITION:
                    self._follower.news()  # without this watch, each try is an occasion to ask
                # One that held for a while is no reason to wait long before the next.
                failures = 1 if time.monotonic() - began > _STREAM_SECONDS else failures + 1
                self._metrics.watch_restarts.labels(kind.plural).inc()
                delay = min(2.0 ** min(failures, 6), _LAST_BACKOFF) * (0.5 + random.random() / 2)  # noqa: S311 - jitter
                log.warning("watch of %s broke (%s), again in %.1f s", kind.plural, error, delay)
                await asyncio.sleep(delay)

    async def _list_and_watch(self, kind: Kind) -> None:
        full = kind in kinds.WORKLOADS or kind in kinds.DIGESTED or kind is kinds.POD
        selector = "" if kind is kinds.DEFINITION else names.LABEL_TENANT
        if kind is kinds.POD:
            # Pods of tasks come and go by the hundred; their failures are Airflow's to tell.
            selector += f",{names.LABEL_COMPONENT}!=worker"
        objects, version = await self._client.list_all(kind, labels=selector, metadata_only=not full)
        self._listed(kind, objects)
        while True:
            try:
                async for event in self._client.watch(
                    kind, version, selector, metadata_only=not full, seconds=_STREAM_SECONDS
                ):
                    version = event["object"]["metadata"]["resourceVersion"]
                    if touched := self._take(kind, event):
                        self._changed(touched)
            except KubeError as error:
                if error.status == 410:
                    return
                raise

    def _listed(self, kind: Kind, objects: list[Object]) -> None:
        if kind is kinds.DEFINITION:
            self._follower.listed(objects)
            return
        for tenant in self._index.replace(kind, objects):
            self._changed(tenant)
        if kind in self._optional:
            self._serve(self._index.served | {kind.kind})
        self._first_seen(kind)

    def _take(self, kind: Kind, event: Object) -> str | None:
        if kind is kinds.DEFINITION:
            self._follower.take(event)
            return None
        obj = {**event["object"], "apiVersion": kind.api_version, "kind": kind.kind}
        if event["type"] in {"ADDED", "MODIFIED"}:
            return self._index.put(kind, obj)
        if event["type"] == "DELETED":
            return self._index.remove(kind, obj)
        return None
