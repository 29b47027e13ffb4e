"""Which kinds of other projects the cluster serves, followed without asking a quiet cluster anything.

Their CustomResourceDefinitions are watched as metadata. An event about one of them is an occasion to ask the
API server's discovery, which alone knows the versions that are served and is a moment behind the definition.
It is asked again until both agree, and for a while when they cannot (a definition without our version).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Protocol

from tenant_operator.core.errors import KubeError
from tenant_operator.core.kinds import Kind, Object

log = logging.getLogger(__name__)

_ASK_SECONDS = 2.0
#: A kind must be absent for this long to count as gone: an API server that starts lists some groups late.
_GONE_SECONDS = 30.0
#: how long discovery and definitions may differ after the last news before that is how it is
_SETTLE_SECONDS = 60.0


class Discovery(Protocol):
    """What is asked."""

    async def served(self, wanted: Iterable[Kind]) -> frozenset[Kind]:
        """Those of some kinds that the cluster has."""


class OptionalKinds:
    """Follows some kinds; whoever watches the definitions tells `listed`, `take` and `news`."""

    def __init__(self, client: Discovery, wanted: Sequence[Kind]) -> None:
        """Nothing happens until `changes`."""
        self._client = client
        self._wanted = wanted
        self._names = {f"{kind.plural}.{kind.group}": kind for kind in wanted}
        self._defined: set[Kind] = set()
        self._news = asyncio.Event()
        self._settled_by = time.monotonic() + _SETTLE_SECONDS

    def news(self) -> None:
        """Something may have changed: ask."""
        self._settled_by = time.monotonic() + _SETTLE_SECONDS
        self._news.set()

    def listed(self, definitions: Iterable[Object]) -> None:
        """All definitions of the cluster, as metadata."""
        names = {str(definition["metadata"]["name"]) for definition in definitions}
        self._defined = {kind for name, kind in self._names.items() if name in names}
        self.news()

    def take(self, event: Object) -> None:
        """An event of the watch on definitions."""
        kind = self._names.get(str(event["object"]["metadata"].get("name", "")))
        if kind is None:
            return
        if event["type"] == "DELETED":
            self._defined.discard(kind)
        else:
            self._defined.add(kind)
        self.news()

    async def changes(self) -> AsyncIterator[frozenset[Kind]]:
        """The kinds that count as there: at first, and whenever that changes. Never ends."""
        present: frozenset[Kind] | None = None
        absent: dict[Kind, float] = {}  # since when, of those that count as there
        while True:
            self._news.clear()
            try:
                found = await self._client.served(self._wanted)
            except KubeError as error:
                log.warning("cannot ask which kinds the cluster has: %s", error)
                absent = {}  # an API server that was away may list some groups late
                await self._pause(forever=False)
                continue
            now = time.monotonic()
            absent = {kind: absent.get(kind, now) for kind in (present or frozenset()) - found}
            there = found | {kind for kind, since in absent.items() if now - since < _GONE_SECONDS}
            if there != present:
                present = there
                yield there
            late = now < self._settled_by and not self._defined <= found
            await self._pause(forever=found == there and not late)

    async def _pause(self, *, forever: bool) -> None:
        """Until the next news, or for a moment only."""
        try:
            async with asyncio.timeout(None if forever else _ASK_SECONDS):
                await self._news.wait()
        except TimeoutError:
            return
