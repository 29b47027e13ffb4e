"""The API server holds the operator to its work: what its token may do, what not, and that this is enough."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import urllib3
import yaml
from tests.controller.api import Refused
from tests.controller.asking import GIT, annotate, handled
from tests.controller.exec_node import exec_node
from tests.controller.process import eventually
from tests.controller.stack import OPERATOR_NAMESPACE, OPERATOR_RELEASE, Stack, own_kubeconfig

from tenant_operator.core import kinds, names
from tenant_operator.core.kinds import Kind, Object
from tenant_operator.plan import fetch

APPLY, MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
RBAC = "rbac.authorization.k8s.io"
ROLE = Kind(f"{RBAC}/v1", "Role", "roles")
OWN, FREE = "airflow-victim", "bystander"
DENIED = "denied request: "


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
    """With a tenant's namespace that the operator has entered, and one that is nobody's."""
    api, tenant = shared_stack.api, "victim"
    api.create(kinds.NAMESPACE, namespace(OWN, tenant))
    api.create(kinds.NAMESPACE, namespace(FREE, ""))
    api.create(kinds.ROLE_BINDING, binding(OWN))
    # as if somebody had bound it by hand, or taken off the annotation since
    api.create(kinds.ROLE_BINDING, binding(FREE))
    api.secret(names.fernet_secret(tenant), OWN, fernet_key="x")
    record = {"metadata": {"name": "record", "namespace": OWN}, "type": "helm.sh/release.v1"}
    api.create(kinds.SECRET, record)
    api.create(
        kinds.TENANT, {"metadata": {"name": tenant}, "spec": {"owner": {"team": "t"}, "suspend": True}}
    )
    api.create(kinds.POD, pod("p"))
    for name in ("found", "victim-team-viewer"):
        api.create(ROLE, role(name, "pods", "get"))
    made = Thief.of(shared_stack)
    secrets = f"{kinds.SECRET.path(OWN)}?limit=1"
    eventually(lambda: made.call("GET", secrets) == "", 60, lambda: made.call("GET", secrets))
    yield made
    api.delete(kinds.TENANT, tenant)
    for name in (OWN, FREE):
        api.delete(kinds.NAMESPACE, name)


def namespace(name: str, tenant: str, **labels: str) -> Object:
    """As the operator makes it; of no tenant when that is empty."""
    wall = {"pod-security.kubernetes.io/enforce": "restricted"}
    wall["pod-security.kubernetes.io/enforce-version"] = "latest"
    metadata: Object = {"name": name, "labels": (wall if tenant else {}) | labels}
    if tenant:
        metadata["annotations"] = {names.ANNOTATION_TENANT: tenant}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def binding(
    home: str, role: str = names.TENANT_CLUSTER_ROLE, kind: str = "ClusterRole", **who: str
) -> Object:
    """A RoleBinding, of the operator to its role when nothing else is said."""
    subject = {"kind": "ServiceAccount", "name": OPERATOR_RELEASE, "namespace": OPERATOR_NAMESPACE} | who
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "b" if kind == "ClusterRole" else role, "namespace": home},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        "subjects": [subject],
    }


def role(name: str, resource: str, *verbs: str, group: str = "") -> Object:
    rule = {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role",
        "metadata": {"name": name, "namespace": OWN},
        "rules": [rule],
    }


def pod(name: str) -> Object:
    """One that Pod Security takes."""
    own = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "metadata": {"name": name, "namespace": OWN},
        "spec": {
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "git-sync-main", "image": "x", "securityContext": own}],
        },
    }


def applied(kind: Kind, obj: Object) -> tuple[str, str, Object, str]:
    """Server-side apply, as the operator does it."""
    metadata = obj["metadata"]
    return "PATCH", kind.path(metadata.get("namespace", ""), metadata["name"]), obj, APPLY


def merged(kind: Kind, home: str, name: str, patch: Object) -> tuple[str, str, Object, str]:
    return "PATCH", kind.path(home, name), patch, MERGE


def labelled(**labels: str | None) -> Object:
    return {"metadata": {"labels": {f"airflowtenants.io/{key}": text for key, text in labels.items()}}}


def run(home: str = OWN, container: str = "git-sync-main", more: str = "", *command: str) -> tuple[str, str]:
    """pods/exec as the client asks for it."""
    words = "".join(f"&command={word.replace(' ', '%20')}" for word in command or fetch.COMMAND)
    return "GET", f"{kinds.POD.path(home, 'p', 'exec')}?container={container}&stdout=true{more}{words}"


PSS = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
OLD_PSS = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce-version": "v1.24"}}}
TAKE = {"metadata": {"annotations": {names.ANNOTATION_TENANT: "mine"}}}
DROP = {"metadata": {"annotations": {names.ANNOTATION_TENANT: None}}}
KEY = names.fernet_secret("victim")
SPEC = {"spec": {"deletionPolicy": "Delete"}}

FORBIDDEN: dict[str, tuple[tuple[Any, ...], str]] = {
    "delete a namespace of nobody": (
        ("DELETE", kinds.NAMESPACE.path("", FREE)),
        "annotate it to hand it over",
    ),
    "delete kube-node-lease": (  # the others of Kubernetes' own nobody may delete
        ("DELETE", kinds.NAMESPACE.path("", "kube-node-lease")),
        "is never a tenant's",
    ),
    "delete its own": (("DELETE", kinds.NAMESPACE.path("", OPERATOR_NAMESPACE)), "is never a tenant's"),
    "label a namespace of nobody": (
        merged(kinds.NAMESPACE, "", FREE, labelled(team="x")),
        "has no annotation",
    ),
    "take a namespace": (
        applied(kinds.NAMESPACE, namespace(FREE, "mine")),
        f"namespace {FREE} has no annotation",
    ),
    "take kube-system": (merged(kinds.NAMESPACE, "", "kube-system", TAKE), "is never a tenant's"),
    "make a namespace of nobody": (
        ("POST", kinds.NAMESPACE.path(), namespace("new", "")),
        "has no annotation",
    ),
    "hand it to another": (merged(kinds.NAMESPACE, "", OWN, TAKE), "is of tenant victim"),
    "give it up": (merged(kinds.NAMESPACE, "", OWN, DROP), "is of tenant victim"),
    "open its Pod Security": (merged(kinds.NAMESPACE, "", OWN, PSS), "sets Pod Security to restricted"),
    "of an old version": (merged(kinds.NAMESPACE, "", OWN, OLD_PSS), "sets Pod Security to restricted"),
    "make an open one": (
        (
            "POST",
            kinds.NAMESPACE.path(),
            namespace("new", "new") | PSS | {"metadata": {"name": "new", **TAKE["metadata"]}},
        ),
        "sets Pod Security to restricted",
    ),
    "enter a namespace of nobody": (applied(kinds.ROLE_BINDING, binding(FREE)), f"{FREE} has no annotation"),
    "enter kube-system": (
        applied(kinds.ROLE_BINDING, binding("kube-system")),
        "kube-system has no annotation",
    ),
    "let another in": (applied(kinds.ROLE_BINDING, binding(OWN, name="thief")), "to itself only"),
    "let one of elsewhere in": (applied(kinds.ROLE_BINDING, binding(OWN, namespace=OWN)), "to itself only"),
    "bind a role of others": (
        applied(kinds.ROLE_BINDING, binding(OWN, "found", "Role")),
        "may not bind Role found, only",
    ),
    "let somebody read Secrets": (
        applied(ROLE, role("x", "secrets", "get")),
        "what the tenant chart's Roles grant",
    ),
    "let somebody run commands": (
        applied(ROLE, role("x", "pods/exec", "create")),
        "what the tenant chart's Roles",
    ),
    "let somebody change workloads": (
        applied(ROLE, role("x", "deployments", "patch", group="apps")),
        "what the tenant chart's Roles grant",
    ),
    "make a role elsewhere": (
        applied(ROLE, role("x", "pods", "get") | {"metadata": {"name": "x", "namespace": FREE}}),
        f"{FREE} has no annotation",
    ),
    "run another command": (
        run(OWN, "git-sync-main", "", "sh", "-c", "cat /etc/git-secret/ssh"),
        "kill -HUP 1",
    ),
    "add a word": (run(OWN, "git-sync-main", "", *fetch.COMMAND, "x"), "kill -HUP 1"),
    "in another container": (run(OWN, "scheduler"), "in git-sync's containers and nothing else"),
    "in any container": (run(OWN, ""), "in git-sync's containers and nothing else"),
    "with input": (run(OWN, "git-sync-main", "&stdin=true"), "kill -HUP 1"),
    "with a terminal": (run(OWN, "git-sync-main", "&tty=true"), "kill -HUP 1"),
    "forward a port": (
        ("POST", f"{kinds.POD.path(OWN, 'p', 'portforward')}?ports=5432"),
        "the operator forwards no ports",
    ),
    "make a pod": (("POST", kinds.POD.path(OWN), pod("x")), "pods: the operator makes and changes none"),
    "change a pod": (
        merged(kinds.POD, OWN, "p", labelled(tenant="x")),
        "pods: the operator makes and changes none",
    ),
    "delete a key": (
        ("DELETE", kinds.SECRET.path(OWN, KEY)),
        f"Secret {KEY}: the operator may only label it",
    ),
    "replace a key": (merged(kinds.SECRET, OWN, KEY, {"data": {"fernet-key": "eQ=="}}), "may only label it"),
    "drop a key": (merged(kinds.SECRET, OWN, KEY, {"data": {"fernet-key": None}}), "may only label it"),
    "say what a tenant is": (merged(kinds.TENANT, "", "victim", SPEC), "the operator may not change spec"),
}
ALLOWED: dict[str, tuple[Any, ...]] = {
    "make a namespace": ("POST", kinds.NAMESPACE.path(), namespace("new", "new")),
    "apply it": applied(kinds.NAMESPACE, namespace(OWN, "victim", owner="x")),
    "mark it": merged(kinds.NAMESPACE, "", OWN, labelled(retained="true")),
    "delete it": ("DELETE", kinds.NAMESPACE.path("", OWN)),
    "enter it": applied(kinds.ROLE_BINDING, binding(OWN)),
    "bind a team": applied(kinds.ROLE_BINDING, binding(OWN, "victim-team-viewer", "Role", name="x")),
    "grant a team": applied(ROLE, role("victim-team-admin", "secrets", "create")),
    "delete a pod": ("DELETE", kinds.POD.path(OWN, "p")),
    "make a key": ("POST", kinds.SECRET.path(OWN), {"metadata": {"name": "new"}}),
    "mark a key": merged(kinds.SECRET, OWN, KEY, labelled(retained="true")),
    "rewrite Helm's record": merged(kinds.SECRET, OWN, "record", {"data": {"release": "eA=="}}),
    "delete Helm's record": ("DELETE", kinds.SECRET.path(OWN, "record")),
    "put its finalizer": merged(kinds.TENANT, "", "victim", {"metadata": {"finalizers": [names.FINALIZER]}}),
}


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
        path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
        listed: list[Object] = stack.api.call("GET", path)["items"]
        return listed if listed and all("typeChecking" in p.get("status", {}) for p in listed) else []

    policies = eventually(checked, 120)
    assert len(policies) == 5
    faults = {p["metadata"]["name"]: p["status"]["typeChecking"].get("expressionWarnings") for p in policies}
    assert {name: found for name, found in faults.items() if found} == {}


def refusals(stack: Stack, *namespaces: str) -> list[str]:
    """What the policies refused in these namespaces, or of them: the API server notes it in its audit log."""
    found = []
    logs = (stack.plane.directory / "log").glob("audit*.log")  # the older one has its date in the name
    for event in (json.loads(line) for log in logs for line in log.read_text().splitlines()):
        about = event.get("objectRef") or {}
        failure = (event.get("annotations") or {}).get(
            "validation.policy.admission.k8s.io/validation_failure"
        )
        if failure and {about.get("namespace"), about.get("name")} & set(namespaces):
            found.append(failure)
    return found


def test_the_whole_life_of_a_tenant_meets_no_refusal(stack: Stack) -> None:
    tenant = stack.tenant("life")
    tenant.prepare_namespace()
    tenant.create(
        dags={"sources": [GIT]},
        airflow={"executor": "KubernetesExecutor"},
        access={"kubernetes": {"viewers": [{"kind": "Group", "name": "team"}]}},
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
    assert refusals(stack, tenant.namespace) == []


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
        tenant.wait("NamespaceReady")
        tenant.until(functools.partial(tenant.objects, kinds.ROLE_BINDING))
