from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from tests.unit.operator.support import NAMESPACE, tenant

from tenant_operator.core import kinds
from tenant_operator.core.errors import RenderError
from tenant_operator.core.kinds import Object, ObjectId
from tenant_operator.core.ports import ChartInfo
from tenant_operator.plan import release
from tenant_operator.plan.release import Stage, build, digest, input_digest


def rendered(kind: str, name: str = "payments-x", stage: str | None = None, **more: Any) -> Object:
    its = next(k for k in (*kinds.RENDERED, kinds.SECRET) if k.kind == kind)
    annotations = {} if stage is None else {"airflowtenants.io/stage": stage}
    metadata = {"name": name, "namespace": NAMESPACE, "annotations": annotations}
    return {"apiVersion": its.api_version, "kind": kind, "metadata": metadata, **more}


def plan(*objects: Object) -> release.Release:
    return build(tenant(), "d", "manifest", objects)


def test_every_object_gets_owner_labels_and_helm_s_annotations() -> None:
    (planned,) = plan(rendered("Service", metadata={"name": "x", "labels": {"a": "b"}})).objects
    metadata = planned.object["metadata"]
    assert metadata["namespace"] == NAMESPACE
    assert metadata["ownerReferences"] == [
        {
            "apiVersion": "airflowtenants.io/v1alpha1",
            "kind": "AirflowTenant",
            "name": "payments",
            "uid": "u-1",
            "controller": True,
            "blockOwnerDeletion": False,
        }
    ]
    assert metadata["labels"] == {
        "a": "b",
        "airflowtenants.io/tenant": "payments",
        "airflowtenants.io/team": "pay",
    }
    assert metadata["annotations"] == {
        "meta.helm.sh/release-name": "payments",
        "meta.helm.sh/release-namespace": NAMESPACE,
    }


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Job"])
def test_pods_carry_the_tenant_s_labels(kind: str) -> None:
    spec = {"template": {"metadata": {"labels": {"a": "b"}}, "spec": {}}}
    (planned,) = plan(rendered(kind, spec=spec)).objects
    assert planned.object["spec"]["template"]["metadata"]["labels"] == {
        "a": "b",
        "airflowtenants.io/tenant": "payments",
        "airflowtenants.io/team": "pay",
    }


def test_what_was_rendered_is_not_changed() -> None:
    obj = rendered("Deployment", spec={"template": {"spec": {}}})
    before = copy.deepcopy(obj)
    plan(obj)
    assert obj == before


@pytest.mark.parametrize(
    ("given", "stage"),
    [(s.value, s) for s in Stage] + [(None, Stage.COMPONENTS), ("nonsense", Stage.COMPONENTS)],
)
def test_the_stage_is_the_annotation_s(given: str | None, stage: Stage) -> None:
    (planned,) = plan(rendered("ConfigMap", stage=given)).objects
    assert planned.stage is stage
    assert plan(rendered("ConfigMap", stage=given)).of(stage) == (planned,)


def test_objects_come_by_stage_then_kind_then_name() -> None:
    objects = [
        rendered("Deployment", "b", "components"),
        rendered("Deployment", "a", "components"),
        rendered("ConfigMap", "z", "components"),
        rendered("Job", "m", "migrate"),
        rendered("StatefulSet", "p", "database"),
        rendered("NetworkPolicy", "n", "wall"),
        rendered("ServiceAccount", "s", "wall"),
    ]
    wanted = ["s", "n", "p", "m", "z", "a", "b"]
    for order in (objects, objects[::-1], [*objects[3:], *objects[:3]]):
        assert [planned.id.name for planned in plan(*order).objects] == wanted


def test_strangers_are_refused() -> None:
    for obj in (
        rendered("Secret"),
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "x"}},
        {"apiVersion": "example.com/v1", "kind": "Deployment", "metadata": {"name": "x"}},
    ):
        with pytest.raises(RenderError, match=f"the chart renders a {obj['kind']}, which the operator"):
            plan(obj)


def test_another_namespace_is_refused() -> None:
    obj = rendered("ConfigMap", metadata={"name": "x", "namespace": "kube-system"})
    with pytest.raises(RenderError, match="renders ConfigMap x into another namespace"):
        plan(obj)


def test_the_inventory_is_sorted_and_can_be_read_back() -> None:
    found = plan(rendered("Deployment", "b"), rendered("ConfigMap", "a")).inventory
    assert found == sorted(found)
    assert [ObjectId.parse(entry).name for entry in found] == ["a", "b"]


def test_digests_do_not_depend_on_order_but_on_every_value() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert digest({"a": [1, 2]}) != digest({"a": [2, 1]})


def test_chart_and_values_decide_whether_to_render() -> None:
    chart = ChartInfo("airflow-tenant", "1", "3.3.2", "digest")
    base = input_digest(chart, {"a": 1})
    assert base == input_digest(ChartInfo("airflow-tenant", "1", "3.3.2", "digest"), {"a": 1})
    assert base != input_digest(chart, {"a": 2})
    assert base != input_digest(ChartInfo("airflow-tenant", "1", "3.3.2", "other"), {"a": 1})
    assert base != input_digest(ChartInfo("airflow-tenant", "2", "3.3.2", "digest"), {"a": 1})


def test_the_same_input_gives_the_same_plan() -> None:
    objects = [rendered("Deployment", "b"), rendered("ConfigMap", "a", data={"x": "1"})]
    one, two = plan(*objects), plan(*reversed(objects))
    assert one == two
    assert json.dumps([p.object for p in one.objects]) == json.dumps([p.object for p in two.objects])
