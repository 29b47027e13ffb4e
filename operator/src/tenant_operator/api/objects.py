"""What a tenant wants inside its Airflow: pools, connections, variables and roles."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from tenant_operator.api.rules import (
    Duration,
    Extra,
    Json,
    Matches,
    Model,
    SecretKeyRef,
    cel,
    keyed_by,
)

BUILTIN_ROLES = ("Admin", "Op", "User", "Viewer", "Public")


class Pool(Model):
    """A pool: a limit of tasks that run at the same time."""

    name: str = Field(min_length=1, max_length=256)
    """Name of the pool; `default_pool` may be resized but is never deleted."""
    slots: int = Field(ge=-1, le=2147483647)
    """Slots; -1 means no limit."""
    description: str = Field("", max_length=512)
    """What the pool is for."""
    include_deferred: bool = False
    """Whether deferred tasks take a slot."""


class Connection(Model):
    """A connection. Its secrets come from Secrets of the tenant's namespace, never from this file."""

    id: Annotated[
        str,
        Field(min_length=1, max_length=200),
        Matches(r"^[A-Za-z0-9_.-]+$", "must be letters, digits, '_', '.' and '-'"),
    ]
    """Connection id, as DAGs name it."""
    type: str = Field(min_length=1, max_length=100)
    """Connection type, for example postgres, aws, http."""
    host: str = Field("", max_length=500)
    """Host name or URL."""
    port: int | None = Field(None, ge=1, le=65535)
    """TCP port."""
    schema_: str = Field("", alias="schema", max_length=500)
    """Schema, database or protocol, by type."""
    login: str = Field("", max_length=500)
    """User name."""
    password_secret_ref: SecretKeyRef | None = None
    """Password, from a Secret in the tenant's namespace."""
    extra: Annotated[dict[str, Any], Extra((("x-kubernetes-preserve-unknown-fields", True),))] = Field(
        default_factory=dict
    )
    """Further settings by type, as a JSON object. No secrets: use extraSecretRef."""
    extra_secret_ref: SecretKeyRef | None = None
    """A JSON object with secret settings, from a Secret; merged over `extra`."""
    description: str = Field("", max_length=512)
    """What the connection is for."""


class Variable(Model):
    """A variable."""

    cel: ClassVar[tuple[Json, ...]] = (
        cel("has(self.value) != has(self.valueSecretRef)", "set exactly one of value and valueSecretRef"),
    )
    key: str = Field(min_length=1, max_length=250)
    """Key of the variable."""
    value: str | None = Field(None, max_length=16384)
    """Plain value; JSON as text."""
    value_secret_ref: SecretKeyRef | None = None
    """Value from a Secret in the tenant's namespace."""
    description: str = Field("", max_length=512)
    """What the variable is for."""

    @model_validator(mode="after")
    def _one_source(self) -> Variable:
        if (self.value is None) == (self.value_secret_ref is None):
            raise ValueError("set exactly one of value and valueSecretRef")
        return self


class Permission(Model):
    """Actions on one resource of Airflow's role-based access."""

    resource: str = Field(min_length=1, max_length=250)
    """Resource as FAB names it, for example DAGs, DAG Runs, Pools, Task Logs."""
    actions: Annotated[
        list[Literal["can_read", "can_create", "can_edit", "can_delete", "menu_access"]],
        Field(min_length=1, max_length=5),
        Extra((("x-kubernetes-list-type", "set"),)),
    ]
    """Actions on it."""


class Role(Model):
    """A role of Airflow's FAB auth manager."""

    name: Annotated[
        str,
        Field(min_length=1, max_length=64),
        Matches(
            "^(" + "|".join(BUILTIN_ROLES) + ")$",
            "must not be a built-in role (Admin, Op, User, Viewer, Public): Airflow resets those",
            forbid=True,
        ),
    ]
    """Name of the role."""
    permissions: Annotated[list[Permission], Field(max_length=64), keyed_by("resource")] = []
    """What the role may do."""


class Sync(Model):
    """How the objects inside Airflow follow the spec."""

    mode: Literal["Enforce", "Observe"] = "Enforce"
    """Enforce reverts changes made by hand; Observe only reports them."""
    prune: bool = True
    """Whether objects that leave the spec are deleted, if the operator had made them."""
    interval: Duration = "5m"
    """Time between two comparisons with Airflow."""
