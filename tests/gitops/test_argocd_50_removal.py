"""What leaves Git is not lost: nothing goes unconfirmed, and what was confirmed leaves its data."""

from __future__ import annotations

import datetime
import hashlib
import json

import pytest
from tests.e2e.support import path
from tests.gitops.fleet import TEST, Fleet

from demo import gitserver, steps
from demo.airflow_client import AirflowClient
from demo.kube import TENANTS, names
from demo.process import wait_for
from demo.samples import ANALYTICS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200, func_only=True)]

NAME = "analytics"
APP = "airflow-analytics"
SPACE = ANALYTICS.namespace
FOLDER = f"{TEST}/{NAME}"
CLAIMS = path(SPACE, "v1", "persistentvolumeclaims")
WITHOUT_TENANT = """\
  - target: { kind: AirflowTenant }
    patch: |
      $patch: delete
      apiVersion: airflowtenants.io/v1alpha1
      kind: AirflowTenant
      metadata:
        name: any
"""
GENERATED = tuple(
    f"{NAME}-{what}"
    for what in ("fernet-key", "api-secret-key", "jwt-secret", "metadata", "admin", "operator")
)


def digests(fleet: Fleet) -> dict[str, str]:
    """Digests of the generated Secrets: a failing test must not print what they hold."""
    found = {name: gitserver.read_secret(fleet.platform.kube, SPACE, name) for name in GENERATED}
    return {
        name: hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
        for name, data in found.items()
        if data is not None
    }


def claims(fleet: Fleet) -> dict[str, str]:
    """The volume claims: name -> uid."""
    found = fleet.platform.kube.items(CLAIMS)
    return {claim["metadata"]["name"]: claim["metadata"]["uid"] for claim in found}


def runs(client: AirflowClient) -> set[str]:
    answer = client.request("GET", f"/api/v2/dags/{ANALYTICS.dag}/dagRuns?limit=100")
    return {run["dag_run_id"] for run in answer["dag_runs"]}


def test_a_directory_that_is_removed_deletes_nothing_and_the_application_says_why(installed: Fleet) -> None:
    pods = installed.environment.wait_settled(NAME)
    with installed.taken_back():
        installed.repo.remove(FOLDER)
        installed.commit("Remove analytics' directory")
        app = installed.argo.wait_until(
            APP, "an error", lambda app: "ComparisonError" in app.conditions, seconds=180
        )
        assert f"{FOLDER}: app path does not exist" in app.conditions["ComparisonError"]
        assert installed.environment.tenant(NAME).ready
        assert "deletionTimestamp" not in installed.environment.tenant(NAME).raw["metadata"]
        assert installed.environment.uids(NAME) == pods
    installed.argo.wait(APP, revision=installed.repo.head(), seconds=120)
    assert installed.environment.uids(NAME) == pods


def test_a_tenant_that_leaves_git_goes_only_when_confirmed_keeps_its_data_and_finds_it_again(
    installed: Fleet,
) -> None:
    kube, environment = installed.platform.kube, installed.environment
    environment.wait_settled(NAME)
    with environment.airflow(NAME) as client:
        steps.run_dag(client, ANALYTICS)
        history = runs(client)
    secrets, volumes, pods = digests(installed), claims(installed), environment.uids(NAME)
    assert set(secrets) == set(GENERATED)
    assert volumes

    with installed.taken_back(APP):
        file = f"{FOLDER}/kustomization.yaml"
        installed.repo.write(file, installed.repo.read(file) + WITHOUT_TENANT)
        installed.commit("analytics leaves", APP)
        installed.argo.wait_until(
            APP,
            "the refusal to sync nothing at all",
            lambda app: "wipe out all resources" in app.conditions.get("SyncError", ""),
            seconds=120,
        )
        assert "deletionTimestamp" not in environment.tenant(NAME).raw["metadata"]
        note = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "note", "namespace": SPACE}}
        installed.repo.write_yaml(f"{FOLDER}/note.yaml", note)
        installed.repo.replace(file, "resources:\n", "resources:\n  - note.yaml\n")
        installed.commit("analytics leaves, its directory stays", APP)
        asks = f"waiting for pruning confirmation of airflowtenants.io/AirflowTenant/{NAME}"
        app = installed.argo.wait_until(APP, "the question", lambda app: asks in app.message, seconds=120)
        assert app.sync == "OutOfSync"
        assert "deletionTimestamp" not in environment.tenant(NAME).raw["metadata"]
        assert environment.uids(NAME) == pods

        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        installed.argo.annotate(APP, {"argocd.argoproj.io/deletion-approved": now})
        wait_for("the tenant's end", lambda: kube.get(f"{TENANTS}/{NAME}") is None, seconds=240)
        wait_for(
            "the end of its pods",
            lambda: not kube.items(path(SPACE, "v1", "pods")),
            seconds=120,
            seen=lambda: names(kube.items(path(SPACE, "v1", "pods"))),
        )
        installed.argo.wait_until(APP, "Synced", lambda app: app.sync == "Synced", seconds=120)
        assert kube.get(f"/api/v1/namespaces/{SPACE}") is not None
        assert claims(installed) == volumes
        assert digests(installed) == secrets

    installed.argo.wait(APP, revision=installed.repo.head(), seconds=600)
    assert digests(installed) == secrets
    assert claims(installed) == volumes
    with environment.airflow(NAME) as client:
        assert history <= runs(client)
