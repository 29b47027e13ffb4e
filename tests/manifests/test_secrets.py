"""The examples of manifests/secrets: stores by team, and a file that SOPS has really encrypted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.kustomization import build
from tests.manifests.argocd_objects import admitted
from tests.manifests.argocd_objects import build as build_manifests
from tools.manifests import validate

SECRETS = Path(__file__).resolve().parents[2] / "manifests" / "secrets"
SAMPLE = SECRETS / "sops" / "database.sops.yaml"
VALUE = re.compile(
    r"ENC\[AES256_GCM,data:[A-Za-z0-9+/=]+,iv:[A-Za-z0-9+/=]{44},tag:[A-Za-z0-9+/=]{24},type:str\]"
)

Json = dict[str, Any]


def load(path: Path) -> Json:
    loaded: Json = yaml.safe_load(path.read_text())
    return loaded


def test_every_value_of_the_encrypted_secret_is_sealed() -> None:
    secret = load(SAMPLE)
    assert secret["kind"] == "Secret"
    assert secret["metadata"]["name"]  # names stay readable
    assert all(VALUE.fullmatch(value) for value in secret["stringData"].values())
    assert VALUE.fullmatch(secret["sops"]["mac"])


def test_the_rule_is_the_one_that_the_file_was_encrypted_by() -> None:
    [rule] = load(SECRETS / "sops" / ".sops.yaml")["creation_rules"]
    sealed = load(SAMPLE)["sops"]
    assert re.search(rule["path_regex"], SAMPLE.name)
    assert sealed["encrypted_regex"] == rule["encrypted_regex"]
    assert [entry["recipient"] for entry in sealed["age"]] == [rule["age"]]


def test_no_private_key_lies_beside_it() -> None:
    text = "".join(path.read_text() for path in SECRETS.rglob("*") if path.is_file())
    assert "AGE-SECRET-KEY" not in text


def test_a_value_that_is_not_sealed_is_found(tmp_path: Path) -> None:
    secret = load(SAMPLE)
    secret["stringData"]["password"] = "hunter2"  # what a hasty edit leaves
    (tmp_path / SAMPLE.name).write_text(yaml.safe_dump(secret))
    _, found = validate.check([tmp_path])
    assert [finding.rule for listed in found.values() for finding in listed] == ["plain-secret"]


def halves(example: str) -> dict[str, list[Json]]:
    """What the platform applies of an example, and what stands in the team's directory."""
    return {half: build(SECRETS / example / half) for half in ("platform", "team")}


@pytest.mark.parametrize("example", ["vault", "aws-secrets-manager"])
def test_each_half_is_admitted_where_the_readme_puts_it_and_the_store_not_from_a_team(example: str) -> None:
    """By Argo CD's projects, and by the rights of Flux' account of the team."""
    production = build_manifests("argocd/production")
    projects = {p["metadata"]["name"]: p for p in production if p["kind"] == "AppProject"}
    [configs] = [a for a in production if a["metadata"]["name"] == "infrastructure-configs"]
    roles = build_manifests("flux/clusters/production")
    wanted = ("ClusterRole", "airflow-tenant-directory")
    [rules] = [r["rules"] for r in roles if (r["kind"], r["metadata"]["name"]) == wanted]
    listed = {(g, kind) for rule in rules for g in rule["apiGroups"] for kind in rule["resources"]}
    for half, objects in halves(example).items():
        for found in objects:
            team = projects[found["metadata"]["namespace"]]
            group = found["apiVersion"].rpartition("/")[0]
            assert admitted(team, found) == (half == "team"), found["kind"]
            assert ((group, f"{found['kind'].lower()}s") in listed) == (half == "team"), found["kind"]
            assert half == "team" or admitted(projects[configs["spec"]["project"]], found)


@pytest.mark.parametrize(("example", "provider"), [("vault", "vault"), ("aws-secrets-manager", "aws")])
def test_a_teams_store_is_the_teams_own(example: str, provider: str) -> None:
    objects = halves(example)["platform"] + halves(example)["team"]
    [store] = [found for found in objects if found["kind"] == "SecretStore"]
    assert set(store["spec"]["provider"]) == {provider}
    assert {found["metadata"]["namespace"] for found in objects} == {store["metadata"]["namespace"]}
    wanted = {"kind": "SecretStore", "name": store["metadata"]["name"]}
    external = [found["spec"] for found in objects if found["kind"] == "ExternalSecret"]
    assert external
    assert all(spec["secretStoreRef"] == wanted for spec in external)
    [account] = [found for found in objects if found["kind"] == "ServiceAccount"]
    assert account["automountServiceAccountToken"] is False
    assert "secretRef" not in yaml.safe_dump(store)  # no key of the store's own anywhere
