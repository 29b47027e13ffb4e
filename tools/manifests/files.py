"""What the files themselves must be: overlays hold patches only and leave alone whose tenant it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tools.manifests.findings import TENANT, Finding, Object, at, metadata, notes

KUSTOMIZATION = "kustomization.yaml"
_ENVIRONMENTS = frozenset({"staging", "production"})
_SKIPPED = frozenset({".git", ".venv", "node_modules", "templates", "testdata"})
#: fields by which a patch would make a tenant somebody else's
_IDENTITY = ("spec.owner.team", "spec.namespace", "metadata.namespace")
_WHO = "airflowtenants.io/tenant"


class _AnyTag(yaml.CSafeLoader):
    """Reads files with tags of other programs (CloudFormation's !Ref): the values do not matter here."""


_AnyTag.add_multi_constructor("", lambda _loader, _suffix, _node: None)


def kustomizations(root: Path) -> list[Path]:
    """Every folder with a kustomization.yaml, components left out: they are built in overlays."""
    found = (path.parent for path in root.rglob(KUSTOMIZATION) if not _SKIPPED & set(path.parts))
    return sorted(folder for folder in found if read_kustomization(folder).get("kind") != "Component")


def read_kustomization(folder: Path) -> Object:
    """Its content; empty when it cannot be read: kustomize says more about it."""
    try:
        content = yaml.safe_load((folder / KUSTOMIZATION).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def yaml_files(root: Path) -> list[Path]:
    """The YAML files below a folder, or the file itself."""
    if root.is_file():
        return [root]
    found = (path for path in root.rglob("*") if path.suffix in {".yaml", ".yml"} and path.is_file())
    return sorted(path for path in found if not _SKIPPED & set(path.parts))


def documents(file: Path) -> list[Object] | str:
    """The mappings in a file, or why it cannot be read."""
    try:
        loaded = list(yaml.load_all(file.read_text(encoding="utf-8"), Loader=_AnyTag))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        return " ".join(str(error).split())
    return [document for document in loaded if isinstance(document, dict)]


def is_object(document: Object) -> bool:
    """Whether a document is for a Kubernetes API server: no kustomization, no values."""
    api_version = str(document.get("apiVersion") or "")
    return bool(api_version and document.get("kind")) and not api_version.startswith(
        "kustomize.config.k8s.io/"
    )


def loose(root: Path) -> list[Path]:
    """Files that no kustomization is responsible for: none lies in their folder or above it, up to `root`."""
    files = yaml_files(root)
    if root.is_file():
        return files
    return [file for file in files if not _governed(file, root)]


def _governed(file: Path, root: Path) -> bool:
    folder = file.parent
    while True:
        if (folder / KUSTOMIZATION).is_file():
            return True
        if folder in (root, folder.parent):
            return False
        folder = folder.parent


def overlay_findings(folder: Path) -> Iterator[Finding]:
    """Overlays (below `staging` or `production`) take in other kustomizations and patch them, no more."""
    if not _ENVIRONMENTS & set(folder.parts):
        return
    content = read_kustomization(folder)
    name = folder.as_posix()
    for entry in content.get("resources") or []:
        if not (folder / str(entry)).is_dir() and not _is_entry_point(folder / str(entry)):
            message = "an overlay only patches: move the object to base, so that staging has proven it"
            yield Finding("patch-only", name, f"resources[{entry}]", message)
    for field in ("namePrefix", "nameSuffix", "namespace"):
        if content.get(field):
            yield Finding("patch-only", name, field, "names are the same in every cluster: remove it")
    for entry in content.get("configMapGenerator") or []:
        if isinstance(entry, dict) and entry.get("behavior") not in ("merge", "replace"):
            message = "an overlay only patches: set behavior to merge or replace"
            yield Finding("patch-only", name, f"configMapGenerator[{entry.get('name')}]", message)
    if content.get("secretGenerator"):
        message = "a secret from a file or literal in Git: use an ExternalSecret, or encrypt it with SOPS"
        yield Finding("plain-secret", name, "secretGenerator", message)
    yield from _patches(folder, content)


def _is_entry_point(file: Path) -> bool:
    """The object by which a GitOps tool finds this very folder: each cluster has its own by nature."""
    found = documents(file)
    groups = {
        str(document.get("apiVersion")).partition("/")[0] for document in found if isinstance(document, dict)
    }
    return bool(groups) and groups <= {
        "argoproj.io",
        "kustomize.toolkit.fluxcd.io",
        "source.toolkit.fluxcd.io",
    }


def _patches(folder: Path, content: Object) -> Iterator[Finding]:
    for patch in content.get("patches") or []:
        file = folder / str(patch.get("path")) if isinstance(patch, dict) and patch.get("path") else None
        found = documents(file) if file and file.is_file() else []
        for document in found if isinstance(found, list) else []:
            if document.get("kind") != TENANT:
                continue
            for field in (*_IDENTITY, f"metadata.annotations.{_WHO}"):
                value = notes(document).get(_WHO) if field.endswith(_WHO) else at(document, field)
                if value is not None:
                    message = "an overlay must not change whose tenant it is: only base says that"
                    who = f"{TENANT} {metadata(document).get('name')}"
                    yield Finding("identity", who, field, message, (file or folder).as_posix())


def origin(folder: Path, tenant: str, field: str) -> str:
    """The file that says the field of a tenant, patches before bases; empty when none is found."""
    wanted = [step.partition("[")[0] for step in field.split(".")]
    deepest, where = 0, ""
    for file in _layers(folder, set()):
        found = documents(file)
        for document in found if isinstance(found, list) else []:
            if document.get("kind") == TENANT and metadata(document).get("name") == tenant:
                depth = _depth(document, wanted)
                if depth == len(wanted):
                    return file.as_posix()  # the first layer wins
                if depth >= deepest:
                    deepest, where = depth, file.as_posix()  # what is missing belongs into base
    return where


def _depth(document: Any, steps: list[str]) -> int:
    depth = 0
    for step in steps:
        if not isinstance(document, dict) or step not in document:
            break
        document = document[step]
        depth += 1
    return depth


def _layers(folder: Path, seen: set[Path]) -> Iterator[Path]:
    """The files of a kustomization, patches before what they patch."""
    if folder in seen:
        return
    seen.add(folder)
    content = read_kustomization(folder)
    patches = [entry.get("path") for entry in content.get("patches") or [] if isinstance(entry, dict)]
    entries = [*patches, *(content.get("components") or []), *(content.get("resources") or [])]
    for entry in (str(entry) for entry in entries if entry):
        path = Path(*_normal((folder / entry).parts))
        if path.is_dir():
            yield from _layers(path, seen)
        elif path.is_file():
            yield path


def _normal(parts: tuple[str, ...]) -> list[str]:
    kept: list[str] = []
    for part in parts:
        if part == ".." and kept and kept[-1] != "..":
            kept.pop()
        else:
            kept.append(part)
    return kept
