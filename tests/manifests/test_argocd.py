"""manifests/argocd as kustomize builds it: valid, complete, and one test a point of the GitOps checklist.

Points 1 and 2 (health, actions) are in test_argocd_lua.py; 3, 4, 9 and 11 (what the operator writes) in
test_argocd_operator.py; 8 (projects) in test_argocd_projects.py; 13 to 16 (charts, monitoring) in
test_argocd_charts.py; what only a running Argo CD shows in tests/gitops.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
import yaml
from tests.manifests.argocd_objects import (
    ENVIRONMENTS,
    FOLDER,
    REPOSITORY,
    SERVER,
    TEAMS,
    admitted,
    annotations,
    applications,
    applied,
    build,
    destined,
    everything,
    generate,
    of,
    options,
    project_of,
    tenants,
    variant,
    wave,
)
from tools.manifests.conform import schema_findings
from tools.manifests.findings import Source

from tenant_operator.core import names

Object = dict[str, Any]
BACKGROUND = "resources-finalizer.argocd.argoproj.io/background"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_object_fits_argo_cds_own_definitions(environment: str) -> None:
    objects = everything(environment) + list(tenants(environment).values())
    found = schema_findings([Source(FOLDER / environment, tuple(objects))], unknown_kinds=False)
    assert found == {}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_folder_that_an_application_names_builds_and_its_project_admits_it(environment: str) -> None:
    for name, application in applications(environment).items():
        spec = application["spec"]
        project = project_of(environment, application)
        assert spec["source"]["repoURL"] in project["spec"]["sourceRepos"], name
        assert destined(project, application), name
        if "chart" in spec["source"]:
            continue
        objects = applied(application)
        assert objects
        for found in objects:
            assert admitted(project, found), (name, found["kind"], found["metadata"])


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_point_5_nothing_is_ignored_in_a_diff(environment: str) -> None:
    """No replica count or Secret that another controller writes is in Git: nothing needs to be ignored."""
    for name, application in applications(environment).items():
        assert "ignoreDifferences" not in application["spec"], name
        source = application["spec"]["source"]
        if "path" in source:
            objects = build(source["path"].removeprefix("manifests/"))
            assert not of(objects, "Secret"), name
            assert not of(objects, "HorizontalPodAutoscaler"), name
    cm = of(build("argocd/config"), "ConfigMap")["argocd-cm"]["data"]
    assert not [key for key in cm if "ignoreDifferences" in key]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_point_6_waves_of_the_root(environment: str) -> None:
    objects = build(f"argocd/{environment}")
    apps, projects = of(objects, "Application"), of(objects, "AppProject")
    charts = {name for name, app in apps.items() if "chart" in app["spec"]["source"]}
    order = [
        [wave(projects["platform"]), wave(projects["stores"])],
        [wave(apps["argocd-config"])],
        [wave(apps["infrastructure-classes"]), wave(apps["policies"])],
        [-3],  # the CRD's own wave inside the operator's Application
        [wave(apps["operator"])],
        [wave(found) for name, found in (projects | of(objects, "Namespace")).items() if "airflow-" in name],
        [0],  # Secrets inside a tenant's Application
        [wave(found) for found in of(objects, "ApplicationSet").values()],
        [wave(apps[name]) for name in charts],
        [wave(apps[name]) for name in ("infrastructure-configs", "operator-monitoring") if name in apps],
    ]
    for earlier, later in itertools.pairwise(order):
        assert max(earlier) < min(later), order
    assert wave(apps["cert-manager"]) < wave(apps["kube-prometheus-stack"]), "its webhook has a certificate"
    assert (wave(apps["operator"]), order[5], order[7]) == (-2, [-1] * len(TEAMS), [1])


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_neither_operator_nor_tenants_wait_for_a_third_partys_chart(environment: str) -> None:
    """A wave waits until all before it is Healthy: an ill chart must not hold up a team's commit."""
    objects = build(f"argocd/{environment}")
    apps = of(objects, "Application")
    (application_set,) = of(objects, "ApplicationSet").values()
    before = {name for name, app in apps.items() if wave(app) <= wave(application_set)}
    assert before == {"argocd-config", "infrastructure-classes", "policies", "operator"}
    for name in before:
        kinds = {found["apiVersion"].rpartition("/")[0] for found in applied(apps[name])}
        foreign = {group for group in kinds if "." in group and not group.endswith(".k8s.io")}
        assert not foreign, f"{name} has kinds that a chart brings"
    for application in tenants(environment).values():
        assert application["spec"]["syncPolicy"]["retry"]["limit"] == -1, "its kinds may come later"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_point_6_waves_of_operator_and_tenants(environment: str) -> None:
    operator = build(f"operator/{environment}")
    definition = of(operator, "CustomResourceDefinition")[f"{names.PLURAL}.{names.GROUP}"]
    assert wave(definition) == -3
    assert {"Prune=false", "ServerSideApply=true"} <= options(definition)
    for team in TEAMS:
        objects = build(f"tenants/{environment}/{team}")
        (tenant,) = of(objects, names.KIND).values()
        assert wave(tenant) == 1
        assert {"Prune=confirm", "Delete=confirm", "SkipDryRunOnMissingResource=true"} <= options(tenant)
        others = [found for found in objects if found["kind"] != names.KIND]
        assert {wave(found) for found in others} == {0}, "behind the tenant's health they would wait for ever"


