"""The API server holds the operator to its work: what its token may do, what not, and that this is enough."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import urllib3
import yaml
from tests.controller.api import Refused
from tests.controller.asking import GIT, annotate, handled
from tests.controller.attempts import (
    ALLOWED,
    APPLY,
    FORBIDDEN,
    FREE,
    HAND,
    HANDED,
    KEY,
    OWN,
    RBAC,
    ROLE,
    SCHEDULER,
    VIEWER,
    account,
    annotated,
    applied,
    binding,
    labelled,
    namespace,
    pod,
    role,
    run,
)
from tests.controller.exec_node import exec_node
from tests.controller.process import eventually
from tests.controller.stack import Stack, own_kubeconfig

from tenant_operator.core import kinds, names
from tenant_operator.core.kinds import Kind, Object

DENIED = "denied request: "
POLICIES = tuple(
    Kind(
        "admissionregistration.k8s.io/v1",
        f"ValidatingAdmissionPolicy{more}",
        f"validatingadmissionpolic{plural}",
        namespaced=False,
    )
    for more, plural in (("", "ies"), ("Binding", "ybindings"))
)


@dataclass
class Thief:
    """Whoever holds the operator's token: calls as it, and what the API server says to them."""

    server: str
    token: str = field(repr=False)
    pool: urllib3.PoolManager

    @classmethod
    def of(cls, stack: Stack) -> Thief:
        config = yaml.safe_load(own_kubeconfig(stack.plane).read_text())
        ca = stack.plane.directory / "tester" / "ca"
        token = str(config["users"][0]["user"]["token"])
        return cls(
            stack.plane.server, token, urllib3.PoolManager(ca_certs=str(ca), retries=False, timeout=30)
        )

    def call(self, method: str, path: str, body: Any = None, content: str = "application/json") -> str:
        """Nothing when it is (or would be) done, else the words of the refusal. Changes nothing."""
        mark = "&" if "?" in path else "?"
        query = f"{mark}dryRun=All" + ("&fieldManager=thief&force=true" if content == APPLY else "")
        response = self.pool.request(
            method,
            self.server + path + ("" if "/pods/p/" in path else query),
            body=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": content},
        )
        text = response.data.decode()
        return "" if response.status < 300 else f"{response.status} {json.loads(text).get('message', text)}"


@pytest.fixture(scope="module")
def thief(shared_stack: Stack) -> Iterator[Thief]:
    """With a tenant's namespace that the operator has entered, one just handed over, and one of nobody."""
    api, tenant = shared_stack.api, "victim"
    api.create(kinds.NAMESPACE, namespace(OWN, tenant))
    api.create(kinds.NAMESPACE, {"metadata": {"name": HANDED, **HAND}})
    api.create(kinds.NAMESPACE, namespace(FREE, ""))
    api.create(kinds.ROLE_BINDING, binding(OWN))
    # as if somebody had bound it by hand, or taken off the annotation since
    api.create(kinds.ROLE_BINDING, binding(FREE))
    api.secret(KEY, OWN, fernet_key="x")
    api.merge(kinds.SECRET, KEY, labelled(tenant=tenant), OWN)
    record = {"metadata": {"name": "record", "namespace": OWN}, "type": "helm.sh/release.v1"}
    api.create(kinds.SECRET, record)
    api.create(
        kinds.TENANT,
        {
            "metadata": {"name": tenant, **annotated(suspend="true")["metadata"]},
            "spec": {"owner": {"team": "t"}, "suspend": True},
        },
    )
    api.create(kinds.POD, pod("p"))
    for name in ("found", VIEWER, SCHEDULER):
        api.create(ROLE, role(name, "pods", "get"))
    made = Thief.of(shared_stack)
    secrets = f"{kinds.SECRET.path(OWN)}?limit=1"
    eventually(lambda: made.call("GET", secrets) == "", 60, lambda: made.call("GET", secrets))
    yield made
    api.delete(kinds.TENANT, tenant)
    for name in (OWN, HANDED, FREE):
        api.delete(kinds.NAMESPACE, name)


