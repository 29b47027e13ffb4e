"""What somebody tries who holds the operator's token, and what the operator does, as calls to the API server.

A call is a method and a path, and where it has a body that and the type of its content.
"""

from __future__ import annotations

from typing import Any

from tests.controller.stack import OPERATOR_NAMESPACE, OPERATOR_RELEASE

from tenant_operator.core import kinds, names
from tenant_operator.core.kinds import Kind, Object
from tenant_operator.plan import fetch

APPLY, MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
RBAC = "rbac.authorization.k8s.io"
ROLE = Kind(f"{RBAC}/v1", "Role", "roles")
PSS = "pod-security.kubernetes.io/"
KEY = names.fernet_secret("victim")
HAND: Object = {"annotations": {names.ANNOTATION_TENANT: "handed"}}
OWN, HANDED, FREE = "airflow-victim", "handed", "bystander"


def namespace(name: str, tenant: str, **labels: str) -> Object:
    """As the operator makes it; of no tenant when that is empty."""
    wall = {f"{PSS}enforce": "restricted", f"{PSS}enforce-version": "latest", names.LABEL_TENANT: tenant}
    metadata: Object = {"name": name, "labels": (wall if tenant else {}) | labels}
    if tenant:
        metadata["annotations"] = {names.ANNOTATION_TENANT: tenant}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def account(name: str, home: str) -> Object:
    """A ServiceAccount as the subject of a binding."""
    return {"kind": "ServiceAccount", "name": name, "namespace": home}


def binding(
    home: str, role: str = names.TENANT_CLUSTER_ROLE, kind: str = "ClusterRole", who: Object | None = None
) -> Object:
    """A RoleBinding, of the operator to its role when nothing else is said."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "b" if kind == "ClusterRole" else role, "namespace": home},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        "subjects": [who or account(OPERATOR_RELEASE, OPERATOR_NAMESPACE)],
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
    ours = {f"{names.GROUP}/{key.replace('_', '-')}": text for key, text in labels.items()}
    return {"metadata": {"labels": ours}}


def annotated(**annotations: str | None) -> Object:
    return {"metadata": {"annotations": labelled(**annotations)["metadata"]["labels"]}}


def let_in(role: str, who: Object) -> tuple[str, str, Object, str]:
    """A RoleBinding of somebody to one of the tenant's Roles."""
    return applied(kinds.ROLE_BINDING, binding(OWN, role, "Role", who))


def run(home: str = OWN, container: str = "git-sync-main", more: str = "", *command: str) -> tuple[str, str]:
    """pods/exec as the client asks for it."""
    words = "".join(f"&command={word.replace(' ', '%20')}" for word in command or fetch.COMMAND)
    return "GET", f"{kinds.POD.path(home, 'p', 'exec')}?container={container}&stdout=true{more}{words}"


OPEN = {"metadata": {"labels": {f"{PSS}enforce": "privileged"}}}
OLD = {"metadata": {"labels": {f"{PSS}enforce-version": "v1.24"}}}
TAKE, DROP = annotated(tenant="mine"), annotated(tenant=None)
SPEC = {"spec": {"deletionPolicy": "Delete"}}
# the garbage collector deletes what has owners and none of them is there
ORPHAN = {
    "metadata": {
        "ownerReferences": [
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "name": "never",
                "uid": "4d1e0d4c-5f4c-4a0b-8d3c-000000000000",
            }
        ]
    }
}
HOLD = {"metadata": {"finalizers": ["example.com/hold"]}}
TOKEN = {
    "metadata": {"name": "token", "annotations": {"kubernetes.io/service-account.name": "victim-scheduler"}},
    "type": "kubernetes.io/service-account-token",
}
VIEWER, SCHEDULER = "victim-team-viewer", "victim-scheduler"
NOT_THE_CHARTS = "and each grants what it grants there and nothing else"
ONLY_MARK = "may only label it airflowtenants.io/retained"
ONLY_STATUS = "writes status and its own finalizer"

