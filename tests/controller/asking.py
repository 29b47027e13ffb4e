"""Asking by annotation, and what to look at then."""

from __future__ import annotations

from tests.controller.stack import TenantUnderTest

from tenant_operator.core import kinds

A, B, C = "a" * 40, "b" * 40, "c" * 40
GIT = {"name": "main", "gitSync": {"repo": "https://git.example.com/x.git", "ref": "stable", "period": "10m"}}


def annotate(tenant: TenantUnderTest, **annotations: str | None) -> None:
    """kubectl annotate: None removes."""
    named = {f"airflowtenants.io/{key.replace('_', '-')}": text for key, text in annotations.items()}
    tenant.api.merge(kinds.TENANT, tenant.name, {"metadata": {"annotations": named}})


def refs(tenant: TenantUnderTest) -> set[str]:
    """The --ref of every git-sync of the tenant's Deployments."""
    return {
        argument.removeprefix("--ref=")
        for deployment in tenant.objects(kinds.DEPLOYMENT).values()
        for container in deployment["spec"]["template"]["spec"].get("initContainers") or []
        for argument in container.get("args") or []
        if argument.startswith("--ref=")
    }


def handled(tenant: TenantUnderTest, field: str, value: str) -> None:
    tenant.until(lambda: tenant.status.get(field) == value)