@pytest.mark.parametrize("case", FORBIDDEN)
def test_a_stolen_token_may_not(thief: Thief, case: str) -> None:
    attempt, words = FORBIDDEN[case]
    said = thief.call(*attempt)
    assert said.startswith("403 "), said
    assert DENIED in said, said
    assert words in said


@pytest.mark.parametrize("case", ALLOWED)
def test_the_operator_may(thief: Thief, case: str) -> None:
    assert thief.call(*ALLOWED[case]) == ""


def test_the_operators_command_comes_as_far_as_the_pod(thief: Thief) -> None:
    assert "does not have a host assigned" in thief.call(*run())


def test_nobody_else_is_refused(stack: Stack, thief: Thief) -> None:
    """The policies are about the operator; an administrator may do all that it may not."""
    refused = {}
    for case, (attempt, _) in FORBIDDEN.items():
        method, path, *body = attempt
        if "/pods/p/" in path:  # these cannot be done without doing them
            continue
        query = "dryRun=All" + ("&fieldManager=tester&force=true" if APPLY in body else "")
        content = body[1] if len(body) > 1 else "application/json"
        try:
            stack.api.call(method, path, body[0] if body else None, content=content, query=query)
        except Refused as error:
            refused[case] = error.message
    # what the API server never takes: it is no rule of ours
    assert {case: words for case, words in refused.items() if DENIED in words} == {}


def test_the_server_finds_no_fault_in_the_policies(stack: Stack) -> None:
    def checked() -> list[Object]:
        listed = stack.api.list(POLICIES[0])
        return listed if listed and all("typeChecking" in p.get("status", {}) for p in listed) else []

    policies = eventually(checked, 120)
    assert len(policies) == 5
    faults = {p["metadata"]["name"]: p["status"]["typeChecking"].get("expressionWarnings") for p in policies}
    assert {name: found for name, found in faults.items() if found} == {}


def audited(stack: Stack) -> Iterator[Object]:
    """The API server's audit log, as far as it is written."""
    folder = stack.plane.directory / "log"

    def read() -> list[str]:
        logs = sorted(folder.glob("audit*.log"))  # the older one has its date in the name
        try:
            texts = [log.read_text() for log in logs]
        except FileNotFoundError:
            texts = []
        rotated = logs != sorted(folder.glob("audit*.log"))
        return [] if rotated else texts

    for text in eventually(read, 30):
        for line in text.splitlines(keepends=True):
            if line.endswith("\n"):  # the last one may be half written
                yield json.loads(line)


def refusals(stack: Stack, *about: str) -> list[str]:
    """What the policies refused in these namespaces, or of these objects: it is in the audit log."""
    found = []
    for event in audited(stack):
        what = event.get("objectRef") or {}
        failure = (event.get("annotations") or {}).get(
            "validation.policy.admission.k8s.io/validation_failure"
        )
        if failure and {what.get("namespace"), what.get("name")} & set(about):
            found.append(failure)
    return found


@pytest.fixture
def noted(stack: Stack, thief: Thief) -> Iterator[None]:
    """What the test finds in the audit log is all: a refusal from before the test is still there after it."""
    made = f"control-{time.monotonic_ns()}"
    assert DENIED in thief.call("POST", kinds.NAMESPACE.path(), namespace(made, ""))
    yield
    assert len(refusals(stack, made)) == 1


