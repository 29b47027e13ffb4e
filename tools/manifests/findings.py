"""What a check of manifests finds, and the objects that checks look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Object = dict[str, Any]
TENANT = "AirflowTenant"
ENVIRONMENTS = ("staging", "production")
_LAYERS = frozenset({"base", "demo", "library", *ENVIRONMENTS})


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong. `message` says what to do about it; `field` may be empty."""

    rule: str
    subject: str
    field: str
    message: str
    file: str = ""

    def __str__(self) -> str:
        place = f"{self.field}: " if self.field else ""
        source = f" ({self.file})" if self.file else ""
        return f"[{self.rule}] {self.subject}: {place}{self.message}{source}"


@dataclass(frozen=True)
class Source:
    """Objects that are checked together: a folder as kustomize builds it, or loose files."""

    folder: Path
    objects: tuple[Object, ...]
    example: bool = False
    root: Path = Path()

    @property
    def layer(self) -> str:
        """Base, staging, production...: the nearest of these names in its path; else empty."""
        return next((part for part in reversed(self._parts(2)) if part in _LAYERS), "")

    def within(self, tool: str) -> bool:
        """Whether this is of a tool's own folder (argocd, flux): other tools never see it."""
        return tool in self._parts(4)

    def _parts(self, above: int) -> tuple[str, ...]:
        """The names below the root, and so many of the root's own: where a clone lies says nothing."""
        if not self.folder.is_relative_to(self.root):
            return self.folder.parts
        return (*self.root.absolute().parts[-above:], *self.folder.relative_to(self.root).parts)

    @property
    def production(self) -> bool:
        """Whether this goes to production."""
        return self.layer == "production"

    def of(self, kind: str) -> Iterator[Object]:
        """The objects of one kind."""
        return (found for found in self.objects if found.get("kind") == kind)


def metadata(found: Object) -> Object:
    """The object's metadata; empty when it has none."""
    value = found.get("metadata")
    return value if isinstance(value, dict) else {}


def notes(found: Object) -> Object:
    """The object's annotations; empty when it has none."""
    value = metadata(found).get("annotations")
    return value if isinstance(value, dict) else {}


def subject(found: Object) -> str:
    """How a person calls the object: `Deployment airflow-ml/scheduler`."""
    place = metadata(found).get("namespace")
    name = metadata(found).get("name", "without a name")
    return f"{found.get('kind', 'object')} {f'{place}/' if place else ''}{name}"


def at(found: object, path: str) -> Any:
    """The value below a dotted path, or None."""
    for step in path.split("."):
        if not isinstance(found, dict):
            return None
        found = found.get(step)
    return found


def items(found: object, path: str) -> list[Object]:
    """The objects of the list below a dotted path, other values left to the schema."""
    value = at(found, path)
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
