"""What must exist before the release: the namespace, and the operator's own right to work in it."""

from __future__ import annotations

from tenant_operator.core import names
from tenant_operator.core.errors import NamespaceError, Reason
from tenant_operator.core.kinds import Object
from tenant_operator.plan.tenant import Tenant

_PSS_MODES = ("enforce", "warn", "audit")


def namespace(tenant: Tenant) -> Object:
    """The namespace as the operator applies it. Pod Security `restricted` is not up for choice."""
    spec = tenant.spec.namespace
    annotations = {**spec.annotations, names.ANNOTATION_TENANT: tenant.name}
    if tenant.spec.owner.email:
        annotations[names.ANNOTATION_OWNER_EMAIL] = tenant.spec.owner.email
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": tenant.namespace,
            "labels": {
                **spec.labels,
                **tenant.labels,
                "pod-security.kubernetes.io/enforce": "restricted",
                "pod-security.kubernetes.io/warn": "restricted",
                "pod-security.kubernetes.io/audit": "restricted",
                **{f"pod-security.kubernetes.io/{mode}-version": "latest" for mode in _PSS_MODES},
            },
            "annotations": annotations,
        },
    }


def intact(wanted: Object, live: Object) -> bool:
    """Whether a live object still has all labels and annotations that we gave it; others may have more."""
    return all(
        (wanted["metadata"].get(field) or {}).items() <= (live["metadata"].get(field) or {}).items()
        for field in ("labels", "annotations")
    )


def check_namespace(tenant: Tenant, live: Object) -> None:
    """Refuse a namespace that is not the tenant's; raises NamespaceError."""
    metadata = live["metadata"]
    if metadata.get("deletionTimestamp"):
        raise NamespaceError(
            f"namespace {tenant.namespace} is being deleted: waiting until it is gone",
            reason=Reason.NAMESPACE_TERMINATING,
            retry=5.0,
            stalled=False,
        )
    owner = (metadata.get("annotations") or {}).get(names.ANNOTATION_TENANT)
    if owner == tenant.name:
        return
    if owner:
        raise NamespaceError(
            f"namespace {tenant.namespace} belongs to tenant {owner}: choose another spec.namespace.name"
        )
    raise NamespaceError(
        f"namespace {tenant.namespace} exists and is not this tenant's: annotate it with "
        f"{names.ANNOTATION_TENANT}={tenant.name} to hand it over, or choose another spec.namespace.name"
    )


def operator_binding(
    tenant: str, namespace: str, labels: dict[str, str], operator_namespace: str, service_account: str
) -> Object:
    """Gives the operator its rights inside a tenant's namespace, and nowhere else."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {
            "name": names.OPERATOR_BINDING,
            "namespace": namespace,
            "labels": {**labels, names.LABEL_TENANT: tenant},
        },
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": names.TENANT_CLUSTER_ROLE,
        },
        "subjects": [{"kind": "ServiceAccount", "name": service_account, "namespace": operator_namespace}],
    }
