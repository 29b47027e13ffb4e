"""Point 8 of the GitOps checklist: what a team's project admits, and who may do what in it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from tests.manifests.argocd_objects import (
    ENVIRONMENTS,
    FOLDER,
    TEAMS,
    admitted,
    build,
    directories,
    of,
    variant,
)

from tenant_operator.core import names

Object = dict[str, Any]


def project(environment: str, name: str) -> Object:
    return of(build(f"argocd/{environment}"), "AppProject")[name]


def thing(api_version: str, kind: str, name: str, namespace: str = "") -> Object:
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


FOREIGN = [
    thing(names.API_VERSION, names.KIND, "analytics"),
    thing(names.API_VERSION, names.KIND, "payments-eu"),
    thing(names.API_VERSION, names.KIND, "paymentsx"),
    thing("v1", "Namespace", "airflow-analytics"),
    thing("v1", "Namespace", "airflow-payments"),  # its labels switch Pod Security
    thing("v1", "ServiceAccount", "external-secrets", "airflow-payments"),
    thing("external-secrets.io/v1", "SecretStore", "x", "airflow-payments"),
    thing("v1", "Namespace", "kube-system"),
    thing("v1", "Secret", "x", "airflow-payments"),
    thing("apps/v1", "Deployment", "x", "airflow-payments"),
    thing("rbac.authorization.k8s.io/v1", "Role", "x", "airflow-payments"),
    thing("rbac.authorization.k8s.io/v1", "RoleBinding", "x", "airflow-payments"),
    thing("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "x"),
    thing("external-secrets.io/v1", "ExternalSecret", "x", "airflow-analytics"),
    thing("external-secrets.io/v1", "ClusterSecretStore", "x"),
    thing("argoproj.io/v1alpha1", "Application", "x", "argocd"),
    thing("argoproj.io/v1alpha1", "AppProject", "x", "argocd"),
]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("foreign", FOREIGN, ids=[f"{f['kind']}-{f['metadata']['name']}" for f in FOREIGN])
def test_point_8_a_team_reaches_nothing_that_is_not_its_own(environment: str, foreign: Object) -> None:
    assert not admitted(project(environment, "airflow-payments"), foreign)


def test_point_8_a_team_may_deploy_its_tenant() -> None:
    own = [
        thing(names.API_VERSION, names.KIND, "payments"),
        thing("v1", "ConfigMap", "x", "airflow-payments"),
        thing("external-secrets.io/v1", "ExternalSecret", "x", "airflow-payments"),
    ]
    assert all(admitted(project("production", "airflow-payments"), found) for found in own)


def test_point_8_the_platforms_project_holds_no_tenant() -> None:
    """Its tenant is team platform's, with a project like every other's."""
    platform = project("production", "platform")
    assert not admitted(platform, thing(names.API_VERSION, names.KIND, "platform"))
    assert admitted(platform, thing("apiextensions.k8s.io/v1", "CustomResourceDefinition", "x"))
    assert not admitted(platform, thing("v1", "ConfigMap", "x", "airflow-payments"))


def test_point_8_what_may_write_into_teams_namespaces_brings_stores_and_nothing_else() -> None:
    stores = project("production", "stores")
    own = [
        thing("external-secrets.io/v1", "SecretStore", "team", "airflow-payments"),
        thing("v1", "ServiceAccount", "external-secrets", "airflow-payments"),
    ]
    assert all(admitted(stores, found) for found in own)
    assert not any(admitted(project("production", "platform"), found) for found in own)
    foreign = [*FOREIGN, thing("v1", "ServiceAccount", "x", "kube-system")]
    beyond = [f for f in foreign if f["kind"] not in ("SecretStore", "ServiceAccount", "ClusterSecretStore")]
    assert not any(admitted(stores, found) for found in [*beyond, foreign[-1]])


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("team", TEAMS)
def test_point_8_a_teams_namespace_is_the_platforms(environment: str, team: str) -> None:
    """Equal to the one that `kubectl apply -k` takes from the team's directory, and without labels."""
    (theirs,) = of(build(f"tenants/{environment}/{team}"), "Namespace").values()
    ours = of(build(f"argocd/{environment}"), "Namespace")[f"airflow-{team}"]

    def notes(found: Object) -> dict[str, str]:
        keep = found["metadata"]["annotations"].items()
        return {k: v for k, v in keep if not k.startswith("kustomize.") and not k.endswith("/sync-wave")}

    assert notes(ours) == notes(theirs)
    assert notes(ours)[names.ANNOTATION_TENANT] == team
    assert "Prune=false,Delete=false" in notes(ours).values()
    assert "labels" not in ours["metadata"], "they are the operator's"
    assert admitted(project(environment, "platform"), ours)


