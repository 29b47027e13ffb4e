"""The label on data that outlived its tenant, and its removal when a tenant of the same name is back."""

from __future__ import annotations

from tenant_operator.core import kinds, names
from tenant_operator.core.kinds import Object
from tenant_operator.core.ports import Kube
from tenant_operator.plan import record


async def mark(kube: Kube, tenant: str, namespace: str, *, retained: bool) -> list[str]:
    """Label (or unlabel) the namespace and the data in it; returns the data's names for people."""
    value = "true" if retained else None
    patch: Object = {"metadata": {"labels": {names.LABEL_RETAINED: value}}}
    data = []
    for secret in await kube.list(kinds.SECRET, namespace, f"{names.LABEL_TENANT}={tenant}"):
        if secret.get("type") != record.TYPE:
            await kube.merge(kinds.SECRET, secret["metadata"]["name"], patch, namespace)
            data.append(f"Secret/{secret['metadata']['name']}")
    for volume in await kube.list(kinds.PVC, namespace):
        await kube.merge(kinds.PVC, volume["metadata"]["name"], patch, namespace)
        data.append(f"PersistentVolumeClaim/{volume['metadata']['name']}")
    await kube.merge(kinds.NAMESPACE, namespace, patch)
    return sorted(data)


def is_marked(obj: Object) -> bool:
    """Whether an object carries the label."""
    return names.LABEL_RETAINED in (obj["metadata"].get("labels") or {})
