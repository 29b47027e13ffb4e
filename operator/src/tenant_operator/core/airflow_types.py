"""What lives inside a tenant's Airflow, as values: pools, variables, connections and roles.

The same types serve for what is wanted and for what Airflow shows; Airflow shows secrets as `***`.
Nothing here prints a secret: fields that may hold one are left out of repr().
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol

#: The pool that Airflow makes itself: it may be resized but neither described nor deleted.
DEFAULT_POOL = "default_pool"
#: Roles that Airflow resets by itself at every start.
BUILTIN_ROLES = frozenset({"Admin", "Op", "User", "Viewer", "Public"})


class ObjectKind(StrEnum):
    """The kinds of objects, in the order in which they are written: DAGs need their pools first."""

    POOLS = "pools"
    VARIABLES = "variables"
    CONNECTIONS = "connections"
    ROLES = "roles"

    @property
    def singular(self) -> str:
        """The word for one of them."""
        return self.value[:-1]


class Mode(StrEnum):
    """What to do about differences: put them right, or only say them."""

    ENFORCE = "Enforce"
    OBSERVE = "Observe"


class Reason(StrEnum):
    """Why an object is written: it is new, the spec changed, somebody else changed it, or it left."""

    CREATED = "created"
    UPDATED = "updated"
    DRIFT = "drift"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Pool:
    """A limit of tasks at the same time; `slots` -1 means no limit."""

    kind: ClassVar[ObjectKind] = ObjectKind.POOLS
    name: str
    slots: int
    description: str = ""
    include_deferred: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable; `value` is text (JSON as text), `sensitive` says that it came from a Secret."""

    kind: ClassVar[ObjectKind] = ObjectKind.VARIABLES
    key: str
    value: str = field(repr=False)
    description: str = ""
    sensitive: bool = False

    @property
    def name(self) -> str:
        """The key."""
        return self.key


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection; `password` None means none; `extra` is a JSON object that may hold secrets."""

    kind: ClassVar[ObjectKind] = ObjectKind.CONNECTIONS
    id: str
    conn_type: str
    host: str = ""
    port: int | None = None
    schema: str = ""
    login: str = ""
    password: str | None = field(default=None, repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    description: str = ""

    @property
    def name(self) -> str:
        """The connection id."""
        return self.id


@dataclass(frozen=True, slots=True)
class Role:
    """A role of FAB; permissions are (action, resource), for example ("can_read", "DAG Runs")."""

    kind: ClassVar[ObjectKind] = ObjectKind.ROLES
    name: str
    permissions: frozenset[tuple[str, str]] = frozenset()


AirflowObject = Pool | Variable | Connection | Role


@dataclass(frozen=True, slots=True)
class _Objects:
    pools: Sequence[Pool] = ()
    variables: Sequence[Variable] = ()
    connections: Sequence[Connection] = ()
    roles: Sequence[Role] = ()

    def of(self, kind: ObjectKind) -> dict[str, AirflowObject]:
        """The objects of a kind by name."""
        items: Sequence[AirflowObject] = getattr(self, kind.value)
        return {item.name: item for item in items}


class DesiredObjects(_Objects):
    """What the spec asks for, with secrets filled in."""

    __slots__ = ()


class ObservedObjects(_Objects):
    """What Airflow shows: secrets are masked, kinds that were not asked for are empty."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class OwnedNames:
    """The ledger: names of objects that the operator made. Only these are ever deleted."""

    pools: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()
    connections: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()

    def of(self, kind: ObjectKind) -> frozenset[str]:
        """The names of a kind."""
        names: frozenset[str] = getattr(self, kind.value)
        return names

    @classmethod
    def build(cls, names: Mapping[ObjectKind, Collection[str]]) -> OwnedNames:
        """A ledger from names by kind."""
        return cls(**{kind.value: frozenset(names.get(kind, ())) for kind in ObjectKind})


