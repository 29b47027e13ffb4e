"""Settings of dag-lint: `[tool.dag-lint]` of pyproject.toml, or the same keys in dag-lint.toml."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

CONVENTIONS = "conventions"


class ConfigError(Exception):
    """A configuration that cannot be used; the text names the file and the key."""


@dataclass
class Config:
    """Settings; names in the file have `-` for `_`. See the README for what each means."""

    select: list[str] = field(default_factory=list)
    extend_select: list[str] = field(default_factory=list)
    ignore: list[str] = field(default_factory=list)
    per_file_ignores: dict[str, list[str]] = field(default_factory=dict)
    exclude: list[str] = field(default_factory=list)
    exempt_dag_ids: list[str] = field(default_factory=list)
    exempt_task_ids: list[str] = field(default_factory=list)
    python_operator_allow: list[str] = field(default_factory=list)
    team_folder: str = r"(^|/)team_(?P<team>[a-z0-9_]+)/(?P<purpose>[a-z0-9_]+)/[^/]+\.py$"
    team_prefixes: dict[str, list[str]] = field(default_factory=dict)
    team_owners: dict[str, list[str]] = field(default_factory=dict)
    shared_folders: list[str] = field(default_factory=list)
    tenants: list[str] = field(default_factory=list)
    verbs: list[str] = field(default_factory=list)
    variable_allow: list[str] = field(default_factory=list)
    backfill_safe_tags: list[str] = field(default_factory=lambda: ["backfill-safe", "backfill_safe"])
    idempotent_tags: list[str] = field(default_factory=lambda: ["idempotent"])
    critical_tags: list[str] = field(default_factory=lambda: ["production", "critical"])
    priority_tags: list[str] = field(default_factory=lambda: ["critical"])
    classification_tags: list[str] = field(
        default_factory=lambda: ["pii", "confidential", "restricted", "internal", "public"]
    )
    heavy_imports: list[str] = field(default_factory=list)
    min_poke_interval: int = 60
    root: Path = field(default_factory=Path.cwd)
    file: Path | None = None

    @property
    def tenant_paths(self) -> list[Path]:
        """The tenant files of the configuration, relative to its own place."""
        return [self.root / name for name in self.tenants]


_INTERNAL = {"root", "file"}
KEYS = {item.name.replace("_", "-"): item for item in fields(Config) if item.name not in _INTERNAL}


def discover(start: Path) -> Path | None:
    """The nearest dag-lint.toml, or pyproject.toml with `[tool.dag-lint]`, from `start` upwards."""
    place = start.resolve()
    for folder in [place, *place.parents] if place.is_dir() else place.parents:
        own = folder / "dag-lint.toml"
        if own.is_file():
            return own
        project = folder / "pyproject.toml"
        if project.is_file() and "[tool.dag-lint" in project.read_text(encoding="utf-8", errors="replace"):
            return project
    return None


def load(path: Path | None) -> Config:
    """Read the file. Raises ConfigError for bad TOML, unknown keys, wrong types and unknown rules."""
    if path is None:
        return Config()
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8: {error}") from error
    tool = data.get("tool", {}).get("dag-lint")
    table = tool if tool is not None else ({} if path.name == "pyproject.toml" else data)
    values = {_key(name, path): _value(name, value, path) for name, value in table.items()}
    config = Config(**values, root=path.resolve().parent, file=path)
    _check(config, path)
    return config


def _key(name: str, path: Path) -> str:
    if name not in KEYS:
        raise ConfigError(f"{path}: unknown key {name!r}; known are {', '.join(sorted(KEYS))}")
    return KEYS[name].name


def _value(name: str, value: Any, path: Path) -> Any:
    kind = str(KEYS[name].type)
    checks = {
        "list[str]": lambda v: isinstance(v, list) and all(isinstance(item, str) for item in v),
        "dict[str, list[str]]": lambda v: (
            isinstance(v, dict)
            and all(
                isinstance(item, list) and all(isinstance(one, str) for one in item) for item in v.values()
            )
        ),
        "str": lambda v: isinstance(v, str),
        "int": lambda v: isinstance(v, int) and not isinstance(v, bool),
    }
    if not checks[kind](value):
        raise ConfigError(f"{path}: key {name!r} must be {kind}, not {value!r}")
    return value


def _check(config: Config, path: Path) -> None:
    from dag_lint.selection import expand

    named = {"select": config.select, "extend-select": config.extend_select, "ignore": config.ignore}
    for glob, ids in config.per_file_ignores.items():
        named[f"per-file-ignores.{glob}"] = ids
    for key, ids in named.items():
        try:
            expand(ids)
        except ConfigError as error:
            raise ConfigError(f"{path}: key {key!r}: {error}") from error
    try:
        re.compile(config.team_folder)
    except re.error as error:
        raise ConfigError(f"{path}: key 'team-folder': {error}") from error
    for name in ("exempt_dag_ids", "exempt_task_ids"):
        for pattern in getattr(config, name):
            if not pattern:
                raise ConfigError(f"{path}: key {name.replace('_', '-')!r}: empty pattern")
