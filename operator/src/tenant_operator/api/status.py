"""The status of a tenant: what the CRD's status subresource may hold, and the type that code fills in."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from tenant_operator.api.rules import Model


class StatusModel(Model):
    """Base of status parts: all fields optional on the wire, because a new tenant has none of them.

    Unknown fields are ignored: after a downgrade, what a newer operator wrote must not hide the rest.
    """

    model_config = ConfigDict(extra="ignore")


class Condition(StatusModel):
    """A condition as Kubernetes' API conventions define it."""

    type: str
    """Type of the condition."""
    status: str
    """True, False or Unknown."""
    reason: str
    """CamelCase word that programs match on."""
    message: str = ""
    """What it means, and what to do about it."""
    last_transition_time: str = ""
    """When status, reason or message last changed."""
    observed_generation: int = 0
    """Generation of the spec that this condition speaks of."""


class Release(StatusModel):
    """The Helm-format release of the tenant."""

    name: str = ""
    """Name for `helm status`."""
    revision: int = 0
    """Revision for `helm history`."""
    chart_version: str = ""
    """Version of the tenant chart."""
    airflow_version: str = ""
    """Version of Airflow."""
    executor: str = ""
    """Executor of Airflow."""
    digest: str = ""
    """Digest of chart and values; the same digest renders the same objects."""


class DagSourceStatus(StatusModel):
    """What Airflow has made of one DAG source."""

    name: str
    """Name of the source."""
    repo: str = ""
    """Repository."""
    ref: str = ""
    """Branch, tag or commit asked for."""
    commit: str = ""
    """Commit that Airflow has parsed."""
    previous_commit: str = ""
    """Commit that Airflow had parsed before the present one: what to go back to. Stays while the source is
    held."""
    earlier_commit: str = ""
    """What previousCommit was before Airflow had no DAG of the source any more; empty while it has some."""
    held: bool = False
    """Whether the annotation airflowtenants.io/dag-revisions holds the source at a commit."""
    held_commit: str = ""
    """The commit at which it is held; empty while it is not."""
    dag_count: int = 0
    """DAGs found in it."""
    import_errors: int = 0
    """Files that could not be imported."""
    first_import_error: str = ""
    """File of the first import error."""


class ObjectCounts(StatusModel):
    """How one kind of Airflow object stands."""

    desired: int = 0
    """Objects in the spec."""
    in_sync: int = 0
    """Objects in Airflow that are as the spec says."""
    failed: int = 0
    """Objects that Airflow refused."""


class ObjectsStatus(StatusModel):
    """How the objects inside Airflow stand."""

    pools: ObjectCounts = ObjectCounts()
    """Pools."""
    connections: ObjectCounts = ObjectCounts()
    """Connections."""
    variables: ObjectCounts = ObjectCounts()
    """Variables."""
    roles: ObjectCounts = ObjectCounts()
    """Roles."""


class Owned(StatusModel):
    """Names of Airflow objects that the operator made: only these are ever deleted."""

    pools: list[str] = Field(default_factory=list)
    """Pools."""
    connections: list[str] = Field(default_factory=list)
    """Connections."""
    variables: list[str] = Field(default_factory=list)
    """Variables."""
    roles: list[str] = Field(default_factory=list)
    """Roles."""


class TenantStatus(StatusModel):
    """What the operator knows about a tenant."""

    observed_generation: int = 0
    """Generation of the spec that was last looked at."""
    conditions: list[Condition] = Field(default_factory=list)
    """Conditions; Ready sums them up."""
    last_handled_reconcile_at: str = ""
    """Value of the annotation airflowtenants.io/reconcile-requested-at that was last carried out."""
    last_handled_dag_sync_at: str = ""
    """Value of the annotation airflowtenants.io/dag-sync-requested-at that was last carried out."""
    state: str = ""
    """Running, Hibernating (pods still end), Hibernated (nothing runs) or Waking (pods come up again)."""
    namespace: str = ""
    """Namespace of the tenant."""
    url: str = ""
    """Address of Airflow's user interface and API inside the cluster."""
    drift: str = ""
    """Objects inside Airflow that differ from the spec, in words; empty when none does."""
    release: Release = Release()
    """The Helm-format release."""
    dag_count: int = 0
    """DAGs of all sources."""
    dags: list[DagSourceStatus] = Field(default_factory=list)
    """DAG sources."""
    objects: ObjectsStatus = ObjectsStatus()
    """Objects inside Airflow."""
    owned: Owned = Owned()
    """The ledger of what the operator made inside Airflow."""
    inventory: list[str] = Field(default_factory=list)
    """Kubernetes objects of the release: namespace_name_group_Kind."""

    def condition(self, kind: str) -> Condition | None:
        """The condition of a type, if present."""
        return next((condition for condition in self.conditions if condition.type == kind), None)