@pytest.mark.usefixtures("noted")
def test_the_whole_life_of_a_tenant_meets_no_refusal(stack: Stack) -> None:
    tenant = stack.tenant("life")
    people, program = {"kind": "Group", "name": "team"}, account("ci", "ci")
    tenant.prepare_namespace()
    tenant.create(
        dags={"sources": [GIT]},
        airflow={"executor": "KubernetesExecutor"},
        access={"kubernetes": {"viewers": [people], "editors": [people], "admins": [people, program]}},
    )
    tenant.wait_released()
    with exec_node(stack, "life-node") as node:
        node.take(tenant)
        annotate(tenant, dag_sync_requested_at="now")
        handled(tenant, "lastHandledDagSyncAt", "now")
        assert node.runs
    tenant.edit(airflow={"triggerer": {"replicas": 2}})
    tenant.until(lambda: tenant.status["release"]["revision"] == 2)
    tenant.edit(state="Hibernated")
    tenant.wait("Ready", "True", "Hibernated")
    tenant.edit(state="Running")
    tenant.wait_released()
    tenant.task_pod("failed-task")
    tenant.delete()
    tenant.wait_gone()
    assert stack.api.find(kinds.NAMESPACE, tenant.namespace), "kept"

    tenant.create(deletionPolicy="Delete")
    tenant.wait_released()
    tenant.delete()
    tenant.wait_gone()
    tenant.until(lambda: stack.api.find(kinds.NAMESPACE, tenant.namespace) is None)
    assert refusals(stack, tenant.namespace, tenant.name) == []


@pytest.mark.usefixtures("noted")
def test_thirty_tenants_at_once_enter_namespaces_that_are_a_moment_old(stack: Stack) -> None:
    """The API server looks the namespace up that it has just made: a lookup that lags would refuse."""
    tenants = [stack.tenant("moment") for _ in range(30)]
    for tenant in tenants:
        tenant.create()
    for tenant in tenants:
        tenant.wait("NamespaceReady")
        tenant.until(functools.partial(tenant.objects, kinds.ROLE_BINDING))
    assert refusals(stack, *(tenant.namespace for tenant in tenants)) == []


def test_a_namespace_that_is_handed_over_at_the_last_moment_is_entered(stack: Stack) -> None:
    """Here a lookup may lag, for the namespace was there: it is tried again."""
    tenants = [stack.tenant("late") for _ in range(10)]
    for tenant in tenants:
        stack.api.create(kinds.NAMESPACE, {"metadata": {"name": tenant.namespace}})
        mine = {"metadata": {"annotations": {names.ANNOTATION_TENANT: tenant.name}}}
        stack.api.merge(kinds.NAMESPACE, tenant.namespace, mine)
        tenant.create()
    for tenant in tenants:
        # many tenants of the test before are on their way out; the pause after a missing right is a minute
        tenant.until(functools.partial(tenant.objects, kinds.ROLE_BINDING), 45)
        tenant.wait("NamespaceReady")


def test_a_namespace_that_a_lookup_does_not_know_yet_as_the_tenants_is_tried_again_at_once(
    stack: Stack, thief: Thief
) -> None:
    tenant = stack.tenant("lag")
    tenant.prepare_namespace()
    entry = applied(kinds.ROLE_BINDING, binding(tenant.namespace))
    policy = lagging(tenant.namespace)
    for kind, spec in policy.items():
        stack.api.create(kind, {"metadata": {"name": tenant.name}, "spec": spec})
    try:
        eventually(lambda: "not yet" in thief.call(*entry), 60)
        before = len(refusals(stack, tenant.namespace))
        tenant.create()
        # the pause after a right that is missing is a minute
        tenant.until(lambda: len(refusals(stack, tenant.namespace)) > before + 2, 50)
    finally:
        for kind in reversed(policy):
            stack.api.delete(kind, tenant.name)
    tenant.until(functools.partial(tenant.objects, kinds.ROLE_BINDING))
    tenant.wait("NamespaceReady")


def lagging(home: str) -> dict[Kind, Object]:
    """A policy, and its binding, that refuses as the operator's own would of a namespace in its old state."""
    policy = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": home}},
            "resourceRules": [
                {
                    "apiGroups": [RBAC],
                    "apiVersions": ["v1"],
                    "resources": ["rolebindings"],
                    "operations": ["*"],
                }
            ],
        },
        "validations": [{"expression": "false", "reason": "Forbidden", "message": "not yet"}],
    }
    name = home.removeprefix("airflow-")
    bound = {"policyName": name, "validationActions": ["Deny", "Audit"]}
    return dict(zip(POLICIES, (policy, bound), strict=True))