@pytest.mark.parametrize("team", TEAMS)
def test_point_8_all_teams_have_the_same_rights(team: str) -> None:
    folder = FOLDER / "projects" / "teams"
    payments = (folder / "payments.yaml").read_text()
    assert (folder / f"{team}.yaml").read_text() == payments.replace("payments", team)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_point_8_roles_are_bound_to_groups_and_stay_in_their_project(environment: str) -> None:
    for team in TEAMS:
        name = f"airflow-{team}"
        roles = {role["name"]: role for role in project(environment, name)["spec"]["roles"]}
        assert {role: its["groups"] for role, its in roles.items()} == {
            "developer": [f"{team}-devs"],
            "viewer": [f"{team}-auditors"],
        }
        may = {
            role: {tuple(part.strip() for part in policy.split(",")) for policy in its["policies"]}
            for role, its in roles.items()
        }
        for role, policies in may.items():
            assert {(p[0], p[1], p[2], p[4], p[5]) for p in policies} == {
                ("p", f"proj:{name}:{role}", "applications", f"{name}/*", "allow")
            }
        assert {p[3] for p in may["viewer"]} == {"get"}
        assert {p[3] for p in may["developer"]} == {"get", "sync", f"action/{names.GROUP}/*"}


def test_point_8_who_is_in_no_role_sees_nothing() -> None:
    cm = of(build("argocd/config"), "ConfigMap")["argocd-rbac-cm"]["data"]
    assert cm["policy.default"] == ""
    assert set(cm) == {"policy.default", "policy.airflow-tenants.csv"}, "policy.csv is the installation's"
    lines = [line for line in cm["policy.airflow-tenants.csv"].splitlines() if line]
    assert [line for line in lines if line.startswith("g,")] == ["g, platform-team, role:airflow-platform"]
    assert not [line for line in lines if "exec" in line], "a shell in a pod is not Argo CD's to give"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_point_8_windows_close_production_only(environment: str) -> None:
    for team in TEAMS:
        windows = project(environment, f"airflow-{team}")["spec"].get("syncWindows", [])
        assert bool(windows) == (environment == "production")
        for window in windows:
            assert (window["kind"], window["applications"]) == ("deny", ["*"])
            assert window["manualSync"] is True, "a person may, in an emergency"
            assert window["schedule"] == "0 16 * * 5"
            assert window["duration"] == "62h", "Monday, 6 o'clock"
            assert window["timeZone"] == "Europe/Berlin"
    assert "syncWindows" not in project(environment, "platform")["spec"]


def test_point_8_what_outlives_a_tenant_is_no_orphan() -> None:
    spec = project("production", "airflow-payments")["spec"]["orphanedResources"]
    assert spec["warn"] is True
    patterns = [entry["name"] for entry in spec["ignore"] if entry["kind"] == "Secret"]
    generated = [
        make("payments")
        for make in (
            names.fernet_secret,
            names.api_secret,
            names.jwt_secret,
            names.metadata_secret,
            names.admin_secret,
            names.operator_secret,
        )
    ] + [names.release_secret("payments", 3)]
    for secret in generated:
        assert any(re.fullmatch(re.escape(p).replace(r"\*", ".*"), secret) for p in patterns), secret
    bindings = [entry["name"] for entry in spec["ignore"] if entry["kind"] == "RoleBinding"]
    assert bindings == [names.OPERATOR_BINDING]


def test_seeing_pods_is_an_explicit_choice() -> None:
    """Argo CD's tree shows only what the project also lets into Git."""
    kustomization = {"resources": ["../production"], "components": ["../projects/visible-workloads"]}
    opened = of(variant({"own/kustomization.yaml": yaml.safe_dump(kustomization)}, "own"), "AppProject")
    pod = thing("v1", "Pod", "x", "airflow-payments")
    assert not admitted(project("production", "airflow-payments"), pod)
    assert admitted(opened["airflow-payments"], pod)
    never = ("Secret", "Role", "RoleBinding", "ServiceAccount")
    assert not [
        e for e in opened["airflow-payments"]["spec"]["namespaceResourceWhitelist"] if e["kind"] in never
    ]
    assert opened["platform"] == project("production", "platform")


def test_the_folders_of_teams_are_those_of_the_projects() -> None:
    for environment in ENVIRONMENTS:
        (application_set,) = of(build(f"argocd/{environment}"), "ApplicationSet").values()
        (directory,) = application_set["spec"]["generators"][0]["git"]["directories"]
        found = [path.rsplit("/", 1)[-1] for path in directories(directory["path"])]
        assert (
            found == TEAMS == sorted(path.stem for path in (FOLDER / "projects" / "teams").glob("[!k]*.yaml"))
        )
