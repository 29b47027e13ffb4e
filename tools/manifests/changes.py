"""Compare two builds of manifests/: which objects come, go or change, and which of it is dangerous."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tenant_operator.core import names
from tools.manifests.overlays import Json

_CONTEXT_LINES = 3
_ARGO_OPTIONS = "argocd.argoproj.io/sync-options"
_FLUX_PRUNE = "kustomize.toolkit.fluxcd.io/prune"
_HIDDEN = "(hidden)"
#: what kustomize puts behind the name of a generated ConfigMap or Secret: a new content is a new name
#: https://github.com/kubernetes-sigs/kustomize/blob/master/api/hasher/hasher.go
_HASH = re.compile(r"-[2456789bcdfghkmt]{10}$")
#: what goes with an object of this kind
_DANGEROUS_TO_LOSE = {
    names.KIND: "the operator then follows spec.deletionPolicy",
    "Namespace": "everything in it goes, volumes included",
    "CustomResourceDefinition": "every object of its kind goes, in all namespaces",
    "PersistentVolumeClaim": "its data may go",
}


@dataclass(frozen=True, order=True)
class Key:
    """Which object it is; `group` is the API group without its version, so that a new version is a change."""

    kind: str
    namespace: str
    name: str
    group: str

    @classmethod
    def of(cls, item: Json) -> Key:
        """The key of an object."""
        metadata = item.get("metadata") or {}
        group = str(item.get("apiVersion", "")).rpartition("/")[0]
        kind, namespace = str(item.get("kind", "")), str(metadata.get("namespace", ""))
        name = str(metadata.get("name", ""))
        if kind in {"ConfigMap", "Secret"}:
            name = _HASH.sub("", name)
        return cls(kind, namespace, name, group)

    def __str__(self) -> str:
        """`Kind namespace/name`, for people."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Change:
    """One object that is `added`, `removed` or `changed` in the same way in these overlays."""

    key: Key
    verb: str
    diff: str
    overlays: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """All changes, and warnings that a reviewer must not overlook."""

    changes: tuple[Change, ...]
    warnings: tuple[str, ...]


def compare(before: Mapping[str, Iterable[Json]], after: Mapping[str, Iterable[Json]]) -> Comparison:
    """Compare objects by overlay. Values of Secrets never appear in the result."""
    found: dict[tuple[Key, str, str], list[str]] = {}
    warnings: dict[str, list[str]] = {}
    for overlay in sorted({*before, *after}):
        old = {Key.of(item): item for item in before.get(overlay, ())}
        new = {Key.of(item): item for item in after.get(overlay, ())}
        for key in sorted({*old, *new}):
            was, will = old.get(key), new.get(key)
            if was == will:
                continue
            verb = "added" if was is None else "removed" if will is None else "changed"
            found.setdefault((key, verb, _diff(was, will)), []).append(overlay)
            for warning in _warnings(key, was, will):
                warnings.setdefault(warning, []).append(overlay)
    changes = (Change(key, verb, diff, tuple(where)) for (key, verb, diff), where in found.items())
    told = (f"{warning} ({', '.join(where)})" for warning, where in warnings.items())
    return Comparison(tuple(sorted(changes, key=lambda change: (change.overlays, change.key))), tuple(told))


def _diff(was: Json | None, will: Json | None) -> str:
    was, will = _without_secrets(was, will)
    lines = difflib.unified_diff(_lines(was), _lines(will), n=_CONTEXT_LINES, lineterm="")
    return "\n".join(list(lines)[2:])  # without the two lines that name files


def _lines(item: Json | None) -> list[str]:
    return yaml.dump(item, Dumper=_Dumper, width=1000).splitlines() if item else []


class _Dumper(yaml.SafeDumper):
    """Texts of several lines stay several lines: a diff of one endless line says nothing."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


_Dumper.add_representer(str, _Dumper.represent_str)


def _without_secrets(was: Json | None, will: Json | None) -> tuple[Json | None, Json | None]:
    """Both with the values of a Secret hidden; a value that changes is still seen to change."""
    if (was or will or {}).get("kind") != "Secret":
        return was, will
    return _hidden(was, will, "before"), _hidden(will, was, "after")


def _hidden(item: Json | None, other: Json | None, when: str) -> Json | None:
    if item is None:
        return None
    result = dict(item)
    for field in ("data", "stringData"):
        values = item.get(field) or {}
        others = (other or {}).get(field) or {}
        if values:
            result[field] = {
                key: _HIDDEN if other is None or others.get(key) == value else f"{_HIDDEN[:-1]}, {when})"
                for key, value in values.items()
            }
    annotations = _annotations(result)
    if any(name.endswith("last-applied-configuration") for name in annotations):
        kept = {k: v for k, v in annotations.items() if not k.endswith("last-applied-configuration")}
        result["metadata"] = {**result["metadata"], "annotations": kept}
    return result


def _warnings(key: Key, was: Json | None, will: Json | None) -> Iterator[str]:
    if was is None:
        return
    if will is None:
        if key.kind in _DANGEROUS_TO_LOSE:
            policy = _get(was, "spec", "deletionPolicy")
            detail = f" (deletionPolicy: {policy})" if policy else ""
            yield f"{key} is removed: {_DANGEROUS_TO_LOSE[key.kind]}{detail}"
        return
    if key.kind == names.KIND:
        before, after = _get(was, "spec", "deletionPolicy"), _get(will, "spec", "deletionPolicy")
        if before != after:
            yield f"{key}: deletionPolicy changes from {before or 'unset'} to {after or 'unset'}"
    lost = sorted(_guards(was) - _guards(will))
    if lost and key.kind in _DANGEROUS_TO_LOSE:
        yield f"{key} loses its protection from being pruned: {', '.join(lost)}"


def _guards(item: Json) -> set[str]:
    """What keeps Argo CD and Flux from deleting an object that leaves Git."""
    annotations = _annotations(item)
    options = {option.strip() for option in str(annotations.get(_ARGO_OPTIONS, "")).split(",")}
    found = {option for option in options if option.startswith(("Prune=", "Delete="))}
    return found | ({f"{_FLUX_PRUNE}: disabled"} if annotations.get(_FLUX_PRUNE) == "disabled" else set())


def _annotations(item: Json) -> dict[str, Any]:
    return dict((item.get("metadata") or {}).get("annotations") or {})


def _get(item: Json, *path: str) -> Any:
    value: Any = item
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
