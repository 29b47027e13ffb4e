"""manifests/flux as kustomize builds it: valid, in order, complete, and safe for what holds data."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tests import kustomization
from tests.airflow.environment import ROOT
from tools.manifests.conform import schema_findings
from tools.manifests.findings import Source

from devcluster.tools import tool
from tenant_operator.core import names

Object = dict[str, Any]
MANIFESTS = ROOT / "manifests"
FLUX = MANIFESTS / "flux"
ENVIRONMENTS = ("staging", "production")
TEAMS = sorted(path.name for path in (MANIFESTS / "tenants" / "base").iterdir() if path.is_dir())
ROOT_NAME = "airflow-tenants"
GROUP = "kustomize.toolkit.fluxcd.io"
PRUNE = f"{GROUP}/prune"


@functools.cache
def build(folder: Path) -> list[Object]:
    """The objects of a kustomization."""
    return kustomization.build(folder)


def cluster(environment: str) -> list[Object]:
    return build(FLUX / "clusters" / environment)


def of(objects: list[Object], kind: str) -> dict[str, Object]:
    return {found["metadata"]["name"]: found for found in objects if found["kind"] == kind}


def kustomizations(environment: str) -> dict[str, Object]:
    return {name: found["spec"] for name, found in of(cluster(environment), "Kustomization").items()}


def everything_on(folder: Path) -> list[Object]:
    """The staging cluster with every component switched on."""
    shutil.copytree(FLUX, folder / "flux")
    listing = folder / "flux" / "clusters" / "staging" / "kustomization.yaml"
    text = listing.read_text()
    assert text.count("  # - ../../components/") == 5
    listing.write_text(text.replace("  # - ", "  - "))
    return build(folder / "flux" / "clusters" / "staging")


def faults(objects: list[Object], folder: Path) -> list[str]:
    found = schema_findings([Source(folder, tuple(objects))], unknown_kinds=False)
    return [str(one) for some in found.values() for one in some]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_object_is_valid_by_the_schema_of_its_kind(environment: str) -> None:
    assert faults(cluster(environment), FLUX) == []


def test_every_component_is_valid_and_they_go_together(tmp_path: Path) -> None:
    objects = everything_on(tmp_path)
    assert faults(objects, FLUX) == []
    assert {found["kind"] for found in objects} >= {"OCIRepository", "Provider", "Alert"}
    assert not of(objects, "GitRepository")
    for name, found in of(objects, "Kustomization").items():
        assert found["spec"]["sourceRef"] == {"kind": "OCIRepository", "name": ROOT_NAME}, name
    assert of(objects, "Kustomization")["operator"]["spec"]["path"] == "./manifests/flux/helm-operator"
    assert of(objects, "Kustomization")["infrastructure-configs"]["spec"]["decryption"]["provider"] == "sops"


def test_a_misspelt_field_is_seen_by_the_schemas() -> None:
    objects = json.loads(json.dumps(cluster("staging")))
    of(objects, "Kustomization")["operator"]["spec"]["dependOn"] = []
    release = json.loads(json.dumps(build(FLUX / "helm-operator")))
    of(release, "HelmRelease")["airflow-tenant-operator"]["spec"]["driftDetection"]["mode"] = "on"
    assert any("dependOn" in fault for fault in faults(objects, FLUX))
    assert any("/spec/driftDetection/mode" in fault for fault in faults(release, FLUX))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_path_exists_and_is_of_this_environment(environment: str) -> None:
    found = kustomizations(environment)
    assert found[ROOT_NAME]["path"] == f"./manifests/flux/clusters/{environment}", "it applies itself"
    for name, spec in found.items():
        assert (ROOT / spec["path"] / "kustomization.yaml").is_file(), f"{name}: {spec['path']}"
        others = set(ENVIRONMENTS) - {environment}
        assert not others & set(spec["path"].split("/")), spec["path"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_order_is_classes_operator_tenants_and_charts_beside_it(environment: str) -> None:
    found = kustomizations(environment)
    before = {name: {d["name"] for d in spec.get("dependsOn", [])} for name, spec in found.items()}
    assert before["infrastructure-configs"] == {"infrastructure-controllers"}
    assert before["operator"] == {"infrastructure-classes", "policies"}
    assert before.get("operator-monitoring", set()) <= {"operator", "infrastructure-controllers"}
    assert ("operator-monitoring" in before) == (environment == "production")
    assert {team: before[f"tenant-{team}"] for team in TEAMS} == {team: {"operator"} for team in TEAMS}
    assert not before[ROOT_NAME]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_no_tenant_waits_for_a_third_partys_chart(environment: str) -> None:
    """One that is ill, or a store that does not answer, must not keep a team's commit from its cluster."""
    found = kustomizations(environment)
    pending, before = [f"tenant-{team}" for team in TEAMS], set()
    while pending:
        later = [entry["name"] for entry in found[pending.pop()].get("dependsOn", [])]
        pending += [name for name in later if name not in before]
        before |= set(later)
    assert before == {"operator", "infrastructure-classes", "policies"}
    for name in before:
        for one in build(ROOT / found[name]["path"]):
            group = one["apiVersion"].rpartition("/")[0]
            assert "." not in group or group.endswith(".k8s.io"), f"{name}: {one['kind']} comes with a chart"


