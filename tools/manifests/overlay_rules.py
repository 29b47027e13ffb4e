"""What kustomizations must be: nothing from elsewhere; overlays patch, and leave alone whose tenant it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tools.manifests import files
from tools.manifests.findings import ENVIRONMENTS, TENANT, Finding, Object, at, metadata, notes, subject

_WHO = "airflowtenants.io/tenant"
#: fields by which a patch would make a tenant somebody else's
_IDENTITY = ("spec.owner.team", "spec.namespace")
#: of names that kustomize makes of a content: https://github.com/kubernetes-sigs/kustomize/blob/master/api/hasher
_HASH = re.compile(r"-[bcdfghkmt2456789]{10}$")
_ENTRY_POINTS = frozenset({"argoproj.io", "kustomize.toolkit.fluxcd.io", "source.toolkit.fluxcd.io"})
#: what a promotion may write: the one file of production that a team approves by itself
_RELEASE = re.compile(r"/spec/dags/sources/\d+/gitSync/ref")


def remote_findings(folder: Path) -> Iterator[Finding]:
    """What was reviewed is what is applied: nothing is fetched from elsewhere at build time."""
    for where, field, entry in files.remote(folder):
        message = "is fetched when it is built, and may be another one tomorrow: copy it into the repository"
        yield Finding("remote", where.as_posix(), f"{field}[{entry}]", message)


def overlay_findings(folder: Path, layer: str) -> Iterator[Finding]:
    """Overlays (`layer` staging or production) take in other kustomizations and patch them, no more."""
    if layer not in ENVIRONMENTS:
        return
    content = files.read_kustomization(folder)
    name = folder.as_posix()
    for field, entry in files.entries(content):
        file = folder / entry
        if field == "resources" and file.is_file() and not _is_entry_point(file):
            message = "an overlay only patches: move the object to base, so that staging has proven it"
            yield Finding("patch-only", name, f"resources[{entry}]", message)
    for field in ("namePrefix", "nameSuffix", "namespace"):
        if content.get(field):
            yield Finding("patch-only", name, field, "names are the same in every cluster: remove it")
    generators = content.get("configMapGenerator")
    for entry in generators if isinstance(generators, list) else []:
        if isinstance(entry, dict) and entry.get("behavior") not in ("merge", "replace"):
            message = "an overlay only patches: set behavior to merge or replace"
            yield Finding("patch-only", name, f"configMapGenerator[{entry.get('name')}]", message)
    if content.get("secretGenerator"):
        message = "a secret from a file or literal in Git: use an ExternalSecret, or encrypt it with SOPS"
        yield Finding("plain-secret", name, "secretGenerator", message)


def _is_entry_point(file: Path) -> bool:
    """The object by which a GitOps tool finds this very folder: each cluster has its own by nature."""
    found = files.documents(file)
    listed = found if isinstance(found, list) else []
    groups = {str(document.get("apiVersion")).partition("/")[0] for document in listed}
    return bool(groups) and groups <= _ENTRY_POINTS


def compared(folder: Path, base: tuple[Object, ...], built: tuple[Object, ...]) -> Iterator[Finding]:
    """An overlay has base's objects and no others, and its tenants are whose they are in base.

    It is the result that is compared: patches, components, transformers and replacements all end there.
    """
    name = folder.as_posix()
    before = {_key(found): found for found in base}
    after = {_key(found): found for found in built}
    for key in sorted(set(after) - set(before)):
        message = "only this overlay has it: move it to base, so that staging has proven it"
        yield Finding("patch-only", name, subject(after[key]), message)
    for key in sorted(set(before) - set(after)):
        yield Finding("patch-only", name, subject(before[key]), "base has it: an overlay takes nothing away")
    for key in sorted(set(before) & set(after)):
        for field in _fields(after[key]):
            if _value(before[key], field) != _value(after[key], field):
                message = "an overlay must not change whose tenant it is: only base says that"
                yield Finding("identity", subject(after[key]), field, message)


def _key(found: Object) -> tuple[str, str, str]:
    kind, data = str(found.get("kind")), metadata(found)
    name = str(data.get("name"))
    if kind in ("ConfigMap", "Secret"):
        name = _HASH.sub("", name)
    return kind, str(data.get("namespace") or ""), name


def _fields(found: Object) -> Iterator[str]:
    if found.get("kind") == TENANT:
        yield from _IDENTITY
    yield f"metadata.annotations[{_WHO}]"


def _value(found: Object, field: str) -> Any:
    return notes(found).get(_WHO) if field.endswith("]") else at(found, field)


def release_findings(file: Path) -> Iterator[Finding]:
    """A release.yaml writes the release of the DAGs and nothing else: a team approves it by itself."""
    try:
        operations = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return  # found as what it is
    if not isinstance(operations, list):
        yield Finding("release", file.as_posix(), "", "write it as a list of `test` and `replace` operations")
        return
    for index, operation in enumerate(operations):
        step = operation if isinstance(operation, dict) else {}
        place = str(step.get("path"))
        allowed = step.get("op") == "replace" and _RELEASE.fullmatch(place)
        if step.get("op") != "test" and not allowed:
            message = (
                "a promotion replaces /spec/dags/sources/N/gitSync/ref only: move the rest to tenant.yaml"
            )
            yield Finding("release", file.as_posix(), f"[{index}] {step.get('op')} {place}", message)