def test_point_6_a_wave_of_applications_waits() -> None:
    cm = of(build("argocd/config"), "ConfigMap")["argocd-cm"]["data"]
    assert "resource.customizations.health.argoproj.io_Application" in cm


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_point_7_one_application_a_directory(environment: str) -> None:
    made = tenants(environment)
    assert set(made) == {f"airflow-{team}" for team in TEAMS}
    for team in TEAMS:
        application = made[f"airflow-{team}"]
        assert application["spec"]["source"] == {
            "repoURL": REPOSITORY,
            "targetRevision": "main",
            "path": f"manifests/tenants/{environment}/{team}",
            "kustomize": application["spec"]["source"]["kustomize"],
        }
        assert application["spec"]["destination"] == {"server": SERVER, "namespace": f"airflow-{team}"}
        assert application["spec"]["project"] == f"airflow-{team}"
        assert application["metadata"]["labels"] == {
            names.LABEL_TEAM: team,
            f"{names.GROUP}/environment": environment,
        }


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_point_7_a_team_does_not_apply_its_namespace(environment: str) -> None:
    """Whoever owns its labels switches Pod Security off: the ApplicationSet drops it from the directory."""
    for team in TEAMS:
        application = tenants(environment)[f"airflow-{team}"]
        found = applied(application)
        assert of(found, names.KIND)
        assert not of(found, "Namespace")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_point_7_two_directories_never_make_one_name(environment: str) -> None:
    """Argo CD refuses the whole set for one name twice: a name that is made to fit is no longer unique."""
    (application_set,) = of(build(f"argocd/{environment}"), "ApplicationSet").values()
    template = application_set["spec"]["template"]
    name = "airflow-{{ .path.basename }}"
    assert template["metadata"]["name"] == template["spec"]["project"] == name
    assert template["spec"]["destination"]["namespace"] == name
    assert "Normalized" not in yaml.safe_dump(application_set)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_point_7_two_applications_never_share_an_object(environment: str) -> None:
    for name, application in tenants(environment).items():
        assert "FailOnSharedResource=true" in application["spec"]["syncPolicy"]["syncOptions"], name


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_point_7_a_lost_directory_or_application_set_loses_no_tenant(environment: str) -> None:
    (application_set,) = of(build(f"argocd/{environment}"), "ApplicationSet").values()
    spec = application_set["spec"]
    assert spec["goTemplate"] is True
    assert spec["goTemplateOptions"] == ["missingkey=error"]
    assert spec["syncPolicy"] == {"applicationsSync": "create-update", "preserveResourcesOnDeletion": True}
    assert options(application_set) == {"Prune=false", "Delete=false"}
    assert "finalizers" not in spec["template"]["metadata"], (
        "one written out would win over preserveResources..."
    )


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_point_10_an_approval_is_left_on_a_tenants_application(environment: str) -> None:
    """The ApplicationSet takes annotations away that its template has not, within milliseconds."""
    (application_set,) = of(build(f"argocd/{environment}"), "ApplicationSet").values()
    preserved = application_set["spec"]["preservedFields"]["annotations"]
    assert preserved == ["argocd.argoproj.io/deletion-approved"]


