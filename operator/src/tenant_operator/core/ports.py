"""The outside world as the reconcile loop sees it. Adapters implement these; tests may as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tenant_operator.core.kinds import Kind, Object


@dataclass(frozen=True, slots=True)
class Rendered:
    """What Helm made of a chart: `manifest` is its YAML text, `objects` the same, parsed."""

    manifest: str
    objects: tuple[Object, ...]


@dataclass(frozen=True, slots=True)
class ChartInfo:
    """The chart that the operator renders: its Chart.yaml and a digest of all its files."""

    name: str
    version: str
    app_version: str
    digest: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Renderer(Protocol):
    """Turns chart values into Kubernetes objects, the same bytes for the same values."""

    @property
    def chart(self) -> ChartInfo:
        """The chart in use."""

    async def render(self, release: str, namespace: str, values: Mapping[str, Any]) -> Rendered:
        """Render; raises core.errors.RenderError with Helm's own words."""


class Kube(Protocol):
    """The Kubernetes API as plain JSON objects. All methods raise core.errors.KubeError."""

    async def get(self, kind: Kind, name: str, namespace: str = "") -> Object:
        """One object; NotFound when absent."""

    async def list(self, kind: Kind, namespace: str = "", labels: str = "") -> list[Object]:
        """All objects of a kind, selected by a label selector."""

    async def create(self, kind: Kind, obj: Object) -> Object:
        """Create; Conflict when it exists."""

    async def apply(self, kind: Kind, obj: Object, *, subresource: str = "") -> Object:
        """Server-side apply under the operator's field manager, taking fields over where they differ."""

    async def merge(
        self, kind: Kind, name: str, patch: Object, namespace: str = "", *, subresource: str = ""
    ) -> Object:
        """JSON merge patch of an object or of its status."""

    async def delete(self, kind: Kind, name: str, namespace: str = "", *, uid: str = "") -> bool:
        """Delete in the background; False when it was not there. `uid` guards against a namesake."""

    async def event(self, about: Object, kind: str, reason: str, message: str) -> None:
        """Post an Event (kind: Normal or Warning) on an object; never raises."""


class Commands(Protocol):
    """Programs that are run inside containers of a tenant's pods."""

    async def run(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> None:
        """Run to the end; raises core.errors.KubeError when it is refused, fails or takes too long."""


class Clock(Protocol):
    """Time, so that tests can hold it still."""

    def now(self) -> float:
        """Seconds since the epoch, for timestamps that people read."""

    def monotonic(self) -> float:
        """Seconds that never go back, for durations and deadlines."""


class Tokens(Protocol):
    """A source of secrets, so that `plan` needs no randomness of its own."""

    def url_safe(self, size: int) -> str:
        """`size` random bytes, URL-safe base64 without padding."""

    def fernet(self) -> str:
        """A Fernet key: 32 random bytes, URL-safe base64 with padding."""


Subjects = Sequence[Mapping[str, str]]
