"""What a check of manifests finds, and the objects that checks look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Object = dict[str, Any]
TENANT = "AirflowTenant"


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

    @property
    def production(self) -> bool:
        """Whether this goes to production: a folder of that name is in its path."""
        return "production" in self.folder.parts

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