#: name: (the call, words of the refusal)
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
    "open its Pod Security": (merged(kinds.NAMESPACE, "", OWN, OPEN), "sets Pod Security to restricted"),
    "of an old version": (merged(kinds.NAMESPACE, "", OWN, OLD), "sets Pod Security to restricted"),
    "make an open one": (
        ("POST", kinds.NAMESPACE.path(), namespace("new", "new", **{f"{PSS}enforce": "privileged"})),
        "sets Pod Security to restricted",
    ),
    "take off the label that other policies know it by": (
        merged(kinds.NAMESPACE, "", OWN, labelled(tenant=None)),
        "label airflowtenants.io/tenant to victim",
    ),
    "give it the label of another": (
        merged(kinds.NAMESPACE, "", OWN, labelled(tenant="mine")),
        "label airflowtenants.io/tenant to victim",
    ),
    "make one without the label": (
        ("POST", kinds.NAMESPACE.path(), {"metadata": {"name": "new", **HAND}}),
        "label airflowtenants.io/tenant to handed",
    ),
    "enter a namespace of nobody": (applied(kinds.ROLE_BINDING, binding(FREE)), f"{FREE} has no annotation"),
    "enter kube-system": (
        applied(kinds.ROLE_BINDING, binding("kube-system")),
        "kube-system has no annotation",
    ),
    "let another in": (
        applied(kinds.ROLE_BINDING, binding(OWN, who=account("thief", OPERATOR_NAMESPACE))),
        "to itself only",
    ),
    "let one of elsewhere in": (
        applied(kinds.ROLE_BINDING, binding(OWN, who=account(OPERATOR_RELEASE, OWN))),
        "to itself only",
    ),
    "bind a role of others": (
        applied(kinds.ROLE_BINDING, binding(OWN, "found", "Role")),
        "may not bind Role found, only",
    ),
    "let everybody in": (
        let_in(VIEWER, {"kind": "Group", "name": "system:authenticated"}),
        "no group of Kubernetes' own",
    ),
    "let nobody in particular in": (
        let_in(VIEWER, {"kind": "User", "name": "system:anonymous"}),
        "no user and no group of Kubernetes' own",
    ),
    "let another program make pods": (
        let_in(SCHEDULER, account("thief", OWN)),
        f"binds {SCHEDULER} to the ServiceAccount of this name in namespace {OWN} only",
    ),
    "let a namesake of elsewhere make pods": (
        let_in(SCHEDULER, account(SCHEDULER, FREE)),
        f"binds {SCHEDULER} to the ServiceAccount of this name",
    ),
    "let a person make pods": (
        let_in(SCHEDULER, {"kind": "User", "name": SCHEDULER}),
        f"binds {SCHEDULER} to the ServiceAccount of this name",
    ),
    "let a team make pods": (applied(ROLE, role(VIEWER, "pods", "create")), NOT_THE_CHARTS),
    "let viewers forward ports": (applied(ROLE, role(VIEWER, "pods/portforward", "create")), NOT_THE_CHARTS),
    "let editors make Secrets": (
        applied(ROLE, role("victim-team-editor", "secrets", "create")),
        NOT_THE_CHARTS,
    ),
    "let the API server make pods": (
        applied(ROLE, role("victim-api-server", "pods", "create")),
        NOT_THE_CHARTS,
    ),
    "make a role of its own": (applied(ROLE, role("x", "pods", "get")), "makes the tenant chart's Roles"),
    "let a team read Secrets": (applied(ROLE, role("victim-team-admin", "secrets", "get")), NOT_THE_CHARTS),
    "let a team run commands": (
        applied(ROLE, role("victim-team-admin", "pods/exec", "create")),
        NOT_THE_CHARTS,
    ),
    "let a team change workloads": (
        applied(ROLE, role("victim-team-admin", "deployments", "patch", group="apps")),
        NOT_THE_CHARTS,
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
    "replace a key": (merged(kinds.SECRET, OWN, KEY, {"data": {"fernet-key": "eQ=="}}), ONLY_MARK),
    "drop a key": (merged(kinds.SECRET, OWN, KEY, {"data": {"fernet-key": None}}), ONLY_MARK),
    "let the garbage collector delete a key": (merged(kinds.SECRET, OWN, KEY, ORPHAN), ONLY_MARK),
    "freeze a key": (merged(kinds.SECRET, OWN, KEY, {"immutable": True}), ONLY_MARK),
    "hold a key": (merged(kinds.SECRET, OWN, KEY, HOLD), ONLY_MARK),
    "hide a key": (merged(kinds.SECRET, OWN, KEY, labelled(tenant=None)), ONLY_MARK),
    "call a key something else": (merged(kinds.SECRET, OWN, KEY, labelled(tenant="mine")), ONLY_MARK),
    "label a key": (merged(kinds.SECRET, OWN, KEY, labelled(more="x")), ONLY_MARK),
    "annotate a key": (merged(kinds.SECRET, OWN, KEY, annotated(more="x")), ONLY_MARK),
    "make a token that lasts": (("POST", kinds.SECRET.path(OWN), TOKEN), "asks for no token"),
    "say what a tenant is": (merged(kinds.TENANT, "", "victim", SPEC), ONLY_STATUS),
    "let a tenant sleep": (merged(kinds.TENANT, "", "victim", annotated(state="Hibernated")), ONLY_STATUS),
    "roll a tenant's DAGs back": (
        merged(kinds.TENANT, "", "victim", annotated(dag_revisions="main=" + "0" * 40)),
        ONLY_STATUS,
    ),
    "wake a tenant": (merged(kinds.TENANT, "", "victim", annotated(suspend=None)), ONLY_STATUS),
    "label a tenant": (merged(kinds.TENANT, "", "victim", labelled(more="x")), ONLY_STATUS),
    "let the garbage collector delete a tenant": (merged(kinds.TENANT, "", "victim", ORPHAN), ONLY_STATUS),
    "hold a tenant": (merged(kinds.TENANT, "", "victim", HOLD), ONLY_STATUS),
}
ALLOWED: dict[str, tuple[Any, ...]] = {
    "make a namespace": ("POST", kinds.NAMESPACE.path(), namespace("new", "new")),
    "apply it": applied(kinds.NAMESPACE, namespace(OWN, "victim", owner="x")),
    "mark it": merged(kinds.NAMESPACE, "", OWN, labelled(retained="true")),
    "apply one that was handed over": applied(kinds.NAMESPACE, namespace(HANDED, "handed")),
    "mark one that it never applied": merged(kinds.NAMESPACE, "", HANDED, labelled(retained="true")),
    "delete it": ("DELETE", kinds.NAMESPACE.path("", OWN)),
    "enter it": applied(kinds.ROLE_BINDING, binding(OWN)),
    "let a team in": let_in(VIEWER, {"kind": "Group", "name": "team"}),
    "let a team's program in": let_in(VIEWER, account("ci", "ci")),
    "let the scheduler make pods": let_in(SCHEDULER, account(SCHEDULER, OWN)),
    "grant a team": applied(ROLE, role("victim-team-admin", "secrets", "create")),
    "grant the scheduler": applied(ROLE, role(SCHEDULER, "pods", "create", "patch")),
    "delete a pod": ("DELETE", kinds.POD.path(OWN, "p")),
    "make a key": ("POST", kinds.SECRET.path(OWN), {"metadata": {"name": "new"}}),
    "mark a key": merged(kinds.SECRET, OWN, KEY, labelled(retained="true")),
    "rewrite Helm's record": merged(kinds.SECRET, OWN, "record", {"data": {"release": "eA=="}}),
    "delete Helm's record": ("DELETE", kinds.SECRET.path(OWN, "record")),
    "put its finalizer": merged(kinds.TENANT, "", "victim", {"metadata": {"finalizers": [names.FINALIZER]}}),
    "take its finalizer off": merged(kinds.TENANT, "", "victim", {"metadata": {"finalizers": None}}),
    "tell of a tenant": (
        "PATCH",
        f"{kinds.TENANT.path('', 'victim')}/status",
        {"status": {"observedGeneration": 1}},
        MERGE,
    ),
}
