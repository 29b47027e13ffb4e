from __future__ import annotations

from typing import Any

import pytest
from tests.unit.operator.support import NAMESPACE, tenant

from tenant_operator.core import kinds, names
from tenant_operator.core.kinds import Kind, Object, ObjectId
from tenant_operator.reconcile.index import Index, version_of

CONFIG_MAP = next(kind for kind in kinds.RENDERED if kind.kind == "ConfigMap")
QUOTA = next(kind for kind in kinds.RENDERED if kind.kind == "ResourceQuota")


def child(kind: Kind = kinds.DEPLOYMENT, name: str = "x", version: int = 1, **more: Any) -> Object:
    metadata = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": "u",
        "resourceVersion": str(version),
        "generation": 1,
        "labels": {names.LABEL_TENANT: "payments", names.LABEL_COMPONENT: "scheduler"},
    }
    body = {"apiVersion": kind.api_version, "kind": kind.kind, "spec": {"replicas": 1}, "status": {}}
    return {**body, **{k: v for k, v in more.items() if k != "metadata"},
            "metadata": metadata | more.get("metadata", {})}  # fmt: skip


def id_of(obj: Object) -> ObjectId:
    return ObjectId.of(obj)


def test_a_new_object_is_news_of_its_tenant() -> None:
    index = Index()
    obj = child()
    assert index.put(kinds.DEPLOYMENT, obj) == "payments"
    assert id_of(obj) in index.children("payments").objects
    assert index.children("other").objects == {}


def test_an_object_of_nobody_is_not_kept() -> None:
    index = Index()
    assert index.put(kinds.DEPLOYMENT, child(metadata={"labels": {}})) is None
    assert index.remove(kinds.DEPLOYMENT, child(metadata={"labels": {}})) is None


def test_the_owner_reference_counts_before_the_label() -> None:
    index = Index()
    obj = child(
        metadata={"labels": {names.LABEL_TENANT: "thief"}, "ownerReferences": [tenant().owner_reference]}
    )
    assert index.put(kinds.DEPLOYMENT, obj) == "payments"
    assert index.children("thief").objects == {}
    foreign = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "payments"}]
    assert index.put(kinds.POD, child(kinds.POD, metadata={"ownerReferences": foreign})) == "payments"


def test_older_news_than_what_is_known_are_ignored() -> None:
    index = Index()
    index.put(kinds.DEPLOYMENT, child(version=5))
    stale = child(version=4, metadata={"generation": 9})
    assert index.put(kinds.DEPLOYMENT, stale) is None
    assert index.children("payments").objects[id_of(stale)].resource_version == 5
    assert index.put(kinds.DEPLOYMENT, child(version=5)) is None


def test_a_status_change_that_says_nothing_new_is_no_news() -> None:
    index = Index()
    index.put(kinds.DEPLOYMENT, child(version=1))
    assert index.put(kinds.DEPLOYMENT, child(version=2, metadata={"managedFields": ["x"]})) is None
    up = {"observedGeneration": 1, "updatedReplicas": 1, "availableReplicas": 1, "replicas": 1}
    assert index.put(kinds.DEPLOYMENT, child(version=3, status=up)) == "payments"
    assert index.children("payments").workloads()[id_of(child())].ready


CHANGES: list[tuple[str, Kind, dict[str, Any], bool]] = [
    ("spec", kinds.DEPLOYMENT, {"metadata": {"generation": 2}}, True),
    ("status", kinds.DEPLOYMENT, {"status": {"replicas": 3}}, False),
    ("label", kinds.DEPLOYMENT, {"metadata": {"labels": {"a": "b"}}}, True),
    ("annotation", kinds.DEPLOYMENT, {"metadata": {"annotations": {"a": "b"}}}, True),
    ("controller's annotation", kinds.DEPLOYMENT,
     {"metadata": {"annotations": {"deployment.kubernetes.io/revision": "2"}}}, False),
    ("owner", kinds.DEPLOYMENT, {"metadata": {"ownerReferences": [{"name": "x"}]}}, True),
    ("quota's status", QUOTA, {"status": {"used": {"pods": "3"}}}, False),
    ("quota's spec", QUOTA, {"spec": {"hard": {"pods": "3"}}}, True),
    ("config map", CONFIG_MAP, {}, True),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "change", "moves"), CHANGES, ids=[name for name, *_ in CHANGES])
def test_the_version_moves_with_what_a_release_says_and_nothing_else(
    name: str, kind: Kind, change: dict[str, Any], moves: bool
) -> None:
    before, after = (
        version_of(kind, child(kind, version=1)),
        version_of(kind, child(kind, version=2, **change)),
    )
    assert (before != after) == moves, name


