"""A keyed work queue: each key is worked on by one worker at a time, and never twice for one reason.

The shape that Kubernetes controllers use (client-go's workqueue): adding a key that waits already does
nothing; adding one that is being worked on makes it run once more afterwards. kopf's own per-object
queues start handlers from edges (create, update) and persist progress in annotations; a level-triggered
loop needs neither.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from tenant_operator.core.logging import about
from tenant_operator.core.metrics import Metrics

log = logging.getLogger(__name__)

#: Works on a key; returns the seconds after which to look again, or None for not before an event.
Handler = Callable[[str], Awaitable[float | None]]

_FIRST_BACKOFF = 1.0
_LAST_BACKOFF = 300.0


class WorkQueue:
    """Runs `handler` for keys with at most `workers` at once; failures are retried with a growing delay."""

    def __init__(
        self, handler: Handler, *, workers: int, metrics: Metrics | None = None, name: str = "tenant"
    ) -> None:
        """The queue does nothing until `run`; `name` is its label in the metrics."""
        self._handler = handler
        self._name = name
        self._workers = workers
        self._metrics = metrics
        self._ready: deque[str] = deque()
        self._waiting: set[str] = set()
        self._active: set[str] = set()
        self._again: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._failures: dict[str, int] = {}
        self._wake = asyncio.Condition()

    def add(self, key: str) -> None:
        """Work on `key` as soon as possible."""
        self._cancel(key)
        if key in self._active:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.append(key)
            self._show()
            asyncio.get_running_loop().create_task(self._notify())

    def add_after(self, key: str, seconds: float) -> None:
        """Work on `key` in `seconds`, unless an event comes first or an earlier time is set."""
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None and timer.when() <= loop.time() + seconds:
            return
        self._cancel(key)
        self._timers[key] = loop.call_later(seconds, self.add, key)

    def forget(self, key: str) -> None:
        """Drop timers and memory of a key that is gone."""
        self._cancel(key)
        self._failures.pop(key, None)
        self._again.discard(key)

    def busy(self, key: str) -> bool:
        """Whether a worker has the key right now."""
        return key in self._active

    async def run(self) -> None:
        """Work until cancelled; keys under way are cancelled with it."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._work())

    async def _notify(self) -> None:
        async with self._wake:
            self._wake.notify()

    async def _work(self) -> None:
        while True:
            async with self._wake:
                while not self._ready:
                    await self._wake.wait()
                key = self._ready.popleft()
            self._waiting.discard(key)
            self._active.add(key)
            self._show()
            try:
                with about(key):  # keys are tenants' names
                    await self._once(key)
            finally:
                self._active.discard(key)
                self._show()
            if key in self._again:
                self._again.discard(key)
                self.add(key)

    async def _once(self, key: str) -> None:
        try:
            delay = await self._handler(key)
        except Exception:  # the one place that must outlive any error of a pass
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            delay = min(_FIRST_BACKOFF * 2 ** (failures - 1), _LAST_BACKOFF)
            log.exception("pass over %s failed, again in %.0f s", key, delay)
        else:
            self._failures.pop(key, None)
        if delay is not None:
            self.add_after(key, delay)

    def _cancel(self, key: str) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def _show(self) -> None:
        if self._metrics is not None:
            self._metrics.queue.labels(self._name).set(len(self._ready))
            self._metrics.active.labels(self._name).set(len(self._active))
