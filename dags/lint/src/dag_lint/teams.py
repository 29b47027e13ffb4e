"""Which team a file belongs to, and how that team's ids, tags and owners are written."""

from __future__ import annotations

import re
from fnmatch import fnmatch

from dag_lint.config import Config
from dag_lint.tenant import Tenant


def team_of(path: str, config: Config, tenants: list[Tenant]) -> str | None:
    """The team of a file: by its folder, else by the only tenant there is."""
    match = re.search(config.team_folder, path)
    if match:
        return match.groupdict().get("team")
    if len(tenants) == 1 and not is_shared(path, config):
        return tenants[0].prefix
    return None


def is_shared(path: str, config: Config) -> bool:
    """Whether the file is in a folder that no team owns."""
    return any(fnmatch(path, glob) or fnmatch("/" + path, "*/" + glob) for glob in config.shared_folders)


def prefixes(team: str, config: Config) -> list[str]:
    """What dag_ids of the team begin with."""
    return config.team_prefixes.get(team, [team])


def owners(team: str, config: Config) -> list[str]:
    """How the team is written as owner."""
    return [team, team.replace("_", "-"), *config.team_owners.get(team, [])]


def has_prefix(dag_id: str, names: list[str]) -> bool:
    """Whether an id is one of the prefixes or begins with one and an underscore."""
    return any(dag_id == name or dag_id.startswith(name + "_") for name in names)
