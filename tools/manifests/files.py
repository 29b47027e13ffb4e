"""The files of manifests: which are kustomizations, what they name, what is in them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import yaml

from tools.manifests.findings import TENANT, Object, metadata
from tools.manifests.overlays import FILES

_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
#: of a clone itself, never below it
_CLONE = frozenset({".venv", "node_modules"})
#: more values than this: aliases within aliases, or one that holds itself
_LARGEST = 1_000_000
#: fields of a kustomization that name files, folders or addresses; of entries that are mappings, these keys
_ENTRIES = ("resources", "bases", "components", "crds", "configurations", "generators", "transformers")
_MORE_ENTRIES = ("validators", "patches", "patchesStrategicMerge", "patchesJson6902", "replacements")
_GENERATORS = ("configMapGenerator", "secretGenerator")


class _AnyTag(yaml.CSafeLoader):
    """Reads files with tags of other programs (CloudFormation's !Ref): the values do not matter here."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        """A key twice is an error: programs differ in which one they take."""
        keys: list[str] = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = next((key for key in keys if keys.count(key) > 1 and key != "<<"), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {twice} is there twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


_AnyTag.add_multi_constructor("", lambda _loader, _suffix, _node: None)


def kustomization(folder: Path) -> Path | None:
    """The folder's kustomization, whichever of the three names it has."""
    return next((folder / name for name in FILES if (folder / name).is_file()), None)


def kustomizations(root: Path) -> list[Path]:
    """Every folder with a kustomization, components left out: they are built in overlays."""
    found = {file.parent for name in FILES for file in root.rglob(name) if not _skipped(file, root)}
    return sorted(folder for folder in found if read_kustomization(folder).get("kind") != "Component")


def read_kustomization(folder: Path) -> Object:
    """Its content; empty when it cannot be read: kustomize says more about it."""
    file = kustomization(folder)
    found = documents(file) if file else []
    return found[0] if isinstance(found, list) and found else {}


def entries(content: Object) -> Iterator[tuple[str, str]]:
    """(field, entry) of everything that a kustomization names: files, folders, addresses."""
    for field in (*_ENTRIES, *_MORE_ENTRIES):
        for entry in _list(content.get(field)):
            named = entry.get("path") if isinstance(entry, dict) else entry
            # generators and transformers may be written inline
            if isinstance(named, str) and "\n" not in named:
                yield field, named
    for field in _GENERATORS:
        for generator in _list(content.get(field)):
            of = generator if isinstance(generator, dict) else {}
            for entry in (*_list(of.get("files")), *_list(of.get("envs")), of.get("env")):
                if isinstance(entry, str):
                    yield field, entry.rpartition("=")[2] if "://" not in entry else entry
    schema = content.get("openapi")
    if isinstance(schema, dict) and isinstance(schema.get("path"), str):
        yield "openapi", schema["path"]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def named_files(root: Path) -> set[Path]:
    """Every file that a kustomization names. Kustomize lets one name only files below its own folder."""
    folders = {file.parent for name in FILES for file in root.rglob(name)}
    folders |= {folder for folder in root.absolute().parents if kustomization(folder)}
    named = set()
    for folder in folders:
        file = kustomization(folder)
        named |= {plain((folder / entry).absolute()) for _, entry in entries(read_kustomization(folder))}
        named |= {file.absolute()} if file else set()
    return named


def yaml_files(root: Path) -> list[Path]:
    """The YAML and JSON files below a folder, or the file itself."""
    if root.is_file():
        return [root]
    found = (path for path in root.rglob("*") if path.suffix in _SUFFIXES or path.name in FILES)
    return sorted(path for path in found if path.is_file() and not _skipped(path, root))


def _skipped(path: Path, root: Path) -> bool:
    """What is no manifest by where it lies, below the root: names above it say nothing."""
    parts = path.relative_to(root).parts
    if ".git" in parts or parts[0] in _CLONE:
        return True
    folders = [root.joinpath(*parts[:depth]) for depth in range(1, len(parts))]
    return any(
        (folder.name == "templates" and (folder.parent / "Chart.yaml").is_file())  # text with {{ }}
        or (
            folder.name == "testdata" and "resource_customizations" in folder.parts
        )  # what Argo CD's tests look at
        for folder in folders
    )


def documents(file: Path) -> list[Object] | str:
    """The mappings in a file, those of Lists one by one, or why it cannot be read."""
    try:
        loaded = list(yaml.load_all(file.read_text(encoding="utf-8"), Loader=_AnyTag))
        if not _bounded(loaded):
            return "an alias holds itself, or aliases make it too large: write it out"
    except (OSError, ValueError, TypeError, RecursionError, yaml.YAMLError) as error:
        return " ".join(str(error).split())
    found = [document for document in loaded if isinstance(document, dict)]
    return [single for document in found for single in unpacked(document)]


def _bounded(loaded: list[Any]) -> bool:
    waiting, seen = list(loaded), 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if seen > _LARGEST:
            return False
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return True


def unpacked(document: Object) -> Iterator[Object]:
    """The objects of a List, as kubectl takes it; another document is its own only one."""
    listed = document.get("items")
    if (
        str(document.get("kind") or "").endswith("List")
        and isinstance(listed, list)
        and "spec" not in document
    ):
        for item in listed:
            if isinstance(item, dict):
                yield from unpacked(item)
    else:
        yield document


def is_object(document: Object) -> bool:
    """Whether a document is for a Kubernetes API server: no kustomization, no values."""
    api_version = str(document.get("apiVersion") or "")
    return bool(api_version and document.get("kind")) and not api_version.startswith(
        "kustomize.config.k8s.io/"
    )


def governed(file: Path, root: Path) -> bool:
    """Whether a kustomization lies in the file's folder or above it, up to `root`."""
    if root.is_file():
        return False
    folder = file.parent
    while True:
        if kustomization(folder):
            return True
        if folder in (root, folder.parent):
            return False
        folder = folder.parent


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
    named = list(entries(read_kustomization(folder)))
    order = ("patches", "components", "resources")
    for entry in (entry for field in order for name, entry in named if name == field):
        path = plain(folder / entry)
        if path.is_dir():
            yield from _layers(path, seen)
        elif path.is_file():
            yield path


def remote(folder: Path, seen: set[Path] | None = None) -> Iterator[tuple[Path, str, str]]:
    """(folder, field, entry) of what kustomize would fetch for a folder and those that it takes in."""
    seen = set() if seen is None else seen
    if folder in seen:
        return
    seen.add(folder)
    for field, entry in entries(read_kustomization(folder)):
        path = plain(folder / entry)
        if _is_address(entry) and not path.exists():
            yield folder, field, entry
        elif path.is_dir():
            yield from remote(path, seen)


def _is_address(entry: str) -> bool:
    host = entry.partition("/")[0]
    return (
        "://" in entry or "::" in entry or "?" in entry or "//" in entry or ":" in host
        or ("/" in entry and "." in host.strip("."))
    )  # fmt: skip


def plain(path: Path) -> Path:
    """Without `..` and `.`, links left as they are: manifests/ itself may be reached by one."""
    kept: list[str] = []
    for part in path.parts:
        if part == ".." and kept and kept[-1] != "..":
            kept.pop()
        else:
            kept.append(part)
    return Path(*kept)
