"""Find the overlays below manifests/ and build them with kustomize."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from devcluster.tools import tool

BUILD_SECONDS = 60
_WORKERS = 4
#: what kustomize, Argo CD and Flux take for a kustomization
FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
#: aggregates that no cluster applies: for tests, for the demo
NO_CLUSTER = frozenset({"tenants/base", "tenants/demo", "tenants/library"})
Json = dict[str, Any]


@dataclass(frozen=True)
class Built:
    """What kustomize made of one tree: objects by overlay, and what kustomize said of those that failed."""

    objects: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)


def roots(manifests: Path) -> list[str]:
    """The folders that a cluster applies: kustomizations that no other one takes in; as posix paths.

    Components are parts by definition, NO_CLUSTER is left out. A folder is relative to `manifests`.
    """
    folders = {path.parent for name in FILES for path in manifests.rglob(name) if path.is_file()}
    parts = {manifests / name for name in NO_CLUSTER}
    for folder in folders:
        content = _read(folder)
        parts.update(_taken_in(folder, content))
        if content.get("kind") == "Component":
            parts.add(folder)
    return sorted(folder.relative_to(manifests).as_posix() for folder in folders - parts)


def _read(folder: Path) -> Json:
    """A kustomization; empty when it is none: kustomize says more about it than we could."""
    [file, *_] = [folder / name for name in FILES if (folder / name).is_file()]
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _taken_in(folder: Path, content: Json) -> Iterator[Path]:
    for name in ("resources", "components", "bases"):
        entries = content.get(name)
        for entry in entries if isinstance(entries, list) else []:
            # not resolve(): manifests/ itself may be reached by a link
            yield Path(*_normal((folder / str(entry)).parts))


def _normal(parts: tuple[str, ...]) -> list[str]:
    kept: list[str] = []
    for part in parts:
        if part == ".." and kept:
            kept.pop()
        elif part != ".":
            kept.append(part)
    return kept


def build(manifests: Path) -> Built:
    """Build every root. A folder that is not there has none."""
    names = roots(manifests) if manifests.is_dir() else []
    program = tool("kustomize")
    with ThreadPoolExecutor(_WORKERS) as pool:
        outcomes = list(pool.map(lambda name: build_folder(program, manifests / name), names))
    objects: dict[str, tuple[Json, ...]] = {}
    failures: dict[str, str] = {}
    for name, outcome in zip(names, outcomes, strict=True):
        if isinstance(outcome, str):
            failures[name] = outcome
        else:
            objects[name] = outcome
    return Built(objects, failures)


def build_folder(program: Path, folder: Path) -> tuple[Json, ...] | str:
    """The objects of one kustomization, or kustomize's complaint."""
    try:
        done = subprocess.run(
            [str(program), "build", str(folder)], capture_output=True, text=True, timeout=BUILD_SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"kustomize build took longer than {BUILD_SECONDS} s"
    if done.returncode != 0:
        return done.stderr.strip().removeprefix("Error: ")
    return tuple(
        item for item in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if isinstance(item, dict)
    )
