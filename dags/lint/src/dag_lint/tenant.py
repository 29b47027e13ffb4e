"""AirflowTenant files: pools, team, variables and connections that a team's Airflow has."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml


class TenantError(Exception):
    """A file that is not an AirflowTenant; the text names the file."""


@dataclass
class Tenant:
    """What the rules need of an AirflowTenant."""

    name: str
    team: str
    pools: dict[str, int] = field(default_factory=dict)
    variables: set[str] = field(default_factory=set)
    connections: set[str] = field(default_factory=set)

    @property
    def prefix(self) -> str:
        """What the tenant's dag_ids begin with: the team's name as an identifier."""
        return self.team.lower().replace("-", "_").replace(".", "_")


def load(paths: list[Path]) -> list[Tenant]:
    """Read files or directories of files (several documents each). Documents of other kinds are left out.

    Raises TenantError for a file that cannot be read, is no YAML or holds no tenant at all.
    """
    files: list[Path] = []
    for path in paths:
        files.extend(sorted(path.rglob("*.y*ml")) if path.is_dir() else [path])
    tenants: list[Tenant] = []
    for file in files:
        found = list(_read(file))
        if not found and file in paths:
            raise TenantError(f"{file}: holds no AirflowTenant")
        tenants.extend(found)
    if paths and not tenants:
        raise TenantError(f"{paths[0]}: holds no AirflowTenant")
    return tenants


def _read(path: Path) -> list[Tenant]:
    try:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise TenantError(f"{path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise TenantError(f"{path}: {error}") from error
    return [
        _tenant(document, path)
        for document in documents
        if isinstance(document, dict) and document.get("kind") == "AirflowTenant"
    ]


def _tenant(document: dict[str, Any], path: Path) -> Tenant:
    try:
        spec = document.get("spec") or {}
        name = str(document["metadata"]["name"])
        return Tenant(
            name=name,
            team=str((spec.get("owner") or {}).get("team") or name),
            pools={str(pool["name"]): int(pool["slots"]) for pool in spec.get("pools") or []},
            variables={str(item["key"]) for item in spec.get("variables") or []},
            connections={str(item["id"]) for item in spec.get("connections") or []},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TenantError(f"{path}: not a valid AirflowTenant: {error!r}") from error