@dataclass(frozen=True, slots=True)
class Upsert:
    """Make or change one object. `recreate`: delete it first, because Airflow keeps what is not sent."""

    object: AirflowObject
    reason: Reason
    exists: bool
    recreate: bool = False

    @property
    def kind(self) -> ObjectKind:
        """The object's kind."""
        return self.object.kind

    @property
    def name(self) -> str:
        """The object's name."""
        return self.object.name


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete one object that left the spec."""

    kind: ObjectKind
    name: str
    reason: Reason = Reason.REMOVED


Action = Upsert | Delete


@dataclass(frozen=True, slots=True)
class Difference:
    """One object that is not as the spec says; `fields` names what differs, never the values."""

    kind: ObjectKind
    name: str
    reason: Reason
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        what = f"{self.kind.singular} {self.name}"
        match self.reason:
            case Reason.CREATED:
                return f"{what}: missing"
            case Reason.REMOVED:
                return f"{what}: no longer in the spec"
            case _:
                return f"{what}: {', '.join(self.fields)}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a comparison found and what to do about it (nothing, in Observe mode)."""

    differences: tuple[Difference, ...] = ()
    actions: tuple[Action, ...] = ()
    warnings: tuple[str, ...] = ()

    def upserts(self, kind: ObjectKind) -> tuple[Upsert, ...]:
        """The objects of a kind to write."""
        return tuple(a for a in self.actions if isinstance(a, Upsert) and a.kind is kind)

    def deletes(self, kind: ObjectKind) -> tuple[str, ...]:
        """The names of a kind to delete."""
        return tuple(a.name for a in self.actions if isinstance(a, Delete) and a.kind is kind)


@dataclass(frozen=True, slots=True)
class ObjectError:
    """One object that Airflow refused, in its own words (without secrets)."""

    kind: ObjectKind
    name: str
    message: str

    def __str__(self) -> str:
        return f"{self.kind.singular} {self.name}: {self.message}"


@dataclass(frozen=True, slots=True)
class Counts:
    """How one kind stands after a sync."""

    desired: int = 0
    in_sync: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a sync did. `owned` is the ledger to store now; `drift` is what somebody else had changed
    (Enforce: and was put back) or every difference (Observe); `changes` is what was written."""

    counts: Mapping[ObjectKind, Counts]
    owned: OwnedNames
    changes: tuple[Difference, ...] = ()
    drift: tuple[Difference, ...] = ()
    errors: tuple[ObjectError, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every object is as the spec says."""
        return not self.errors and all(c.in_sync == c.desired for c in self.counts.values())


@dataclass(frozen=True, slots=True)
class Health:
    """Airflow's own view of its parts: healthy, unhealthy, or "" for a part that never ran.

    `heartbeats` are seconds since the epoch by component, of those that ever had one.
    """

    metadatabase: str = ""
    scheduler: str = ""
    dag_processor: str = ""
    triggerer: str = ""
    heartbeats: Mapping[str, float] = field(default_factory=dict)

    @property
    def unhealthy(self) -> tuple[str, ...]:
        """Parts that are not healthy."""
        return tuple(part for part, status in self.by_component().items() if status != "healthy")

    def by_component(self) -> dict[str, str]:
        """The statuses by the names that components have in the cluster; the database's is Airflow's word."""
        return {
            "metadatabase": self.metadatabase,
            "scheduler": self.scheduler,
            "dag-processor": self.dag_processor,
            "triggerer": self.triggerer,
        }


@dataclass(frozen=True, slots=True)
class DagFacts:
    """What Airflow has made of one DAG bundle. `version` is that of the file parsed last."""

    bundle: str
    count: int = 0
    version: str = ""
    import_errors: int = 0
    first_import_error: str = ""


class AirflowPort(Protocol):
    """A tenant's Airflow. Every method may raise AirflowUnavailable or AirflowLoginFailed."""

    async def observe(self, kinds: Collection[ObjectKind]) -> ObservedObjects:
        """All objects of the given kinds."""

    async def upsert(self, kind: ObjectKind, changes: Sequence[Upsert]) -> tuple[ObjectError, ...]:
        """Write objects of one kind; returns those that Airflow refused, the others are written."""

    async def delete(self, kind: ObjectKind, names: Collection[str]) -> tuple[ObjectError, ...]:
        """Delete by name; names that are gone already are fine."""

    async def version(self) -> str:
        """Airflow's version, for example 3.3.2."""

    async def health(self) -> Health:
        """How Airflow's parts are."""

    async def dag_facts(self, bundle: str) -> DagFacts:
        """What has become of a bundle's DAGs."""
