"""The operator is itself an Application: a commit upgrades it, and no tenant notices."""

from __future__ import annotations

import datetime
import json

import pytest
import yaml
from tests.e2e.support import path
from tests.gitops.fleet import Fleet

from demo.cluster import OPERATOR, OPERATOR_NAMESPACE
from demo.kube import TENANTS
from demo.process import wait_for
from demo.samples import SAMPLES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900, func_only=True)]

FILE = "manifests/operator/test/kustomization.yaml"
DEPLOYMENT = {"kind": "Deployment", "name": "airflow-tenant-operator"}


def patch() -> str:
    """A new pod of the operator; each time another, for a cluster that is kept between two runs."""
    now = datetime.datetime.now(datetime.UTC).isoformat()
    where = "/spec/template/metadata/annotations/example.com~1upgraded"
    return json.dumps([{"op": "add", "path": where, "value": now}])


def operator_pods(fleet: Fleet) -> set[str]:
    """The uids of the operator's pods that are not going away."""
    pods = fleet.platform.kube.items(
        path(OPERATOR_NAMESPACE, "v1", "pods"), labelSelector=f"app.kubernetes.io/instance={OPERATOR}"
    )
    return {pod["metadata"]["uid"] for pod in pods if not pod["metadata"].get("deletionTimestamp")}


def full_pass(fleet: Fleet, name: str) -> None:
    """Have the operator go through everything of a tenant, and wait until it has."""
    asked = datetime.datetime.now(datetime.UTC).isoformat()
    patch = {"metadata": {"annotations": {"airflowtenants.io/reconcile-requested-at": asked}}}
    fleet.platform.kube.merge_patch(f"{TENANTS}/{name}", patch)
    wait_for(
        f"a full pass over {name}",
        lambda: fleet.environment.tenant(name).raw["status"].get("lastHandledReconcileAt") == asked,
        seconds=120,
    )


def test_an_operator_that_is_replaced_by_a_commit_restarts_no_pod_of_a_tenant(installed: Fleet) -> None:
    environment = installed.environment
    before = {sample.name: environment.wait_settled(sample.name) for sample in SAMPLES}
    old = operator_pods(installed)
    kustomization = yaml.safe_load(installed.repo.read(FILE))
    kustomization.setdefault("patches", []).append({"target": DEPLOYMENT, "patch": patch()})
    installed.repo.write_yaml(FILE, kustomization)
    commit = installed.commit("operator: another pod", "operator")
    installed.argo.wait("operator", revision=commit, seconds=180)
    wait_for("the end of the old operator", lambda: operator_pods(installed).isdisjoint(old), seconds=120)
    assert len(operator_pods(installed)) == 1
    for sample in SAMPLES:
        full_pass(installed, sample.name)
        assert environment.wait_settled(sample.name) == before[sample.name]
        installed.argo.wait(f"airflow-{sample.name}", seconds=120)
