from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tenant_operator.api import crd
from tenant_operator.api.rules import Model

ROOT = Path(__file__).resolve().parents[3]
COMMITTED = ROOT / "operator" / "crd" / "airflowtenants.airflowtenants.io.yaml"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    found: dict[str, Any] = crd.crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def nodes(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema inside a schema."""
    yield path, node
    for key, value in node.get("properties", {}).items():
        yield from nodes(value, f"{path}.{key}")
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield from nodes(node[key], f"{path}[]")


def test_the_committed_files_are_what_is_generated() -> None:
    assert COMMITTED.read_text() == crd.to_yaml(), "run `make generate`"
    assert (ROOT / "charts/tenant-operator/files/crd.yaml").read_text() == crd.to_yaml(), (
        "run `make generate`"
    )


def test_it_is_small_enough_for_client_side_apply() -> None:
    assert len(COMMITTED.read_bytes()) < 256 * 1024


def test_it_is_structural(schema: dict[str, Any]) -> None:
    for path, node in nodes(schema):
        assert "$ref" not in node, path
        assert "title" not in node, path
        assert node.get("type") != "null", path
        if "anyOf" in node:
            assert node["x-kubernetes-int-or-string"] is True, path
            assert "type" not in node, path
        else:
            assert "type" in node, path
        if node.get("type") == "object" and path not in {"", ".metadata"}:
            known = "properties" in node or "additionalProperties" in node
            assert known or node.get("x-kubernetes-preserve-unknown-fields"), path
        if node.get("type") == "array":
            assert "items" in node, path


def test_defaults_are_constants(schema: dict[str, Any]) -> None:
    """A default for a list or an object would be written into every stored tenant."""
    for path, node in nodes(schema["properties"]["spec"]):
        assert isinstance(node.get("default", ""), str | int | bool), path


def test_a_new_tenant_says_that_nobody_has_looked_yet(schema: dict[str, Any]) -> None:
    default = schema["properties"]["status"]["default"]
    assert default["observedGeneration"] == 0
    (ready,) = default["conditions"]
    assert (ready["type"], ready["status"], ready["reason"]) == ("Ready", "Unknown", "Pending")


def test_every_field_is_explained(schema: dict[str, Any]) -> None:
    for path, node in nodes(schema["properties"]["spec"], ".spec"):
        if not path.endswith("[]"):
            assert node.get("description"), path


def test_lists_of_the_spec_merge_by_their_keys(schema: dict[str, Any]) -> None:
    spec = schema["properties"]["spec"]["properties"]
    keys = {
        "pools": spec["pools"],
        "connections": spec["connections"],
        "variables": spec["variables"],
        "roles": spec["roles"],
        "sources": spec["dags"]["properties"]["sources"],
        "env": spec["airflow"]["properties"]["env"],
    }
    assert {name: node["x-kubernetes-list-map-keys"] for name, node in keys.items()} == {
        "pools": ["name"],
        "connections": ["id"],
        "variables": ["key"],
        "roles": ["name"],
        "sources": ["name"],
        "env": ["name"],
    }


def test_rules_of_whole_objects_arrive(schema: dict[str, Any]) -> None:
    spec = schema["properties"]["spec"]
    said = {rule["message"] for _, node in nodes(spec) for rule in node.get("x-kubernetes-validations", [])}
    assert {
        "set exactly one of value and secretKeyRef",
        "set exactly one of value and valueSecretRef",
        "set exactly one of cidr and namespace",
        "podLabels goes with namespace",
        "namespace goes with kind ServiceAccount, and only with it",
    } <= said
    assert any(message.startswith("namespace.name cannot be changed") for message in said)
    assert any(message.startswith("database.embedded.storageClassName cannot be changed") for message in said)


def test_every_rule_has_a_message(schema: dict[str, Any]) -> None:
    for path, node in nodes(schema):
        for rule in node.get("x-kubernetes-validations", []):
            assert rule["message"], path


def test_the_status_asks_for_nothing(schema: dict[str, Any]) -> None:
    """A pass writes what it knows: no field may be required but what names a list's entry."""
    for path, node in nodes(schema["properties"]["status"]):
        assert set(node.get("required", [])) <= {"type", "status"}, path


def test_yaml_has_no_aliases() -> None:
    text = crd.to_yaml()
    assert yaml.safe_load(text) == crd.crd()
    assert "&id" not in text


def test_every_rule_of_a_model_is_in_it(schema: dict[str, Any]) -> None:
    written = [str(rule) for _, node in nodes(schema) for rule in node.get("x-kubernetes-validations", [])]

    def models(base: type[Model]) -> Iterator[type[Model]]:
        for model in base.__subclasses__():
            yield model
            yield from models(model)

    ruled = [model for model in models(Model) if model.cel]
    assert {"RemoteLogs", "Slo", "Peer"} <= {model.__name__ for model in ruled}
    for model in ruled:
        for rule in model.cel:
            assert str(rule) in written, (model.__name__, rule)
