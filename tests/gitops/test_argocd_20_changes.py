"""What a team's commit does, what a wrong one says, and what somebody's hands cannot undo."""

from __future__ import annotations

from typing import Any

import pytest
from tests.e2e.support import path
from tests.gitops.fleet import Fleet

from demo.kube import Json
from demo.process import wait_for
from demo.samples import PAYMENTS

APP = "airflow-payments"
SPACE = PAYMENTS.namespace
SCHEDULER = path(SPACE, "apps/v1", "deployments", "payments-scheduler")


def test_a_commit_is_progressing_until_it_is_in_airflow_and_then_healthy(installed: Fleet) -> None:
    spec = installed.spec("payments")
    triggerer = {"resources": {"requests": {"cpu": "60m", "memory": "320Mi"}}}  # its pod is replaced
    commit = installed.change(
        "payments",
        {
            "pools": [{**spec["pools"][0], "slots": 7}, {"name": "from_git", "slots": 3}],
            "variables": [*spec["variables"], {"key": "from_git", "value": "yes"}],
            "airflow": {"triggerer": triggerer},
        },
        "payments: more slots, a pool, a variable and a larger triggerer",
    )
    installed.argo.wait(APP, health="Progressing", revision=commit, seconds=120)
    installed.argo.wait(APP, revision=commit, seconds=240)
    with installed.environment.airflow("payments") as client:
        pools = {pool["name"]: pool["slots"] for pool in client.all("pools")}
        variables = {variable["key"]: variable["value"] for variable in client.all("variables")}
    assert (pools[spec["pools"][0]["name"]], pools["from_git"]) == (7, 3)
    assert variables["from_git"] == "yes"


@pytest.mark.timeout(900, func_only=True)
def test_a_wrong_git_ref_degrades_the_application_with_the_reason_and_the_fix_heals_it(
    installed: Fleet,
) -> None:
    sources = installed.spec("payments")["dags"]["sources"]
    before = installed.environment.wait_settled("payments")
    wrong = [{**sources[0], "gitSync": {**sources[0]["gitSync"], "ref": "no-such-branch"}}]
    with installed.taken_back(APP):
        commit = installed.change("payments", {"dags": {"sources": wrong}}, "payments: a typing error")
        installed.argo.wait(APP, health="Degraded", revision=commit, seconds=300)

        def reason() -> bool:
            health, message = installed.argo.tenant(APP, "payments")
            return health == "Degraded" and "no-such-branch" in message and "spec.dags.sources" in message

        wait_for("the reason", reason, seconds=120, seen=lambda: installed.argo.tenant(APP, "payments"))
        assert before["api-server"] & installed.environment.uids("payments")["api-server"], (
            "the old pods serve"
        )
        with installed.environment.airflow("payments") as client:
            assert client.dag(PAYMENTS.dag) is not None

    installed.argo.wait(APP, revision=installed.repo.head(), seconds=300)


def test_what_hands_change_in_a_tenants_objects_is_repaired_while_the_application_stays_synced(
    installed: Fleet,
) -> None:
    kube = installed.platform.kube
    config = next(
        item
        for item in kube.items(path(SPACE, "v1", "configmaps"))
        if "airflow.cfg" in (item.get("data") or {}) and item["metadata"].get("ownerReferences")
    )
    where = path(SPACE, "v1", "configmaps", config["metadata"]["name"])
    commit = installed.repo.head()

    kube.merge_patch(SCHEDULER, {"spec": {"replicas": 2}})
    kube.merge_patch(where, {"data": {"airflow.cfg": "[core]\nparallelism = 1\n"}})

    def repaired() -> bool:
        app = installed.argo.app(APP)
        assert (app.sync, app.revision) == ("Synced", commit), app.summary
        scheduler, settings = kube.get(SCHEDULER) or {}, kube.get(where) or {}
        return scheduler["spec"]["replicas"] == 1 and settings["data"] == config["data"]

    wait_for("the repair", repaired, seconds=120, poll=0.2)
    installed.argo.refresh(APP)
    app = installed.argo.wait(APP, revision=commit, seconds=120)
    assert app.sync == "Synced"


