"""The operator's defaults name images that stay what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.kustomization import build
from tools.manifests.default_rules import operator_defaults
from tools.manifests.findings import Source
from tools.manifests.rules import REGISTRY, RULES

ROOT = Path(__file__).resolve().parents[2]
GOOD = {"repository": "registry.example.com/a", "tag": "1-2"}


def found(data: Any) -> list[tuple[str, str]]:
    item = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "airflow-tenant-operator-defaults-abc", "namespace": "n"},
        "data": data,
    }
    return [(one.rule, one.field) for one in operator_defaults(Source(Path("x"), (item,)), REGISTRY)]


def images(**fields: Any) -> dict[str, str]:
    return {"defaults.yaml": yaml.safe_dump({"images": {"airflow": fields}})}


@pytest.mark.parametrize(
    "data",
    [
        images(**GOOD),
        images(repository=GOOD["repository"], digest="sha256:" + "a" * 64),
        {"defaults.yaml": "images: ["},
        {"defaults.yaml": "images: 3"},
        {"defaults.yaml": ""},
        None,
    ],
)
def test_fixed_images_of_the_company_are_no_finding(data: Any) -> None:
    assert found(data) == []


@pytest.mark.parametrize("tag", ["", None, "latest"])
def test_a_default_without_a_tag_of_its_own_is_a_finding(tag: str | None) -> None:
    place = "data[defaults.yaml].images.airflow.tag"
    assert found(images(**{**GOOD, "tag": tag})) == [("fixed-image", place)]


def test_a_default_of_another_registry_is_a_finding() -> None:
    place = "data[defaults.yaml].images.airflow.repository"
    assert found(images(repository="docker.io/a", tag="1")) == [("registry", place)]


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_make_validate_looks_at_what_the_clusters_have(environment: str) -> None:
    assert operator_defaults in RULES
    built = build(ROOT / "manifests/operator" / environment)
    assert list(operator_defaults(Source(Path("x"), tuple(built)), REGISTRY)) == []
    named = [item for item in built if "operator-defaults-" in item["metadata"]["name"]]
    [text] = [item["data"]["defaults.yaml"] for item in named]
    assert len(yaml.safe_load(text)["images"]) == 5
