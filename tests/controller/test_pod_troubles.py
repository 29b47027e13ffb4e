"""What keeps pods from running reaches the tenant's conditions, with the words that help."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from tests.controller.api import Refused
from tests.controller.kubelet import container, failing_git_sync
from tests.controller.stack import Stack, TenantUnderTest

from tenant_operator.core import kinds
from tenant_operator.core.kinds import Kind

_POLICY, _BINDING = (
    Kind("admissionregistration.k8s.io/v1", kind, plural, namespaced=False)
    for kind, plural in (
        ("ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
        ("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"),
    )
)
_CRASH: dict[str, Any] = {
    "containerStatuses": [
        container(
            "scheduler",
            {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting"}},
            restartCount=4,
            lastState={
                "terminated": {"exitCode": 1, "reason": "Error", "message": "AirflowConfigException: boom"}
            },
        )
    ]
}
_MEMORY: dict[str, Any] = {
    "containerStatuses": [
        container(
            "scheduler",
            {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
            restartCount=2,
            lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
        )
    ]
}
_IMAGE: dict[str, Any] = {
    "containerStatuses": [
        container(
            "scheduler",
            {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "a:b": not found'}},
            image="registry.example.com/a:b",
        )
    ]
}
_CONFIG: dict[str, Any] = {
    "containerStatuses": [
        container(
            "scheduler",
            {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "gone" not found'}},
        )
    ]
}
_SCHEDULE: dict[str, Any] = {
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient cpu.",
        }
    ]
}
_GIT: dict[str, Any] = {
    "initContainerStatuses": [
        failing_git_sync(
            "Run(git fetch https://git.example.com/x.git main): exit status 128: "
            '{ stdout: "", stderr: "fatal: Authentication failed for x" }'
        )
    ]
}
#: component, pod status -> condition, reason, words of the message
TROUBLES = {
    "crash loop": ("scheduler", _CRASH, "ReleaseReady", "CrashLooping", "AirflowConfigException: boom"),
    "memory": ("scheduler", _MEMORY, "ReleaseReady", "CrashLooping", "raise its memory limit"),
    "image": ("scheduler", _IMAGE, "ReleaseReady", "ImagePullFailed", "registry.example.com/a:b"),
    "container": ("scheduler", _CONFIG, "ReleaseReady", "CrashLooping", 'secret "gone" not found'),
    "schedule": ("scheduler", _SCHEDULE, "ReleaseReady", "Unschedulable", "3 Insufficient cpu"),
    "git": ("scheduler", _GIT, "DagsSynced", "GitSyncFailed", "Authentication failed"),
    "database": ("postgresql", _SCHEDULE, "DatabaseReady", "Unschedulable", "3 Insufficient cpu"),
    "migration": ("migrate-database", _IMAGE, "MigrationsApplied", "ImagePullFailed", "spec.airflow.image"),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_of_a_pod_is_told_and_ends(stack: Stack, name: str) -> None:
    component, status, condition, reason, words = TROUBLES[name]
    tenant = stack.tenant("trouble")
    stack.kubelet.break_component(tenant.namespace, component, status)
    tenant.create()

    found = tenant.wait(condition, "False", reason, says=words)
    ready = tenant.conditions()["Ready"]
    assert (ready["status"], ready["reason"], ready["message"]) == ("False", reason, found["message"])
    tenant.until(lambda: [e for e in tenant.events(reason) if e["type"] == "Warning"])

    stack.kubelet.mend_component(tenant.namespace, component)
    tenant.wait_released()


def test_an_exporter_that_cannot_start_keeps_no_airflow_from_its_database(stack: Stack) -> None:
    tenant = stack.tenant("exporter")
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}
    running = container("postgresql", {"running": {}}, ready=True)
    beside = {"phase": "Running", "containerStatuses": [running, container("metrics", waiting)]}
    stack.kubelet.break_component(tenant.namespace, "postgresql", beside)
    tenant.create()
    tenant.wait_released()
    service = tenant.objects(kinds.SERVICE)[f"{tenant.name}-postgresql"]
    assert service["spec"]["publishNotReadyAddresses"] is True, "or the Service drops the server"


def test_a_bad_rollout_leaves_the_earlier_pods_serving(stack: Stack) -> None:
    tenant = stack.create("rollout")
    tenant.wait_released()
    scheduler = f"{tenant.name}-scheduler"
    (old,) = (pod for pod in tenant.objects(kinds.POD) if pod.startswith(scheduler))
    stack.kubelet.break_component(tenant.namespace, "scheduler", _IMAGE)
    # The kubelet breaks pods by component: the old one must go on as it is.
    tenant.edit(airflow={"scheduler": {"resources": {"requests": {"cpu": "60m"}}}})
    tenant.wait("ReleaseReady", "False", "ImagePullFailed")
    assert old in tenant.objects(kinds.POD)


def test_an_exceeded_quota_names_field_and_remedy(stack: Stack) -> None:
    tenant = stack.create("quota")
    tenant.wait_released()
    tenant.edit(quota={"hard": {"pods": "7"}}, airflow={"triggerer": {"replicas": 4}})
    found = tenant.wait("ReleaseReady", "False", "QuotaExceeded")
    assert "exceeded quota" in found["message"]
    assert "spec.quota.hard" in found["message"]
    tenant.edit(quota={"hard": {"pods": "50"}})
    tenant.wait_released(60)


@pytest.mark.timeout(600)
def test_a_pod_that_an_admission_policy_refuses_is_told_with_the_policys_words(stack: Stack) -> None:
    """The API server takes the StatefulSet and refuses its pods: only an Event says why."""
    tenant = stack.tenant("policy")
    tenant.prepare_namespace()
    with denied_pods(stack, tenant, "images come from registry.example.com/ only"):
        tenant.create()
        found = tenant.wait("DatabaseReady", "False", "ApplyRejected", says="registry.example.com/ only")
        assert found["message"].startswith("postgresql: ")
        assert tenant.conditions()["Ready"]["message"] == found["message"]
    # The StatefulSet's controller tries again as late as it was refused for long: its pauses double.
    tenant.wait_released(300)


@contextlib.contextmanager
def denied_pods(stack: Stack, tenant: TenantUnderTest, message: str) -> Iterator[None]:
    """No pod is admitted to the tenant's namespace, in effect from the first moment on."""
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": tenant.namespace}},
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
            ],
        },
        "validations": [{"expression": "false", "message": message}],
    }
    named = {"metadata": {"name": tenant.name}}
    stack.api.create(_POLICY, {**named, "spec": spec})
    bound = {"policyName": tenant.name, "validationActions": ["Deny"]}
    stack.api.create(_BINDING, {**named, "spec": bound})
    try:
        tenant.until(lambda: refused(tenant))
        yield
    finally:
        stack.api.delete(_BINDING, tenant.name)
        stack.api.delete(_POLICY, tenant.name)


def refused(tenant: TenantUnderTest) -> bool:
    """Whether the policy has reached the API server's admission; a pod that gets in is taken out again."""
    try:
        tenant.task_pod("probe")
    except Refused as error:
        return "registry.example.com" in error.message
    tenant.api.delete(kinds.POD, "probe", tenant.namespace)
    tenant.until(lambda: tenant.api.find(kinds.POD, "probe", tenant.namespace) is None)
    return False
