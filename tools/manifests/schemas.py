"""JSON schemas of every kind in manifests/, so that kubeconform needs no network.

    python -m tools.manifests.schemas CRD.yaml...      vendor the kinds of CustomResourceDefinitions

Kubernetes' own kinds come from the package kubernetes-validate, AirflowTenant from the operator's definition
here; kinds of other projects are vendored in data/schemas (data/README.md says from which releases). Vendored
schemas are the definitions' without texts and status, closed against unknown fields, with repetitions shared.
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from devcluster.recipes import KUBERNETES

ROOT = Path(__file__).resolve().parents[2]
VENDORED = Path(__file__).resolve().parent / "data" / "schemas"
OWN_DEFINITION = ROOT / "operator" / "crd" / "airflowtenants.airflowtenants.io.yaml"

Schema = dict[str, Any]
#: apiVersion and kind, as in a manifest
Type = tuple[str, str]

_KEPT = (
    *(
        "type",
        "format",
        "enum",
        "pattern",
        "required",
        "nullable",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
    ),
    *("minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"),
)
_MAPS, _LISTS, _ONE = ("properties", "patternProperties"), ("allOf", "anyOf", "oneOf"), ("items", "not")
_SHARED_FROM = 160  # characters: a shorter part is not worth a reference
_DEFINITIONS = re.compile(r"^(?:/api/_definitions\.json)?#/\$defs/(.+)$")
_UNSERVED = ("$id", "$schema", "description", "x-kubernetes-group-version-kind")


def path_of(folder: Path, api_version: str, kind: str) -> Path:
    """Where kubeconform looks for a schema, see `location`."""
    group, _, version = api_version.rpartition("/")
    return folder / (group or "core") / f"{kind.lower()}_{version}.json"


def location(folder: Path, *, core: bool = False) -> str:
    """The value of kubeconform's -schema-location for a folder of schemas; core: of kinds without a group."""
    group = "core" if core else "{{.Group}}"
    return f"{folder}/{group}/{{{{.ResourceKind}}}}_{{{{.ResourceAPIVersion}}}}.json"


def _children(schema: Schema, convert: Callable[[Schema], Any]) -> Schema:
    """The schema with `convert` applied to every schema directly inside it."""
    result = dict(schema)
    for key in _MAPS:
        if isinstance(schema.get(key), dict):
            result[key] = {name: convert(part) for name, part in schema[key].items()}
    for key in _LISTS:
        if key in schema:
            result[key] = [convert(part) for part in schema[key]]
    for key in (*_ONE, "additionalProperties"):
        if isinstance(schema.get(key), dict):
            result[key] = convert(schema[key])
    return result