def test_signed_manifests_are_one_tag_of_the_release_workflow(tmp_path: Path) -> None:
    """Whoever may push a tag, or another workflow, does not deploy with the platform's rights."""
    source = of(everything_on(tmp_path), "OCIRepository")[ROOT_NAME]["spec"]
    assert set(source["ref"]) == {"tag"}, "a range moves when somebody pushes"
    assert re.fullmatch(r"\d+\.\d+\.\d+", source["ref"]["tag"])
    assert source["verify"]["provider"] == "cosign"
    (identity,) = source["verify"]["matchOIDCIdentity"]
    workflow = "https://github.com/your-org/airflow-tenants/.github/workflows/"
    for subject, ours in (
        (f"{workflow}release.yml@refs/tags/v1.2.3", True),
        (f"{workflow}other.yml@refs/tags/v1.2.3", False),
        (f"{workflow}release.yml@refs/heads/main", False),
        (f"{workflow}release.yml@refs/tags/anything", False),
        (f"{workflow}release-yml@refs/tags/v1.2.3", False),
        (f"https://elsewhere.example/{workflow}release.yml@refs/tags/v1.2.3", False),
    ):
        assert bool(re.search(identity["subject"], subject)) == ours, subject
    assert re.search(identity["issuer"], "https://token.actions.githubusercontent.com")
    assert not re.search(identity["issuer"], "https://token.actions.githubusercontent.com.example.org")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_each_waits_for_what_it_applied_prunes_and_gives_up_in_time(environment: str) -> None:
    for name, spec in kustomizations(environment).items():
        assert spec["prune"] is True, name
        assert spec["deletionPolicy"] == "Orphan", f"{name}: deleting it would delete what it applied"
        assert spec["timeout"], name
        assert spec["retryInterval"] == "1m", name
        assert "postBuild" not in spec, f"{name}: substitution would eat dashboards' variables"
        if name != ROOT_NAME:
            assert spec.get("wait") or spec["healthChecks"], name


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_operators_health_checks_name_what_its_overlay_makes(environment: str) -> None:
    made = {
        (found["apiVersion"], found["kind"], found["metadata"].get("namespace"), found["metadata"]["name"])
        for found in build(MANIFESTS / "operator" / environment)
    }
    for check in kustomizations(environment)["operator"]["healthChecks"]:
        assert (check["apiVersion"], check["kind"], check.get("namespace"), check["name"]) in made


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_holds_data_is_never_pruned(environment: str) -> None:
    objects = [*cluster(environment), *build(MANIFESTS / "operator" / environment)]
    objects += build(MANIFESTS / "tenants" / environment) + build(FLUX / "helm-operator")
    kept = ("Namespace", names.KIND, "CustomResourceDefinition")
    found = [one for one in objects if one["kind"] in kept]
    assert {one["kind"] for one in found} == set(kept)
    for one in found:
        assert (one["metadata"].get("annotations") or {}).get(PRUNE) == "disabled", one["metadata"]["name"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_tenant_directory_has_its_kustomization(environment: str) -> None:
    teams = {path.name for path in (MANIFESTS / "tenants" / environment).iterdir() if path.is_dir()}
    found = kustomizations(environment)
    assert {name for name in found if name.startswith("tenant-")} == {f"tenant-{team}" for team in teams}
    for team in teams:
        assert found[f"tenant-{team}"]["path"] == f"./manifests/tenants/{environment}/{team}"


@pytest.mark.parametrize("team", TEAMS)
def test_the_files_of_teams_are_equal_but_for_the_name(team: str) -> None:
    sample = (FLUX / "tenants" / "payments.yaml").read_text()
    assert (FLUX / "tenants" / f"{team}.yaml").read_text() == sample.replace("payments", team)


@pytest.mark.parametrize("team", TEAMS)
def test_a_teams_namespace_is_that_of_its_directory(team: str) -> None:
    ours = of(cluster("staging"), "Namespace")[f"airflow-{team}"]["metadata"]
    theirs = of(build(MANIFESTS / "tenants" / "staging" / team), "Namespace")[f"airflow-{team}"]["metadata"]
    notes = {k: v for k, v in theirs["annotations"].items() if not k.startswith("argocd.")}
    assert ours["annotations"] == notes
    assert ours.get("labels") == theirs.get("labels")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("team", TEAMS)
def test_a_team_may_apply_its_directory_and_nothing_else(team: str, environment: str) -> None:
    """Its account's rules against the objects of the directory; real Flux shows that they are enforced."""
    account = kustomizations(environment)[f"tenant-{team}"]["serviceAccountName"]
    roles = of(cluster(environment), "ClusterRole")
    everywhere = roles[f"airflow-tenant-directory-{team}"]["rules"]
    inside = roles["airflow-tenant-directory"]["rules"]
    bound = [
        found
        for kind in ("ClusterRoleBinding", "RoleBinding")
        for found in cluster(environment)
        if found["kind"] == kind and {"kind": "ServiceAccount", "name": account, "namespace": "flux-system"}
        in found["subjects"]
    ]  # fmt: skip
    assert [(b["kind"], b["metadata"].get("namespace"), b["roleRef"]["name"]) for b in bound] == [
        ("ClusterRoleBinding", None, f"airflow-tenant-directory-{team}"),
        ("RoleBinding", f"airflow-{team}", "airflow-tenant-directory"),
    ]
    assert everywhere == [
        {
            "apiGroups": ["airflowtenants.io"],
            "resources": ["airflowtenants"],
            "resourceNames": [team],
            "verbs": ["get", "create", "patch"],
        }
    ]
    allowed = {(group, kind) for rule in inside for group in rule["apiGroups"] for kind in rule["resources"]}
    assert not allowed & {
        ("", "secrets"),
        ("", "serviceaccounts"),
        ("external-secrets.io", "secretstores"),
        ("rbac.authorization.k8s.io", "rolebindings"),
        ("apps", "deployments"),
    }
    for found in build(MANIFESTS / "tenants" / environment / team):
        kind, metadata = found["kind"], found["metadata"]
        if kind == "Namespace":
            continue  # applied by the platform, dropped from the directory by a patch
        if kind == names.KIND:
            assert metadata["name"] == team
            continue
        group = found["apiVersion"].rpartition("/")[0]
        assert (group, f"{kind.lower()}s") in allowed, f"{kind}/{metadata['name']}"
        assert metadata["namespace"] == f"airflow-{team}"


def test_a_directorys_namespace_is_left_to_the_platform() -> None:
    for team in TEAMS:
        (patch,) = kustomizations("staging")[f"tenant-{team}"]["patches"]
        assert patch["target"] == {"kind": "Namespace"}
        assert yaml.safe_load(patch["patch"])["$patch"] == "delete"


def test_the_repositorys_address_stands_in_one_file() -> None:
    holders = [
        path.relative_to(FLUX).as_posix()
        for path in sorted(FLUX.rglob("*.yaml"))
        if re.search(r"^\s+url: https://git\.example\.com", path.read_text(), re.MULTILINE)
    ]
    assert holders == ["base/source.yaml"]


def test_the_helm_release_has_values_that_its_chart_takes_and_keeps_the_definition() -> None:
    release = of(build(FLUX / "helm-operator"), "HelmRelease")["airflow-tenant-operator"]["spec"]
    chart = ROOT / "charts" / "tenant-operator"
    jsonschema.validate(release["values"], json.loads((chart / "values.schema.json").read_text()))
    done = subprocess.run(
        [str(tool("helm")), "template", release["releaseName"], str(chart), "--namespace",
         release["targetNamespace"], "--values", "-"],
        input=yaml.safe_dump(release["values"]), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    objects = [document for document in yaml.safe_load_all(done.stdout) if document]
    (definition,) = of(objects, "CustomResourceDefinition").values()
    assert definition["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    for found in objects:
        assert "helm.sh/hook" not in (found["metadata"].get("annotations") or {}), "the README says: no hooks"
    version = yaml.safe_load((chart / "Chart.yaml").read_text())["version"]
    source = of(build(FLUX / "helm-operator"), "OCIRepository")["airflow-tenant-operator"]["spec"]
    assert version.startswith(source["ref"]["semver"].removesuffix("x"))


def test_commands_of_the_readme_name_what_is_there() -> None:
    text = (FLUX / "README.md").read_text()
    for path in re.findall(r"manifests/flux/[\w/.-]+\w", text):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"`components/([\w-]+)`", text):
        assert (FLUX / "components" / name / "kustomization.yaml").is_file(), name
    assert {path.name for path in (FLUX / "components").iterdir()} <= set(
        re.findall(r"`components/([\w-]+)`", text)
    )
