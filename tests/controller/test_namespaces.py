"""A tenant takes only a namespace that is its own."""

from __future__ import annotations

from tests.controller.stack import Stack

from tenant_operator.core import kinds, names


def test_a_namespace_of_somebody_else_is_refused_and_left_alone(stack: Stack) -> None:
    tenant = stack.tenant("taken")
    stack.api.create(kinds.NAMESPACE, {"metadata": {"name": tenant.namespace, "labels": {"a": "b"}}})
    before = stack.api.get(kinds.NAMESPACE, tenant.namespace)["metadata"]["resourceVersion"]
    tenant.create()
    found = tenant.wait("NamespaceReady", "False", "NamespaceTaken")
    assert f"{names.ANNOTATION_TENANT}={tenant.name}" in found["message"]
    tenant.wait("Stalled", reason="NamespaceTaken")
    assert stack.api.get(kinds.NAMESPACE, tenant.namespace)["metadata"]["resourceVersion"] == before
    assert stack.api.list(kinds.SECRET, tenant.namespace) == []

    tenant.delete()
    tenant.wait_gone()
    assert stack.api.find(kinds.NAMESPACE, tenant.namespace), "somebody else's stays"


def test_a_namespace_that_is_handed_over_is_taken(stack: Stack) -> None:
    tenant = stack.tenant("handed")
    tenant.prepare_namespace()
    tenant.create()
    tenant.wait_released()
    labels = stack.api.get(kinds.NAMESPACE, tenant.namespace)["metadata"]["labels"]
    assert labels[names.LABEL_TENANT] == tenant.name


def test_of_two_tenants_with_one_namespace_one_loses(stack: Stack) -> None:
    first, second = stack.tenant("first"), stack.tenant("second")
    shared = {"name": f"airflow-{first.name}-shared"}
    first.create(namespace=shared)
    first.wait("NamespaceReady")
    second.create(namespace=shared, deletionPolicy="Delete")
    found = second.wait("NamespaceReady", "False", "NamespaceTaken")
    assert f"belongs to tenant {first.name}" in found["message"]
    first.wait_released()

    second.delete()
    second.wait_gone()
    assert first.wait("NamespaceReady"), "the loser's deletionPolicy must not reach it"
    live = stack.api.get(kinds.NAMESPACE, first.namespace)
    assert "deletionTimestamp" not in live["metadata"]


def test_two_tenants_at_once_with_one_namespace(stack: Stack) -> None:
    pair = [stack.tenant("race"), stack.tenant("race")]
    for tenant in pair:
        tenant.create(namespace={"name": f"airflow-{pair[0].name}-both"})
    owners = []
    for tenant in pair:
        tenant.until(
            lambda tenant=tenant: (
                tenant.conditions().get("NamespaceReady", {}).get("reason") in {"Succeeded", "NamespaceTaken"}
            )
        )
        owners.append(tenant.conditions()["NamespaceReady"]["reason"])
    assert sorted(owners) == ["NamespaceTaken", "Succeeded"]


def test_a_terminating_namespace_is_waited_for(stack: Stack) -> None:
    tenant = stack.tenant("ending")
    tenant.prepare_namespace()
    hold = {"metadata": {"name": "hold", "namespace": tenant.namespace, "finalizers": ["example.com/hold"]}}
    stack.api.create(kinds.find("v1", "ConfigMap") or kinds.SECRET, hold)
    stack.api.delete(kinds.NAMESPACE, tenant.namespace)
    tenant.create()
    tenant.wait("NamespaceReady", "False", "NamespaceTerminating")
    assert "Stalled" not in tenant.conditions()
    tenant.wait("Reconciling", reason="NamespaceTerminating")

    configmap = kinds.find("v1", "ConfigMap") or kinds.SECRET
    stack.api.merge(configmap, "hold", {"metadata": {"finalizers": None}}, tenant.namespace)
    tenant.wait_released(60)


def test_the_operator_s_own_namespace_is_no_tenant_s(stack: Stack) -> None:
    tenant = stack.create("own", namespace={"name": "airflow-tenants-system"})
    found = tenant.wait("Ready", "False", "InvalidSpec")
    assert found["message"] == "spec.namespace.name: must not be the operator's own namespace"
