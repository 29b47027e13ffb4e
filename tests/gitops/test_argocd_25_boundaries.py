"""What a team's directory cannot change, what the cluster refuses before a sync, and what metrics tell."""

from __future__ import annotations

import copy

import yaml
from tests.e2e.support import path
from tests.gitops.fleet import Fleet

from demo.process import wait_for
from demo.samples import PAYMENTS

APP = "airflow-payments"
SPACE = PAYMENTS.namespace
NAMESPACE = f"/api/v1/namespaces/{SPACE}"
ENFORCE = "pod-security.kubernetes.io/enforce"


def test_a_directory_does_not_reach_its_namespaces_labels(installed: Fleet) -> None:
    """With them a team would switch Pod Security off; also a second namespace is nothing that it gets."""
    before = installed.platform.kube.get(NAMESPACE)
    assert before is not None
    assert before["metadata"]["labels"][ENFORCE] == "restricted", "the operator's"
    folder = "manifests/tenants/test/payments"
    kustomization = installed.repo.read(f"{folder}/kustomization.yaml")
    changed = yaml.safe_load(kustomization)
    labels = {"metadata": {"name": SPACE, "labels": {ENFORCE: "privileged"}}}
    changed["patches"].append(
        {
            "target": {"kind": "Namespace"},
            "patch": yaml.safe_dump({"apiVersion": "v1", "kind": "Namespace", **labels}),
        }
    )
    changed["resources"].append("more.yaml")
    other = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "airflow-payments-more"}}
    note = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied", "namespace": SPACE}}
    with installed.taken_back(APP):
        installed.repo.write_yaml(f"{folder}/more.yaml", other, note)
        installed.repo.write(f"{folder}/kustomization.yaml", yaml.safe_dump(changed, sort_keys=False))
        commit = installed.commit("payments: a privileged namespace", APP)
        app = installed.argo.wait(APP, revision=commit, seconds=120)
        assert set(app.resources) == {("AirflowTenant", "payments"), ("ConfigMap", "applied")}
        kube = installed.platform.kube
        assert kube.get(path(SPACE, "v1", "configmaps", "applied")) is not None, (
            "the rest of the commit is applied"
        )
        after = kube.get(NAMESPACE)
        assert after is not None
        assert after["metadata"]["labels"] == before["metadata"]["labels"]
        managers = {entry["manager"]: str(entry["fieldsV1"]) for entry in after["metadata"]["managedFields"]}
        assert not [name for name, fields in managers.items() if "argocd" in name and ENFORCE in fields]
        assert kube.get(f"{NAMESPACE}-more") is None

    installed.argo.wait(APP, revision=installed.repo.head(), seconds=120)


def test_what_the_cluster_would_refuse_is_told_at_diff_time_and_in_metrics(installed: Fleet) -> None:
    """ServerSideDiff: no sync is tried, the reason is on the Application, the alert finds its team."""
    database = installed.spec("payments")["database"]
    larger = copy.deepcopy(database)
    larger["embedded"]["storage"] = "99Gi"
    with installed.taken_back(APP):
        commit = installed.change("payments", {"database": larger}, "payments: a larger database")
        said = installed.argo.wait_until(
            APP,
            f"what the cluster says of {commit[:7]}",
            lambda app: (
                "database.embedded.storage cannot be changed" in app.conditions.get("ComparisonError", "")
            ),
            seconds=120,
        )
        tried = (said.status.get("operationState", {}).get("syncResult") or {}).get("revision")
        assert tried != commit, "refused before a sync"
        assert installed.spec("payments")["database"] == database

        def told() -> bool:
            return (
                installed.argo.metrics(APP).get("argocd_app_condition", {}).get("condition")
                == "ComparisonError"
            )

        wait_for("the condition in the metrics", told, seconds=120, seen=lambda: installed.argo.metrics(APP))
        labels = installed.argo.metrics(APP)["argocd_app_labels"]
        assert labels["label_airflowtenants_io_team"] == "payments"
        assert labels["label_airflowtenants_io_environment"] == "test"

    installed.argo.wait(APP, revision=installed.repo.head(), seconds=120)
