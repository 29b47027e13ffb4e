"""A real API server takes what the charts render: strictly, under Pod Security, by the operator's rights."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.charts.configurations import FULL, FULL_LOCAL, KUBERNETES, LOCAL, MINIMAL
from tests.charts.support import NAMESPACE, OPERATOR_CHART, RELEASE, Chart, Object, merged, render_chart

from devcluster.controlplane import ControlPlane
from devcluster.tools import tool

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("charts-api-server")]

OPERATOR = "airflow-tenant-operator"
OPERATOR_USER = f"system:serviceaccount:{NAMESPACE}:{OPERATOR}"
TENANT_ROLE = "airflow-tenant-operator-tenant"


@dataclass(frozen=True)
class Cluster:
    """kubectl for one control plane."""

    kubectl: Path
    kubeconfig: Path

    def run(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.kubectl), "--kubeconfig", str(self.kubeconfig), *arguments],
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def apply(self, objects: list[Object], *, user: str = "") -> None:
        """Server-side apply; a warning (of Pod Security, of a deprecated field) is an error."""
        who = ["--as", user] if user else []
        done = self.run(
            *("apply", "--server-side", "--field-manager=test", "--warnings-as-errors", *who, "-f", "-"),
            given=yaml.safe_dump_all(objects),
        )
        assert done.returncode == 0, done.stderr
        assert "Warning" not in done.stderr, done.stderr

    def namespace(self, name: str) -> None:
        """A namespace as strict as can be, which the operator has entered as it enters a tenant's."""
        labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
        labels["pod-security.kubernetes.io/enforce-version"] = "latest"
        labels["airflowtenants.io/tenant"] = RELEASE
        metadata = {"name": name, "labels": labels, "annotations": {"airflowtenants.io/tenant": RELEASE}}
        self.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}], user=OPERATOR_USER)
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": OPERATOR, "namespace": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": TENANT_ROLE},
            "subjects": [{"kind": "ServiceAccount", "name": OPERATOR, "namespace": NAMESPACE}],
        }
        self.apply([binding], user=OPERATOR_USER)

    def versions(self, objects: list[Object]) -> dict[tuple[str, str], str]:
        """What changes when an object's content does: generation where there is one, else resourceVersion."""
        done = self.run("get", "-f", "-", "-o", "json", given=yaml.safe_dump_all(objects))
        assert done.returncode == 0, done.stderr
        return {
            (item["kind"], item["metadata"]["name"]): str(
                item["metadata"].get("generation") or item["metadata"]["resourceVersion"]
            )
            for item in json.loads(done.stdout)["items"]
        }


def placed(chart: Chart, namespace: str) -> list[Object]:
    """The objects of a render, in another namespace."""
    text = json.dumps(list(chart.objects.values())).replace(f'"{NAMESPACE}"', f'"{namespace}"')
    objects: list[Object] = json.loads(text)
    return objects


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with ControlPlane.start(tmp_path_factory.mktemp("charts-plane")) as plane:
        found = Cluster(tool("kubectl"), plane.kubeconfig)
        operator = list(render_chart({}, OPERATOR_CHART, OPERATOR).objects.values())
        wall = {
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/warn": "restricted",
        }
        home = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": wall}}
        found.apply([home, *operator])
        yield found


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("local", LOCAL),
        ("kubernetes", KUBERNETES),
        ("minimal", MINIMAL),
        ("full", FULL),
        ("full-local", FULL_LOCAL),
    ],
)
def test_the_operator_may_apply_a_tenant_and_applying_again_changes_nothing(
    cluster: Cluster, name: str, values: dict[str, Any]
) -> None:
    namespace = f"tenant-{name}"
    cluster.namespace(namespace)
    objects = placed(render_chart(values), namespace)
    cluster.apply(objects, user=OPERATOR_USER)
    before = cluster.versions(objects)
    cluster.apply(objects, user=OPERATOR_USER)
    assert cluster.versions(objects) == before
    assert len(before) == len(objects)


def test_a_tenant_may_change_everything_but_its_volume(cluster: Cluster) -> None:
    cluster.namespace("tenant-changing")
    changes: list[dict[str, Any]] = [
        LOCAL,
        KUBERNETES,
        merged(FULL, {"images": {"airflow": {"tag": "3.3.3"}, "postgresql": {"tag": "15.1"}}}),
        merged(FULL_LOCAL, {"config": {"core": {"parallelism": 8}}, "labels": {"team": "x"}}),
    ]
    for values in changes:
        cluster.apply(placed(render_chart(values), "tenant-changing"), user=OPERATOR_USER)


def test_the_scheduler_may_start_a_worker_pod_in_a_restricted_namespace(cluster: Cluster) -> None:
    cluster.namespace("tenant-worker")
    chart = render_chart(FULL)
    cluster.apply(placed(chart, "tenant-worker"), user=OPERATOR_USER)
    pod = chart.pods["worker"]
    worker = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**pod.metadata, "namespace": "tenant-worker"},
        "spec": pod.spec,
    }
    cluster.apply([worker], user=f"system:serviceaccount:tenant-worker:{RELEASE}-scheduler")
    other = f"system:serviceaccount:tenant-worker:{RELEASE}-dag-processor"
    refused = cluster.run("get", "pods", "-n", "tenant-worker", "--as", other)
    assert "forbidden" in refused.stderr


def test_the_operator_reads_no_secret_where_it_has_not_entered(cluster: Cluster) -> None:
    for namespace in (NAMESPACE, "kube-system"):
        refused = cluster.run("get", "secrets", "-n", namespace, "--as", OPERATOR_USER)
        assert "forbidden" in refused.stderr
    admin = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "grab", "namespace": "kube-system"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": OPERATOR, "namespace": NAMESPACE}],
    }
    grabbed = cluster.run("apply", "--server-side", "--as", OPERATOR_USER, "-f", "-", given=json.dumps(admin))
    assert "forbidden" in grabbed.stderr
