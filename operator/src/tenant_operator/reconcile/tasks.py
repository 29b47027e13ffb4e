"""Task pods of the KubernetesExecutor: they have no owner that takes them along, and nobody watches them."""

from __future__ import annotations

from tenant_operator.core import kinds, names
from tenant_operator.core.ports import Kube
from tenant_operator.plan import workload
from tenant_operator.plan.tenant import Tenant


async def end_tasks(kube: Kube, tenant: Tenant) -> list[str]:
    """Tell the tenant's task pods to end; returns the names of those that still run, sorted.

    Those that have ended stay: failed ones are kept for their logs.
    """
    selector = f"{names.LABEL_TENANT}={tenant.name},{names.LABEL_COMPONENT}=worker"
    pods = await kube.list(kinds.POD, tenant.namespace, selector)
    running = [pod["metadata"] for pod in pods if not workload.read_pod(pod).ended]
    for metadata in running:
        if not metadata.get("deletionTimestamp"):
            await kube.delete(kinds.POD, metadata["name"], tenant.namespace, uid=metadata["uid"])
    return sorted(metadata["name"] for metadata in running)
