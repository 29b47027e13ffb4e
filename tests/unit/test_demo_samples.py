from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from demo import gitserver, samples
from demo.samples import ANALYTICS, PAYMENTS, SAMPLES, Sample
from demo.state import project_root
from tenant_operator.api.tenant import TenantSpec

BASE = project_root() / "manifests" / "tenants" / "base"
DEMO = project_root() / "manifests" / "tenants" / "demo"
DAG_FILES = sorted(samples.REPOSITORIES.glob("*/dags/*.py"))


def tenant(sample: Sample) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((BASE / sample.name / "tenant.yaml").read_text())
    return loaded


def referenced_secrets(value: object) -> set[tuple[str, str]]:
    """Every (Secret, key) that a spec refers to; references without a key need username and password."""
    if isinstance(value, dict):
        found = {
            (ref["name"], key)
            for field, ref in value.items()
            if field.endswith("SecretRef")
            for key in ([ref["key"]] if "key" in ref else ["username", "password"])
        }
        return found.union(*(referenced_secrets(inner) for inner in value.values()))
    return set().union(*(referenced_secrets(inner) for inner in value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
class TestSample:
    def test_the_tenant_is_valid(self, sample: Sample) -> None:
        assert (
            TenantSpec.model_validate(tenant(sample)["spec"]).namespace_for(sample.name) == sample.namespace
        )

    def test_fields_that_protect_data_are_written_out(self, sample: Sample) -> None:
        assert {"suspend", "deletionPolicy"} <= set(tenant(sample)["spec"])

    def test_the_namespace_is_annotated_for_its_tenant(self, sample: Sample) -> None:
        written = yaml.safe_load((BASE / sample.name / "namespace.yaml").read_text())
        prepared = samples.namespace_object(sample)
        assert written["metadata"]["name"] == prepared["metadata"]["name"]
        assert prepared["metadata"]["annotations"].items() <= written["metadata"]["annotations"].items()

    def test_the_demo_makes_exactly_the_secrets_that_the_tenant_names(self, sample: Sample) -> None:
        made = {(name, key) for name, data in sample.secrets.items() for key in data}
        made |= {(samples.GIT_SECRET, "username"), (samples.GIT_SECRET, "password")}
        assert referenced_secrets(tenant(sample)["spec"]) == made

    def test_the_demo_overlay_reads_from_the_git_server_in_the_cluster(self, sample: Sample) -> None:
        patch = yaml.safe_load((DEMO / f"{sample.name}.yaml").read_text())
        assert patch["spec"]["dags"]["sources"][0]["gitSync"]["repo"] == gitserver.in_cluster_url(sample.name)

    def test_the_dag_of_the_demo_is_in_the_repository(self, sample: Sample) -> None:
        tree = ast.parse((sample.repository / "dags" / f"{sample.dag}.py").read_text())
        assert sample.dag in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}

    def test_no_secret_is_in_git(self, sample: Sample) -> None:
        plain = {
            document["metadata"]["name"]
            for file in project_root().joinpath("manifests").rglob("*.yaml")
            if "aws" not in file.parts  # CloudFormation has tags of its own, and no Secrets of Kubernetes
            for document in yaml.safe_load_all(file.read_text())
            if isinstance(document, dict) and document.get("kind") == "Secret" and "sops" not in document
        }
        assert plain == set()


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda file: file.stem)
def test_a_dag_file_uses_the_public_interface_of_airflow_3(file: Path) -> None:
    imports = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)]
    assert [node.module for node in imports if (node.module or "").startswith("airflow")] == ["airflow.sdk"]


def test_the_pushed_dag_is_not_in_the_first_commit() -> None:
    assert (samples.NEXT_FOLDER / "dags" / f"{samples.NEXT_DAG}.py").is_file()
    assert not (PAYMENTS.repository / "dags" / f"{samples.NEXT_DAG}.py").exists()


def load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"sample_{file.stem}", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_settlements_add_up_and_repeat() -> None:
    library = load(PAYMENTS.repository / "dags" / "payments_lib" / "settlement.py")
    first = library.settle("bakery", "2026-01-01")
    assert first == library.settle("bakery", "2026-01-01")
    assert first["gross"] == first["net"] + first["fee"]
    assert first["fee"] == first["gross"] * 14 // 1000
    assert first != library.settle("bakery", "2026-01-02")


def test_the_report_is_a_table_with_the_busiest_region_first() -> None:
    library = load(ANALYTICS.repository / "dags" / "analytics_lib" / "visits.py")
    assert library.as_table({"north": 5, "south": 12}) == "south     12\nnorth      5"
    assert 500 <= library.count("north", "2026-01-01") < 1000
