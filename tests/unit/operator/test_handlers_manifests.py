"""Tenants out of files, as people and kubectl write them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import yaml

from tenant_operator.core import names
from tenant_operator.core.kinds import Object
from tenant_operator.handlers import manifests

SPEC = {"owner": {"team": "payments", "email": "payments@example.com"}}


def tenant(name: str = "payments", **more: object) -> Object:
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": name},
        "spec": SPEC,
        **more,
    }


def read(folder: Path, *documents: object) -> list[str]:
    file = folder / "tenants.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    return [found.name for found in manifests.read([file])]


def test_other_kinds_are_passed_over(tmp_path: Path) -> None:
    assert read(tmp_path, {"kind": "ConfigMap"}, tenant(), None, "text") == ["payments"]


@pytest.mark.parametrize("kind", ["List", f"{names.KIND}List"])
def test_what_kubectl_get_prints_is_read(tmp_path: Path, kind: str) -> None:
    items = [tenant("payments"), tenant("analytics", status={"phase": "x"})]
    assert read(tmp_path, {"apiVersion": "v1", "kind": kind, "items": items}) == ["payments", "analytics"]


def test_a_dash_is_the_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(yaml.safe_dump(tenant())))
    assert [found.name for found in manifests.read([Path("-")])] == ["payments"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"metadata": "x"}, "without metadata.name"),
        ({"metadata": {"name": 7}}, "without metadata.name"),
        ({"metadata": None}, "without metadata.name"),
        ({"apiVersion": "airflowtenants.io/v0"}, f"only {names.API_VERSION} is known"),
        ({"apiVersion": "airflowtenants.io/v1"}, f"only {names.API_VERSION} is known"),
        ({"metadata": {"name": "Bad_Name"}}, "tenant Bad_Name: metadata.name must start with a letter"),
        ({"metadata": {"name": "a" * 41}}, "metadata.name must be at most 40 characters"),
        ({"spec": {}}, "tenant payments: spec.owner"),
        ({"spec": "x"}, "tenant payments: spec: "),
    ],
)
def test_what_is_no_tenant_is_said_with_the_file(tmp_path: Path, wrong: Object, words: str) -> None:
    with pytest.raises(manifests.ManifestError) as caught:
        read(tmp_path, {**tenant(), **wrong})
    assert str(tmp_path / "tenants.yaml") in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["a: 2026-99-99", "a: [", "&a {kind: List, items: [*a]}", "a: !!python/x y"])
def test_odd_yaml_is_said_with_the_file(tmp_path: Path, text: str) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text(text)
    with pytest.raises(manifests.ManifestError, match=r"odd\.yaml: "):
        manifests.read([file])


def test_bytes_that_are_no_text_are_said_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "odd.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(manifests.ManifestError, match=r"odd\.yaml: "):
        manifests.read([file])


def test_what_the_cluster_adds_to_a_tenant_does_not_matter(tmp_path: Path) -> None:
    metadata: Object = {"name": "payments", "generation": "x", "managedFields": [{}], "uid": None}
    assert read(tmp_path, tenant(metadata=metadata)) == ["payments"]
