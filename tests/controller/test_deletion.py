"""What a deleted tenant leaves is what its policy says."""

from __future__ import annotations

from tests.controller.stack import Stack, TenantUnderTest

from tenant_operator.core import kinds, names

_HOLD = "example.com/hold"


def volume(tenant: TenantUnderTest) -> str:
    """The database's volume claim, which the StatefulSet controller makes."""
    claim = f"data-{tenant.name}-postgresql-0"
    tenant.until(lambda: [p["metadata"]["name"] for p in tenant.api.list(kinds.PVC, tenant.namespace)])
    (found,) = (p["metadata"]["name"] for p in tenant.api.list(kinds.PVC, tenant.namespace))
    assert found == claim
    return claim


def test_retain_keeps_the_data_and_removes_the_rest(stack: Stack) -> None:
    tenant = stack.create("retain")
    tenant.wait_released()
    claim, secrets = volume(tenant), tenant.secrets()
    uid = tenant.object["metadata"]["uid"]

    tenant.delete()
    tenant.wait_gone()

    for kind in (*kinds.RENDERED, kinds.POD):
        left = [name for name in tenant.objects(kind) if name != names.OPERATOR_BINDING]
        assert left == [], kind.kind
    assert tenant.secrets() == secrets
    assert all(obj["type"] == "Opaque" for obj in tenant.objects(kinds.SECRET).values()), "no Helm record"
    assert stack.helm("ls", "-n", tenant.namespace, "-o", "json") == []
    for kind, name in (
        *((kinds.SECRET, name) for name in secrets),
        (kinds.PVC, claim),
    ):
        labels = stack.api.get(kind, name, tenant.namespace)["metadata"]["labels"]
        assert labels.get(names.LABEL_RETAINED) == "true", name
    assert (
        stack.api.get(kinds.NAMESPACE, tenant.namespace)["metadata"]["labels"][names.LABEL_RETAINED] == "true"
    )
    told = [e["message"] for e in tenant.events("DataRetained") if e["involvedObject"]["uid"] == uid]
    assert told, "more than once if the tenant's last status came between"
    for message in told:
        assert tenant.namespace in message
        assert f"PersistentVolumeClaim/{claim}" in message


def test_a_tenant_of_the_same_name_takes_the_data_up_again(stack: Stack) -> None:
    tenant = stack.create("again")
    tenant.wait_released()
    claim, secrets = volume(tenant), tenant.secrets()
    before = stack.api.get(kinds.PVC, claim, tenant.namespace)["metadata"]["uid"]
    tenant.delete()
    tenant.wait_gone()

    tenant.create()
    tenant.wait_released()

    assert tenant.secrets() == secrets
    pvc = stack.api.get(kinds.PVC, claim, tenant.namespace)["metadata"]
    assert pvc["uid"] == before
    retained = [name for name, s in tenant.objects(kinds.SECRET).items()
                if names.LABEL_RETAINED in s["metadata"]["labels"]]  # fmt: skip
    assert retained == []
    assert names.LABEL_RETAINED not in pvc["labels"]
    live = stack.api.get(kinds.NAMESPACE, tenant.namespace)["metadata"]
    assert names.LABEL_RETAINED not in live["labels"]
    assert tenant.status["release"]["revision"] == 1


def test_task_pods_that_nobody_owns_end_with_the_tenant(stack: Stack) -> None:
    """The KubernetesExecutor keeps failed task pods for their logs, without an owner."""
    tenant = stack.create("tasks")
    tenant.wait_released()
    tenant.task_pod("failed-task")
    tenant.delete()
    tenant.wait_gone()
    assert stack.api.find(kinds.POD, "failed-task", tenant.namespace) is None


def test_delete_removes_the_namespace(stack: Stack) -> None:
    tenant = stack.create("delete", deletionPolicy="Delete")
    tenant.wait_released()
    tenant.delete()
    tenant.wait_gone(60)
    assert stack.api.find(kinds.NAMESPACE, tenant.namespace) is None


def test_a_tenant_can_be_deleted_while_it_comes_up(stack: Stack) -> None:
    tenant = stack.tenant("early")
    stack.kubelet.break_component(tenant.namespace, "postgresql", {"containerStatuses": []})
    tenant.create()
    tenant.wait("DatabaseReady", "False", "DatabaseStarting")
    tenant.delete()
    tenant.wait_gone()
    assert not tenant.objects(kinds.STATEFUL_SET)


def test_a_suspended_tenant_can_be_deleted(stack: Stack) -> None:
    tenant = stack.create("suspended")
    tenant.wait_released()
    tenant.edit(suspend=True)
    tenant.wait("Ready", "", "Suspended")
    tenant.delete()
    tenant.wait_gone()
    assert not tenant.objects(kinds.DEPLOYMENT)


def test_a_deletion_that_hangs_says_what_holds_it_and_goes_on(stack: Stack) -> None:
    """The shared operator's DELETION_DEADLINE is three seconds."""
    tenant = stack.create("blocked")
    tenant.wait_released()
    scheduler = f"{tenant.name}-scheduler"
    finalizers = {"metadata": {"finalizers": [_HOLD]}}
    stack.api.merge(kinds.DEPLOYMENT, scheduler, finalizers, tenant.namespace)

    stack.operator.terminate()
    stack.operator.start(DELETION_DEADLINE="600")  # three seconds may be over before the first look
    tenant.delete()
    tenant.wait("Ready", "False", "Deleting")
    stack.operator.terminate()
    stack.operator.start()
    tenant.wait("Ready", "False", "DeletionBlocked")
    tenant.until(lambda: f"Deployment/{scheduler}" in tenant.conditions()["Ready"]["message"])
    tenant.wait("Stalled", reason="DeletionBlocked")
    tenant.until(lambda: [e["type"] for e in tenant.events("DeletionBlocked")] == ["Warning"])

    stack.api.merge(kinds.DEPLOYMENT, scheduler, {"metadata": {"finalizers": None}}, tenant.namespace)
    tenant.wait_gone()


def test_a_foreign_finalizer_of_the_tenant_is_kept(stack: Stack) -> None:
    tenant = stack.create("finalizers")
    tenant.wait("NamespaceReady")
    kept = [*tenant.object["metadata"]["finalizers"], _HOLD]
    stack.api.merge(kinds.TENANT, tenant.name, {"metadata": {"finalizers": kept}})
    tenant.delete()
    tenant.until(lambda: tenant.object["metadata"]["finalizers"] == [_HOLD])
    stack.api.merge(kinds.TENANT, tenant.name, {"metadata": {"finalizers": None}})
    tenant.wait_gone()
