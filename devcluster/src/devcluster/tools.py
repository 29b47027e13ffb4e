"""One function that returns the path of any tool, building it when it is missing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

from devcluster import build, prerequisites
from devcluster.console import Console
from devcluster.errors import DevclusterError
from devcluster.recipes import RECIPES

_PROBE_SECONDS = 20
_FITTING = {"kubectl": re.compile(r"v1\.3[345]\.\d+"), "helm": re.compile(r"v4\.\d+\.\d+")}


def tool(name: str, console: Console | None = None) -> Path:
    """Return the binary of that name (``cni``: the folder of plugins); build it when it is missing.

    For kubectl and helm a program on PATH of a fitting version is good enough. Raises DevclusterError
    for an unknown name or a failed build.
    """
    recipe = RECIPES.get(name)
    if recipe is None:
        raise DevclusterError(f"There is no tool {name!r}. Known: {', '.join(sorted(RECIPES))}.")
    earlier = build.built(recipe) if prerequisites.find_go() else None
    return earlier or _on_path(name) or build.build(recipe, console or Console())


def _on_path(name: str) -> Path | None:
    pattern = _FITTING.get(name)
    found = shutil.which(name) if pattern else None
    if pattern is None or found is None:
        return None
    return Path(found) if pattern.fullmatch(_version(name, found)) else None


def _version(name: str, program: str) -> str:
    arguments = (
        ["version", "--client", "-o", "json"]
        if name == "kubectl"
        else ["version", "--template", "{{.Version}}"]
    )
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=_PROBE_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    if done.returncode != 0:
        return ""
    if name == "helm":
        return done.stdout.strip()
    try:
        version = json.loads(done.stdout)["clientVersion"]["gitVersion"]
    except (ValueError, KeyError, TypeError):
        return ""
    return str(version)
