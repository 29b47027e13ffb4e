"""What others change in a tenant's namespace is put back, at once and only that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.controller.api import Refused
from tests.controller.stack import Stack, TenantUnderTest

from tenant_operator.core import kinds, names
from tenant_operator.core.kinds import Kind, Object

_SECONDS = 45.0

#: For each rendered kind: a part of its name, an edit of what the release says, and where to look for it.
EDITS: dict[str, tuple[str, Object, tuple[Any, ...]]] = {
    "ServiceAccount": (
        "-scheduler",
        {"automountServiceAccountToken": True},
        ("automountServiceAccountToken",),
    ),
    "Role": ("", {"rules": []}, ("rules",)),
    "RoleBinding": ("", {"subjects": []}, ("subjects",)),
    "ResourceQuota": ("", {"spec": {"hard": {"pods": "999"}}}, ("spec", "hard", "pods")),
    "LimitRange": ("", {"spec": {"limits": [{"type": "Pod", "max": {"cpu": "1"}}]}}, ("spec", "limits")),
    "NetworkPolicy": ("-default-deny", {"spec": {"policyTypes": ["Egress"]}}, ("spec", "policyTypes")),
    "ConfigMap": (
        "-config-",
        {"data": {"AIRFLOW__CORE__LOAD_EXAMPLES": "True"}},
        ("data", "AIRFLOW__CORE__LOAD_EXAMPLES"),
    ),
    "Service": (
        "-api-server",
        {"spec": {"selector": {"app.kubernetes.io/component": "x"}}},
        ("spec", "selector", "app.kubernetes.io/component"),
    ),
    "PodDisruptionBudget": ("", {"spec": {"maxUnavailable": 7}}, ("spec", "maxUnavailable")),
    "Job": ("", {"spec": {"backoffLimit": 5}}, ("spec", "backoffLimit")),
    "StatefulSet": ("", {"spec": {"replicas": 0}}, ("spec", "replicas")),
    "Deployment": ("-scheduler", {"spec": {"replicas": 3}}, ("spec", "replicas")),
}
KINDS = {kind.kind: kind for kind in kinds.RENDERED}


@pytest.fixture(scope="module")
def everything(shared_stack: Stack) -> Iterator[TenantUnderTest]:
    """A tenant whose release holds an object of every kind."""
    people = {"kind": "Group", "name": "devs"}
    made = shared_stack.create(
        "drift",
        airflow={"apiServer": {"replicas": 2}},
        quota={"hard": {"pods": 100}},
        limits={"default": {"memory": "1Gi"}},
        access={"kubernetes": {"viewers": [people]}},
    )
    made.wait_released()
    yield made
    shared_stack.clean()


def one(tenant: TenantUnderTest, kind: Kind, part: str) -> Object:
    found = [
        obj
        for name, obj in sorted(tenant.objects(kind).items())
        if part in name and name != names.OPERATOR_BINDING
    ]
    assert found, f"the release has no {kind.kind}"
    return found[0]


def dig(obj: Object, path: tuple[Any, ...]) -> Any:
    value: Any = obj
    for step in path:
        value = value.get(step) if isinstance(value, dict) else value[step]
    return value


def test_the_cases_cover_every_kind_that_a_release_may_hold() -> None:
    assert set(EDITS) == set(KINDS)


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_put_back(everything: TenantUnderTest, name: str) -> None:
    end, patch, path = EDITS[name]
    kind, api = KINDS[name], everything.api
    before = one(everything, kind, end)
    wanted = dig(before, path)
    drift = everything.stack.operator.total("airflow_operator_drift_corrected_total", kind=name)

    edited = api.merge(kind, before["metadata"]["name"], patch, everything.namespace)
    assert dig(edited, path) != wanted, "the edit must change something"

    everything.until(lambda: dig(one(everything, kind, end), path) == wanted, _SECONDS)

    def counted() -> float:
        return everything.stack.operator.total("airflow_operator_drift_corrected_total", kind=name) - drift

    everything.until(counted, _SECONDS)  # when the answer has reached the operator
    assert counted() == 1


@pytest.mark.parametrize("name", EDITS)
def test_a_deleted_object_comes_back(everything: TenantUnderTest, name: str) -> None:
    end, _, _ = EDITS[name]
    kind, api = KINDS[name], everything.api
    before = one(everything, kind, end)

    api.delete(kind, before["metadata"]["name"], everything.namespace)

    def back() -> bool:
        live = api.find(kind, before["metadata"]["name"], everything.namespace)
        return live is not None and live["metadata"]["uid"] != before["metadata"]["uid"]

    everything.until(back, _SECONDS)


@pytest.mark.parametrize("name", EDITS)
def test_a_label_or_annotation_is_put_back(everything: TenantUnderTest, name: str) -> None:
    end, _, _ = EDITS[name]
    kind, api = KINDS[name], everything.api
    before = one(everything, kind, end)["metadata"]
    for field, key in (
        ("labels", "app.kubernetes.io/part-of"),
        ("labels", names.LABEL_TENANT),
        ("annotations", names.ANNOTATION_STAGE),
    ):
        api.merge(kind, before["name"], {"metadata": {field: {key: "x"}}}, everything.namespace)

        def back(field: str = field, key: str = key) -> bool:
            live = api.find(kind, before["name"], everything.namespace)
            return live is not None and live["metadata"][field].get(key) == before[field][key]

        everything.until(back, _SECONDS)


def test_an_object_cannot_be_taken_away_by_its_owner_reference(everything: TenantUnderTest) -> None:
    kind = kinds.DEPLOYMENT
    before = one(everything, kind, "-scheduler")["metadata"]
    everything.api.merge(kind, before["name"], {"metadata": {"ownerReferences": None}}, everything.namespace)
    everything.until(
        lambda: (
            one(everything, kind, "-scheduler")["metadata"].get("ownerReferences")
            == before["ownerReferences"]
        ),
        _SECONDS,
    )


def test_status_changes_of_children_are_not_drift(everything: TenantUnderTest) -> None:
    """A quota's status moves with every pod: the operator must neither write nor count that."""
    operator, api = everything.stack.operator, everything.api
    quota = one(everything, KINDS["ResourceQuota"], "")["metadata"]["name"]
    everything.until(lambda: everything.conditions()["ReleaseReady"]["status"] == "True")

    def written() -> float:
        return operator.total("airflow_operator_drift_corrected_total", kind="ResourceQuota")

    def version() -> str:
        return str(
            api.get(KINDS["ResourceQuota"], quota, everything.namespace)["metadata"]["resourceVersion"]
        )

    scheduler = f"{everything.name}-scheduler"

    def schedulers() -> list[str]:
        return [pod for pod in everything.objects(kinds.POD) if pod.startswith(scheduler)]

    # those of a Deployment that was deleted or scaled go a while after it
    everything.until(lambda: len(schedulers()) == 1)
    (pod,) = schedulers()
    before, seen = written(), version()
    api.delete(kinds.POD, pod, everything.namespace)
    everything.until(lambda: version() != seen)
    everything.until(lambda: any(name != pod for name in schedulers()))
    assert written() == before


