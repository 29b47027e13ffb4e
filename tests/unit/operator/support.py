"""Builders of tenants and Kubernetes objects for the unit tests."""

from __future__ import annotations

import base64
from typing import Any

from tenant_operator.core.kinds import Object
from tenant_operator.plan.tenant import Tenant, parse

NAMESPACE = "airflow-payments"


def raw(name: str = "payments", generation: int = 3, **spec: Any) -> Object:
    """An AirflowTenant as the API server returns it."""
    return {
        "apiVersion": "airflowtenants.io/v1alpha1",
        "kind": "AirflowTenant",
        "metadata": {"name": name, "uid": "u-1", "generation": generation, "resourceVersion": "10"},
        "spec": {"owner": {"team": "pay"}, **spec},
    }


def tenant(name: str = "payments", **spec: Any) -> Tenant:
    """The same, parsed."""
    return parse(raw(name, **spec))


class Counter:
    """Tokens that tell which one they are."""

    def __init__(self) -> None:
        self._count = 0

    def _next(self) -> int:
        self._count += 1
        return self._count

    def url_safe(self, size: int) -> str:
        return f"token-{self._next()}-of-{size}"

    def fernet(self) -> str:
        return f"fernet-{self._next()}"


def secret(name: str, **values: str) -> Object:
    """A Secret as the API server returns it; underscores in keys become dashes."""
    data = {key.replace("_", "-"): base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"metadata": {"name": name}, "type": "Opaque", "data": data}