def test_everything_a_tenant_consists_of_hangs_under_its_node_in_the_tree(installed: Fleet) -> None:
    nodes = installed.argo.tree(APP)
    tenant = only(nodes, "AirflowTenant", "payments")
    below = descendants(nodes, tenant["uid"])
    kinds = {node["kind"] for node in below}
    assert {
        "Deployment",
        "ReplicaSet",
        "Pod",
        "StatefulSet",
        "Service",
        "ConfigMap",
        "NetworkPolicy",
    } <= kinds
    pods = {node["name"] for node in below if node["kind"] == "Pod"}
    running = {pod["metadata"]["name"] for pod in installed.environment.pods("payments")}
    assert running <= pods
    assert not any(node["kind"] == "Secret" for node in nodes), "the project shows no Secrets"
    managed = installed.argo.app(APP).resources
    assert set(managed) == {("AirflowTenant", "payments")}, "the namespace is the platform's"
    assert ("Namespace", SPACE) in installed.argo.app("platform").resources


def only(nodes: list[Json], kind: str, name: str) -> Json:
    found = [node for node in nodes if (node["kind"], node["name"]) == (kind, name)]
    assert len(found) == 1, f"{kind} {name} is {len(found)} times in the tree"
    return found[0]


def descendants(nodes: list[Json], uid: str) -> list[Json]:
    """All nodes below one, at any depth."""
    children: dict[str, list[Json]] = {}
    for node in nodes:
        for parent in node.get("parentRefs") or []:
            children.setdefault(parent["uid"], []).append(node)
    found: list[Json] = []
    pending = [uid]
    while pending:
        below = children.get(pending.pop(), [])
        found += below
        pending += [node["uid"] for node in below]
    return found


#: what a team might try: kind, name, its manifest, and what Argo CD says
REACHES: list[tuple[str, str, dict[str, Any], str]] = [
    (
        "ClusterRoleBinding",
        "payments-is-admin",
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "cluster-admin",
            },
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "payments-devs"}],
        },
        "resource rbac.authorization.k8s.io:ClusterRoleBinding is not permitted in project airflow-payments",
    ),
    (
        "AirflowTenant",
        "payments-second",
        {"apiVersion": "airflowtenants.io/v1alpha1", "spec": {"owner": {"team": "payments"}}},
        "resource airflowtenants.io:AirflowTenant is not permitted in project airflow-payments",
    ),
    (
        "Secret",
        "in-git",
        {"apiVersion": "v1", "stringData": {"password": "in Git"}},
        "resource :Secret is not permitted in project airflow-payments",
    ),
    (
        "ConfigMap",
        "elsewhere",
        {"apiVersion": "v1", "metadata": {"namespace": "kube-system"}},
        "namespace kube-system is not permitted in project 'airflow-payments'",
    ),
]


def test_a_manifest_that_reaches_outside_its_project_is_refused_and_nothing_of_the_commit_is_created(
    installed: Fleet,
) -> None:
    allowed = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "beside", "namespace": SPACE}}
    folder = "manifests/tenants/test/payments"
    reaches = [
        {**rest, "kind": kind, "metadata": {**rest.get("metadata", {}), "name": name}}
        for kind, name, rest, _ in REACHES
    ]
    with installed.taken_back(APP):
        installed.repo.write_yaml(f"{folder}/more.yaml", allowed, *reaches)
        installed.repo.replace(f"{folder}/kustomization.yaml", "resources:\n", "resources:\n  - more.yaml\n")
        commit = installed.commit("payments: reach out", APP)
        app = installed.argo.wait_until(
            APP,
            f"the refusal of {commit[:7]}",
            lambda app: app.revision == commit and bool(app.refused),
            seconds=120,
        )
        said = app.refused
        for kind, name, _, message in REACHES:
            assert said[kind, name] == message
        assert "synchronization tasks are not valid" in app.message
        kube = installed.platform.kube
        assert kube.get(path(SPACE, "v1", "configmaps", "beside")) is None, "not even what is allowed"
        assert kube.get(path("kube-system", "v1", "configmaps", "elsewhere")) is None
        assert kube.get(path(SPACE, "v1", "secrets", "in-git")) is None
        assert kube.get("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/payments-is-admin") is None
        assert kube.get("/apis/airflowtenants.io/v1alpha1/airflowtenants/payments-second") is None

    installed.argo.wait(APP, revision=installed.repo.head(), seconds=120)