def test_point_7_rolling_sync_goes_to_canaries_first() -> None:
    kustomization = {"resources": ["../staging"], "components": ["../rolling-sync"]}
    objects = variant({"own/kustomization.yaml": yaml.safe_dump(kustomization)}, "own")
    (application_set,) = of(objects, "ApplicationSet").values()
    made = generate(application_set)
    ring = f"{names.GROUP}/ring"
    rings = {name: application["metadata"]["labels"][ring] for name, application in made.items()}
    steps = application_set["spec"]["strategy"]["rollingSync"]["steps"]
    chosen = [
        [name for name, its in rings.items() if its in step["matchExpressions"][0]["values"]]
        for step in steps
    ]
    assert chosen[0] == ["airflow-analytics", "airflow-platform"]
    assert sorted(itertools.chain(*chosen)) == sorted(made), "one that no step selects is never synchronized"
    assert {step["matchExpressions"][0]["key"] for step in steps} == {ring}
    assert all("automated" not in application["spec"]["syncPolicy"] for application in made.values())
    cm = of(build("argocd/config"), "ConfigMap")["argocd-cmd-params-cm"]["data"]
    assert cm["applicationsetcontroller.enable.progressive.syncs"] == "true"
    found = schema_findings([Source(FOLDER / "rolling-sync", tuple(objects))], unknown_kinds=False)
    assert found == {}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_point_10_the_finalizer_comes_before_the_garbage_collector(environment: str) -> None:
    for name, application in applications(environment).items():
        policy = application["spec"]["syncPolicy"]
        assert "PrunePropagationPolicy=background" in policy["syncOptions"], name
        finalizers = application["metadata"].get("finalizers", [])
        assert set(finalizers) <= {BACKGROUND}, name
        kept = name in {"platform", "argocd-config"} or name.startswith("airflow-")
        assert bool(finalizers) != kept, name


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_application_heals_and_retries_with_the_newest_commit(environment: str) -> None:
    """Without `refresh` a broken commit is retried to the end before its fix is looked at."""
    for name, application in applications(environment).items():
        policy = application["spec"]["syncPolicy"]
        assert policy["automated"] == {"prune": True, "selfHeal": True}, name
        assert policy["retry"]["refresh"] is True, name
        assert policy["retry"]["limit"] in {-1, 10}, name
        assert "ServerSideApply=true" in policy["syncOptions"], name


def test_point_4_requests_to_the_operator_refresh_no_application() -> None:
    """The engine's own answer is in test_argocd_engine.py; here the names are the operator's."""
    cm = of(build("argocd/config"), "ConfigMap")["argocd-cm"]["data"]
    prefix = "resource.customizations.ignoreResourceUpdates."
    ours = yaml.safe_load(cm[f"{prefix}{names.GROUP}_{names.KIND}"])
    asked = (names.ANNOTATION_RECONCILE, names.ANNOTATION_DAG_SYNC)
    assert set(ours["jqPathExpressions"]) == {f'.metadata.annotations["{name}"]' for name in asked}
    assert yaml.safe_load(cm[f"{prefix}all"]) == {"jsonPointers": ["/status"]}


def test_point_11_tracking_is_by_annotation() -> None:
    cm = of(build("argocd/config"), "ConfigMap")["argocd-cm"]["data"]
    assert cm["application.resourceTrackingMethod"] == "annotation"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_point_12_rules_of_the_cluster_speak_at_diff_time(environment: str) -> None:
    for application in tenants(environment).values():
        assert annotations(application) == {"argocd.argoproj.io/compare-options": "ServerSideDiff=true"}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("folder", ["", "/root"])
def test_the_repositorys_address_and_branch_stand_in_one_file(environment: str, folder: str) -> None:
    file, other = "repository/repository.yaml", "https://git.example.org/elsewhere.git"
    text = (FOLDER / file).read_text().replace(REPOSITORY, other).replace("revision: main", "revision: trunk")
    changed = yaml.safe_dump(variant({file: text}, environment + folder))
    assert other in changed
    assert REPOSITORY not in changed
    assert not re.search(r"(revision|targetRevision): main\b", changed)