def test_an_object_of_somebody_else_is_left_alone(everything: TenantUnderTest) -> None:
    api = everything.api
    theirs = {"metadata": {"name": "theirs", "namespace": everything.namespace}, "data": {"a": "1"}}
    api.create(KINDS["ConfigMap"], theirs)
    everything.edit(airflow={"config": {"core": {"parallelism": "7"}}})
    everything.wait_released()
    assert api.get(KINDS["ConfigMap"], "theirs", everything.namespace)["data"] == {"a": "1"}


def test_what_others_add_to_an_object_stays(everything: TenantUnderTest) -> None:
    """Server-side apply owns fields, not objects: an annotation of another controller is its own."""
    api = everything.api
    name = one(everything, KINDS["Service"], "-api-server")["metadata"]["name"]
    api.merge(KINDS["Service"], name, {"metadata": {"annotations": {"cloud/x": "y"}}}, everything.namespace)
    selects = {"app.kubernetes.io/component": "x"}
    api.merge(KINDS["Service"], name, {"spec": {"selector": selects}}, everything.namespace)
    everything.until(
        lambda: (
            selects.items()
            - api.get(KINDS["Service"], name, everything.namespace)["spec"]["selector"].items()
        ),
        _SECONDS,
    )
    live = api.get(KINDS["Service"], name, everything.namespace)
    assert live["metadata"]["annotations"]["cloud/x"] == "y"


def test_the_namespace_s_wall_is_put_back(everything: TenantUnderTest) -> None:
    api = everything.api
    label = "pod-security.kubernetes.io/enforce"
    api.merge(kinds.NAMESPACE, everything.namespace, {"metadata": {"labels": {label: "privileged"}}})
    look_again(everything)
    everything.until(
        lambda: api.get(kinds.NAMESPACE, everything.namespace)["metadata"]["labels"][label] == "restricted",
        _SECONDS,
    )


def test_the_operator_s_own_rights_are_put_back(everything: TenantUnderTest) -> None:
    api = everything.api
    api.delete(kinds.ROLE_BINDING, names.OPERATOR_BINDING, everything.namespace)
    everything.until(
        lambda: api.find(kinds.ROLE_BINDING, names.OPERATOR_BINDING, everything.namespace), _SECONDS
    )


def test_a_deleted_namespace_comes_back_and_asks_for_its_keys(stack: Stack) -> None:
    tenant = stack.create("nsgone")
    tenant.wait_released()
    keys = {name: tenant.secrets()[name] for name in (f"{tenant.name}-fernet-key", f"{tenant.name}-metadata")}
    old = stack.api.get(kinds.NAMESPACE, tenant.namespace)["metadata"]["uid"]
    stack.api.delete(kinds.NAMESPACE, tenant.namespace)

    def renewed() -> bool:
        found = stack.api.find(kinds.NAMESPACE, tenant.namespace)
        return found is not None and found["metadata"]["uid"] != old

    # a pass during the deletion may miss the one key while the other is still there
    tenant.until(renewed)
    tenant.until(lambda: all(name in tenant.conditions()["SecretsResolved"]["message"] for name in keys))
    found = tenant.wait("SecretsResolved", "False", "SecretMissing", seconds=60)
    assert all(name in found["message"] for name in keys)
    assert "restore it from a backup" in found["message"]
    live = stack.api.get(kinds.NAMESPACE, tenant.namespace)["metadata"]
    assert live["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"

    for name, data in keys.items():
        metadata = {"name": name, "namespace": tenant.namespace}
        stack.api.create(kinds.SECRET, {"metadata": metadata, "data": data})
    tenant.wait_released(60)


def look_again(tenant: TenantUnderTest) -> None:
    """What a person does who does not want to wait for the resync: touch the tenant."""
    count = int((tenant.object["metadata"].get("annotations") or {}).get("touched", "0"))
    patch = {"metadata": {"annotations": {"touched": str(count + 1)}}}
    try:
        tenant.api.merge(kinds.TENANT, tenant.name, patch)
    except Refused as error:
        raise AssertionError(error) from None