def strict(schema: Schema) -> Schema:
    """An OpenAPI schema of a definition as plain JSON schema: no texts, no fields that it does not name."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    kept = {key: schema[key] for key in (*_KEPT, *_MAPS, *_LISTS, *_ONE) if key in schema}
    if "additionalProperties" in schema:
        kept["additionalProperties"] = schema["additionalProperties"]
    elif "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        kept["additionalProperties"] = False
    if kept.pop("nullable", False) and isinstance(kept.get("type"), str):
        kept["type"] = [kept["type"], "null"]
    # a part of allOf, anyOf or oneOf only adds conditions: closed, it would refuse what its neighbours allow
    closed = {key: [_open(part) for part in kept[key]] for key in _LISTS if key in kept}
    return {**_children({k: v for k, v in kept.items() if k not in _LISTS}, strict), **closed}


def _open(schema: Schema) -> Schema:
    kept = {key: schema[key] for key in (*_KEPT, *_MAPS, *_LISTS, *_ONE) if key in schema}
    return _children(kept, _open)


def shared(schema: Schema) -> Schema:
    """The same schema with parts that occur twice written once, below $defs."""
    counts: Counter[str] = Counter()

    def count(part: Schema) -> Schema:
        counts[_text(part)] += 1
        if counts[_text(part)] == 1:
            _children(part, count)
        return part

    _children(schema, count)
    names: dict[str, str] = {}
    definitions: dict[str, Schema] = {}

    def replace(part: Schema) -> Schema:
        text = _text(part)
        if counts[text] < 2 or len(text) < _SHARED_FROM:
            return _children(part, replace)
        if text not in names:
            names[text] = f"part{len(names) + 1}"
            definitions[names[text]] = _children(part, replace)
        return {"$ref": f"#/$defs/{names[text]}"}

    result = _children(schema, replace)
    return result | ({"$defs": definitions} if definitions else {})


def _text(part: Schema) -> str:
    return json.dumps(part, sort_keys=True)


def of_definition(definition: Mapping[str, Any]) -> dict[Type, Schema]:
    """The schemas of a CustomResourceDefinition's served versions."""
    spec = definition["spec"]
    found = {}
    for version in spec["versions"]:
        if not version["served"]:
            continue
        schema = strict(version["schema"]["openAPIV3Schema"])
        schema["properties"] = {
            **{name: part for name, part in schema["properties"].items() if name != "status"},
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
        }
        found[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = shared(schema)
    return found


@functools.cache
def _kubernetes_folder() -> Path:
    """The newest schemas of the minor release that the dev cluster runs, 1.34 for example."""
    minor = ".".join(KUBERNETES.removeprefix("v").split(".")[:2])
    base = Path(str(resources.files("kubernetes_validate"))) / "kubernetes-json-schema"
    return base / f"v{minor}.0-local-strict"


@functools.cache
def _kubernetes_definitions() -> dict[str, Schema]:
    loaded: dict[str, Schema] = json.loads((_kubernetes_folder() / "_definitions.json").read_text("utf-8"))[
        "$defs"
    ]
    return loaded


def of_kubernetes(api_version: str, kind: str) -> Schema | None:
    """The schema of one of Kubernetes' own kinds, complete in itself; None for a kind that it has not."""
    group, _, version = api_version.rpartition("/")
    short = group.removesuffix(".k8s.io").split(".")[0]
    file = _kubernetes_folder() / f"{'-'.join(part for part in (kind.lower(), short, version) if part)}.json"
    if not file.is_file():
        return None
    definitions: dict[str, Schema] = {}

    def convert(part: Any) -> Any:
        if isinstance(part, list):
            return [convert(item) for item in part]
        if not isinstance(part, dict):
            return part
        if match := _DEFINITIONS.match(str(part.get("$ref", ""))):
            name = match[1]
            if name not in definitions:
                definitions[name] = {}  # some refer to themselves
                definitions[name] = convert(_kubernetes_definitions()[name])
            return {"$ref": f"#/$defs/{name}"}
        return {key: convert(value) for key, value in part.items() if key not in _UNSERVED[:2]}

    schema: Schema = convert(json.loads(file.read_text("utf-8")))
    return schema | {"$defs": definitions}


def write(folder: Path, schemas: Mapping[Type, Schema]) -> list[Path]:
    """One file a kind; returns the paths."""
    paths = []
    for (api_version, kind), schema in sorted(schemas.items()):
        path = path_of(folder, api_version, kind)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(schema, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8")
        paths.append(path)
    return paths


@functools.cache
def _own() -> dict[Type, Schema]:
    return of_definition(yaml.load(OWN_DEFINITION.read_text("utf-8"), Loader=yaml.CSafeLoader))


def prepare(folder: Path, types: Iterable[Type]) -> list[str]:
    """Write what is not vendored for these types; returns the values for kubeconform's -schema-location."""
    wanted: dict[Type, Schema] = {}
    for found in sorted(set(types)):
        schema = None if path_of(VENDORED, *found).is_file() else of_kubernetes(*found)
        if schema is not None:
            wanted[found] = schema
    write(folder, wanted | _own())
    return [location(folder), location(folder, core=True), location(VENDORED)]


def main(arguments: list[str]) -> int:
    """Vendor definitions; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.manifests.schemas",
        description="Vendor the schemas of CustomResourceDefinitions.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="CRD.yaml")
    for file in parser.parse_args(arguments).files:
        for document in yaml.safe_load_all(file.read_text("utf-8")):
            if document and document.get("kind") == "CustomResourceDefinition":
                for path in write(VENDORED, of_definition(document)):
                    print(f"{path.relative_to(VENDORED)}: {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