def test_a_deleted_object_is_gone_and_news_once() -> None:
    index = Index()
    obj = child()
    index.put(kinds.DEPLOYMENT, obj)
    assert index.remove(kinds.DEPLOYMENT, obj) == "payments"
    assert index.remove(kinds.DEPLOYMENT, obj) is None
    assert index.children("payments").objects == {}


def test_the_deletion_of_an_earlier_namesake_does_not_remove_the_new_one() -> None:
    index = Index()
    index.put(kinds.DEPLOYMENT, child(version=7, metadata={"uid": "new"}))
    assert index.remove(kinds.DEPLOYMENT, child(version=6, metadata={"uid": "old"})) is None
    assert len(index.children("payments").objects) == 1


def test_a_fresh_list_replaces_what_was_known_of_its_kind() -> None:
    index = Index()
    for obj in (child(name="stays"), child(name="goes"), child(name="others", metadata={
            "labels": {names.LABEL_TENANT: "other"}})):  # fmt: skip
        index.put(kinds.DEPLOYMENT, obj)
    index.put(CONFIG_MAP, child(CONFIG_MAP, "config"))
    changed = index.replace(kinds.DEPLOYMENT, [child(name="stays"), child(name="new", version=4)])
    assert changed == {"payments", "other"}
    assert {id_.name for id_ in index.children("payments").objects} == {"stays", "new", "config"}
    assert index.children("other").objects == {}
    assert index.replace(kinds.DEPLOYMENT, [child(name="stays"), child(name="new", version=4)]) == set()


def crashing(name: str = "p", component: str = "scheduler", **metadata: Any) -> Object:
    status = {"containerStatuses": [{"name": "c", "restartCount": 9,
                                     "lastState": {"terminated": {"exitCode": 1}}}]}  # fmt: skip
    labels = {names.LABEL_TENANT: "payments", names.LABEL_COMPONENT: component, **metadata.pop("labels", {})}
    return child(kinds.POD, name, status=status, metadata={"labels": labels, **metadata})


def test_pods_are_kept_as_their_trouble() -> None:
    index = Index()
    assert index.put(kinds.POD, crashing()) == "payments"
    assert index.put(kinds.POD, crashing(resourceVersion="9")) is None
    assert index.children("payments").problem("scheduler") is not None
    assert index.children("payments").problem("triggerer") is None
    assert index.remove(kinds.POD, crashing()) == "payments"
    assert index.remove(kinds.POD, crashing()) is None
    assert index.children("payments").problem("scheduler") is None


def test_the_trouble_of_one_job_is_not_that_of_another() -> None:
    index = Index()
    index.put(kinds.POD, crashing("old", "migrate", labels={"batch.kubernetes.io/job-name": "old"}))
    children = index.children("payments")
    assert children.problem("migrate", "old") is not None
    assert children.problem("migrate", "new") is None
    assert children.problem("migrate") is not None


def test_a_fresh_list_of_pods_drops_those_that_went() -> None:
    index = Index()
    index.put(kinds.POD, crashing("stays"))
    index.put(kinds.POD, crashing("goes"))
    assert index.replace(kinds.POD, [crashing("stays")]) == {"payments"}
    assert set(index.children("payments").pods) == {"stays"}


def test_a_tenant_that_is_gone_is_forgotten() -> None:
    index = Index()
    index.put(kinds.DEPLOYMENT, child())
    index.forget("payments")
    index.forget("payments")
    assert index.children("payments").objects == {}


def test_the_address_of_a_dag_processor_is_kept_and_no_news() -> None:
    index = Index()

    def pod(phase: str, ip: str = "", component: str = "dag-processor", **metadata: Any) -> Object:
        labels = {names.LABEL_TENANT: "payments", names.LABEL_COMPONENT: component}
        status = {"phase": phase, **({"podIP": ip} if ip else {})}
        return child(kinds.POD, component, status=status, metadata={"labels": labels, **metadata})

    addresses = index.children("payments").addresses
    assert index.put(kinds.POD, pod("Pending")) == "payments"
    assert addresses() == []
    assert index.put(kinds.POD, pod("Running", "10.0.0.7")) is None
    assert index.put(kinds.POD, pod("Running", "10.0.0.8", "scheduler")) == "payments"
    assert addresses() == ["10.0.0.7"]
    index.put(kinds.POD, pod("Running", "10.0.0.7", deletionTimestamp="2026-01-01T00:00:00Z"))
    assert addresses() == []
