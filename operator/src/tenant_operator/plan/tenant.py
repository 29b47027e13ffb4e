"""A tenant as read from the API server: parsed once, then never looked at as raw JSON again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from tenant_operator.api.status import TenantStatus
from tenant_operator.api.tenant import TenantSpec
from tenant_operator.core import names
from tenant_operator.core.errors import InvalidSpec
from tenant_operator.core.kinds import Object
from tenant_operator.plan import intent
from tenant_operator.plan.intent import Intent, Known


@dataclass(frozen=True, slots=True)
class Tenant:
    """One AirflowTenant with a valid spec, as its annotations change it (see plan.intent)."""

    name: str
    uid: str
    generation: int
    spec: TenantSpec
    namespace: str
    intent: Intent = field(default_factory=Intent)

    @property
    def owner_reference(self) -> Object:
        """What makes an object go with the tenant, and show up below it in Argo CD's tree."""
        return {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": False,
        }

    @property
    def labels(self) -> dict[str, str]:
        """Labels of everything that is made for the tenant."""
        return {names.LABEL_TENANT: self.name, names.LABEL_TEAM: self.spec.owner.team}


def parse(raw: Mapping[str, Any], known: Known | None = None) -> Tenant:
    """Validate a tenant; raises InvalidSpec that names each wrong field, or the wrong annotation.

    Without `known` no hold counts that depends on what Airflow has.
    """
    metadata = raw["metadata"]
    try:
        spec = TenantSpec.model_validate(raw.get("spec") or {})
    except ValidationError as error:
        raise InvalidSpec(explain(error)) from None
    name = str(metadata["name"])
    if len(name) > names.MAX_TENANT_NAME:
        raise InvalidSpec(f"metadata.name must be at most {names.MAX_TENANT_NAME} characters")
    effective, asked = intent.merge(spec, raw, known or Known())
    return Tenant(
        name=name,
        uid=str(metadata["uid"]),
        generation=int(metadata.get("generation", 0)),
        spec=effective,
        namespace=effective.namespace_for(name),
        intent=asked,
    )


def parse_status(raw: Mapping[str, Any]) -> TenantStatus:
    """The status as stored; one that does not parse (an older version's) counts as empty."""
    try:
        return TenantStatus.model_validate(raw.get("status") or {})
    except ValidationError:
        return TenantStatus()


def explain(error: ValidationError, *, limit: int = 3) -> str:
    """Say which fields are wrong and why, in the words of the rules."""
    parts = []
    for entry in error.errors()[:limit]:
        path = "spec"
        for step in entry["loc"]:
            path += f"[{step}]" if isinstance(step, int) else f".{step}"
        message = entry["msg"].removeprefix("Value error, ")
        if entry["type"] == "extra_forbidden":
            message = "unknown field"
        parts.append(f"{path}: {message}")
    more = error.error_count() - limit
    return "; ".join(parts) + (f"; and {more} more" if more > 0 else "")
