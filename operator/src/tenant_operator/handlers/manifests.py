"""Tenants out of YAML files, for commands that need no cluster."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from tenant_operator.core import names
from tenant_operator.core.errors import InvalidSpec
from tenant_operator.plan.tenant import Tenant, parse

_STDIN = Path("-")
_NAME = re.compile(names.NAME_PATTERN)


class ManifestError(Exception):
    """A file that cannot be read, or that holds a tenant that is wrong or was there before."""


def read(paths: Iterable[Path]) -> list[Tenant]:
    """All AirflowTenants in files, and in folders with all below them; other kinds are passed over.

    The path `-` is the standard input; a List (`kubectl get -o yaml`) is what is in it.

    Raises ManifestError that names the file.
    """
    found: dict[str, tuple[Path, Tenant]] = {}
    for path in paths:
        for file in _files(path):
            for tenant in _tenants(file):
                if tenant.name in found:
                    raise ManifestError(f"tenant {tenant.name} is in {found[tenant.name][0]} and in {file}")
                found[tenant.name] = (file, tenant)
    return [tenant for _, tenant in found.values()]


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.suffix in {".yaml", ".yml"})
    return [path]


def _objects(documents: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for document in documents:
        if not isinstance(document, dict):
            continue
        if str(document.get("kind", "")).endswith("List") and isinstance(document.get("items"), list):
            yield from _objects(document["items"])
        else:
            yield document


def _tenants(file: Path) -> Iterator[Tenant]:
    try:
        text = sys.stdin.read() if file == _STDIN else file.read_text()
        documents = list(_objects(yaml.safe_load_all(text)))
    # ValueError: no text, or the date 2026-99-99; RecursionError: a list that holds itself
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ManifestError(f"{file}: {error}") from error
    for document in documents:
        if document.get("kind") != names.KIND:
            continue
        if document.get("apiVersion") != names.API_VERSION:
            raise ManifestError(
                f"{file}: an {names.KIND} of apiVersion {document.get('apiVersion')}: "
                f"only {names.API_VERSION} is known"
            )
        metadata = document.get("metadata")
        if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
            raise ManifestError(f"{file}: an {names.KIND} without metadata.name")
        if not _NAME.fullmatch(metadata["name"]):
            raise ManifestError(f"{file}: tenant {metadata['name']}: metadata.name {names.NAME_RULE}")
        try:
            yield parse({"metadata": {"name": metadata["name"], "uid": ""}, "spec": document.get("spec")})
        except InvalidSpec as error:
            raise ManifestError(f"{file}: tenant {metadata['name']}: {error}") from error
