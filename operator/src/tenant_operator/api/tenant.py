"""The AirflowTenant resource, v1alpha1. Every field here has an effect; what has none is not here."""

from __future__ import annotations

import ipaddress
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from tenant_operator.api.airflow import Airflow, Dags, Database
from tenant_operator.api.logging import Logging, Traces
from tenant_operator.api.monitoring import Monitoring
from tenant_operator.api.objects import Connection, Pool, Role, Sync, Variable
from tenant_operator.api.rules import Json, Matches, Model, Quantity, cel, keyed_by
from tenant_operator.core import names

LabelValue = Annotated[
    str,
    Field(max_length=63),
    Matches(r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$", "must be a label value"),
]
Port = Annotated[int, Field(ge=1, le=65535)]
_CIDR = "must be a CIDR, for example 10.0.0.0/8"


def _network(value: str) -> str:
    """What a regular expression cannot tell: 10.0.0.0/99 and 999.0.0.0/8 are none."""
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError as error:
        raise ValueError(_CIDR) from error
    return value


Cidr = Annotated[
    str, Field(max_length=43), Matches(r"^[0-9a-fA-F.:]+/[0-9]{1,3}$", _CIDR), AfterValidator(_network)
]
SLACK_NEEDS_A_CHANNEL = "monitoring.alerts.slack needs owner.slack: the channel that alerts go to"
#: Goes behind "logging.remote.connectionId: <id>".
NO_SUCH_CONNECTION = (
    "is not in spec.connections: declare it there, or leave it out to use the pods' cloud identity"
)


class Owner(Model):
    """Who the tenant belongs to."""

    team: Annotated[LabelValue, Field(min_length=1)]
    """Team; becomes the label airflowtenants.io/team of the namespace and everything in it."""
    # No braces: Alertmanager would take them for a template.
    email: Annotated[
        str, Field(max_length=254), Matches(r"^([^@\s{}]+@[^@\s{}]+)?$", "must be an e-mail address")
    ] = ""
    """Contact; becomes the first administrator's address and an annotation of the namespace. Alerts are
    mailed to it."""
    slack: Annotated[
        str,
        Field(max_length=81),
        Matches(r"^(#[a-z0-9_-]+)?$", "must be a Slack channel, for example #payments"),
    ] = ""
    """Slack channel of the team, for its alerts; goes with monitoring.alerts.slack."""


class Namespace(Model):
    """The namespace that the operator makes for the tenant."""

    name: Annotated[
        str,
        Field(max_length=63),
        Matches(r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$", "must be a namespace name"),
        Matches("^(default|kube-.*)$", "must not be a namespace of Kubernetes itself", forbid=True),
    ] = ""
    """Name. Empty: airflow-<tenant>. Cannot be changed later."""
    labels: dict[str, LabelValue] = Field(default_factory=dict, max_length=32)
    """Further labels."""
    annotations: dict[str, Annotated[str, Field(max_length=1024)]] = Field(
        default_factory=dict, max_length=32
    )
    """Further annotations."""


_KUBERNETES_OWN = (
    "users and groups of Kubernetes' own (system:...) are nobody's team; name people or their groups"
)


class Subject(Model):
    """A user, group or service account of Kubernetes."""

    cel: ClassVar[tuple[Json, ...]] = (
        cel(
            "(self.kind == 'ServiceAccount') == has(self.__namespace__)",
            "namespace goes with kind ServiceAccount, and only with it",
        ),
        cel("self.kind == 'ServiceAccount' || !self.name.startsWith('system:')", _KUBERNETES_OWN),
    )
    kind: Literal["User", "Group", "ServiceAccount"]
    """Kind of the subject."""
    name: str = Field(min_length=1, max_length=253)
    """Name of the subject."""
    namespace: str | None = Field(None, max_length=63)
    """Namespace of a ServiceAccount."""

    @model_validator(mode="after")
    def _namespace_of_service_accounts(self) -> Subject:
        if (self.kind == "ServiceAccount") != (self.namespace is not None):
            raise ValueError("namespace goes with kind ServiceAccount, and only with it")
        return self

    @model_validator(mode="after")
    def _names_people(self) -> Subject:
        if self.kind != "ServiceAccount" and self.name.startswith("system:"):
            raise ValueError(_KUBERNETES_OWN)
        return self


class KubernetesAccess(Model):
    """The team's people in the tenant's namespace. None of the three may read Secrets."""

    admins: Annotated[list[Subject], Field(max_length=32)] = []
    """Editors who may also create Secrets."""
    editors: Annotated[list[Subject], Field(max_length=32)] = []
    """Viewers who may also restart pods and forward ports."""
    viewers: Annotated[list[Subject], Field(max_length=32)] = []
    """May read pods, logs, events and workloads."""


class Access(Model):
    """Who may do what."""

    kubernetes: KubernetesAccess = KubernetesAccess()
    """Rights in the tenant's namespace."""


class Quota(Model):
    """The tenant's share of the cluster."""

    hard: dict[str, Quantity] = Field(default_factory=dict, max_length=32)
    """Hard limits as in a ResourceQuota, for example {requests.cpu: "4", pods: "40"}."""


class Limits(Model):
    """Limits of every container that states none itself, as in a LimitRange."""

    default: dict[str, Quantity] = Field(default_factory=dict, max_length=16)
    """Limits."""
    default_request: dict[str, Quantity] = Field(default_factory=dict, max_length=16)
    """Requests."""
    max: dict[str, Quantity] = Field(default_factory=dict, max_length=16)
    """Largest allowed."""
    min: dict[str, Quantity] = Field(default_factory=dict, max_length=16)
    """Smallest allowed."""


class Peer(Model):
    """The other end of an allowed connection: addresses, or pods of a namespace."""

    cel: ClassVar[tuple[Json, ...]] = (
        cel("has(self.cidr) != has(self.__namespace__)", "set exactly one of cidr and namespace"),
        cel("!has(self.podLabels) || has(self.__namespace__)", "podLabels goes with namespace"),
        cel("!has(self.except) || has(self.cidr)", "except goes with cidr"),
    )
    cidr: Cidr | None = None
    """Addresses."""
    except_: Annotated[list[Cidr], Field(max_length=16, alias="except")] = []
    """Addresses within cidr that stay closed, for example those of the cluster itself."""
    namespace: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    """Namespace, by name."""
    pod_labels: dict[str, LabelValue] | None = Field(None, max_length=8)
    """Pods of that namespace; left out: all of them."""
    ports: Annotated[list[Port], Field(min_length=1, max_length=32)]
    """Ports."""
    protocol: Literal["TCP", "UDP"] = "TCP"
    """Protocol of the ports."""

    @model_validator(mode="after")
    def _one_kind_of_peer(self) -> Peer:
        if (self.cidr is None) == (self.namespace is None):
            raise ValueError("set exactly one of cidr and namespace")
        if self.pod_labels is not None and self.namespace is None:
            raise ValueError("podLabels goes with namespace")
        if self.except_ and self.cidr is None:
            raise ValueError("except goes with cidr")
        return self


class Network(Model):
    """Exceptions from the wall: everything that is not listed or needed by Airflow itself is closed."""

    egress: Annotated[list[Peer], Field(max_length=64)] = []
    """Where the tenant's pods may connect to."""
    ingress: Annotated[list[Peer], Field(max_length=64)] = []
    """Who may connect to the API server, for example an ingress controller's namespace."""


class TenantSpec(Model):
    """What a team wants."""

    owner: Owner
    """Who the tenant belongs to."""
    namespace: Namespace = Namespace()
    """The namespace made for the tenant."""
    suspend: bool = False
    """Stops the operator from changing anything for this tenant; what runs keeps running."""
    state: Literal["Running", "Hibernated"] = "Running"
    """Hibernated: all components and the embedded database rest with no pods; volumes, Secrets and objects
    stay."""
    deletion_policy: Literal["Retain", "Delete"] = "Retain"
    """What happens to data when the tenant is deleted. Retain keeps the namespace with its volumes and
    generated Secrets for a tenant of the same name; Delete removes the namespace with all in it."""
    airflow: Airflow = Airflow()
    """The tenant's Airflow."""
    database: Database = Database()
    """Airflow's metadata database."""
    dags: Dags = Dags()
    """Where DAGs come from."""
    pools: Annotated[list[Pool], Field(max_length=1000), keyed_by("name")] = []
    """Pools in Airflow."""
    connections: Annotated[list[Connection], Field(max_length=500), keyed_by("id")] = []
    """Connections in Airflow."""
    variables: Annotated[list[Variable], Field(max_length=1000), keyed_by("key")] = []
    """Variables in Airflow."""
    roles: Annotated[list[Role], Field(max_length=64), keyed_by("name")] = []
    """Roles in Airflow."""
    access: Access = Access()
    """Who may do what."""
    sync: Sync = Sync()
    """How pools, connections, variables and roles follow this spec."""
    monitoring: Monitoring = Monitoring()
    """How the tenant is watched."""
    quota: Quota = Quota()
    """The tenant's share of the cluster."""
    limits: Limits = Limits()
    """Defaults and bounds of containers."""
    network: Network = Network()
    """Exceptions from the default-deny network."""
    logging: Logging = Logging()
    """Where logs go, and in which form."""
    traces: Traces = Traces()
    """OpenTelemetry traces."""

    @model_validator(mode="after")
    def _no_duplicates(self) -> TenantSpec:
        """The API server refuses these already; an object stored before the rule existed may hold them."""
        for field, keys in (
            ("pools", [pool.name for pool in self.pools]),
            ("connections", [connection.id for connection in self.connections]),
            ("variables", [variable.key for variable in self.variables]),
            ("roles", [role.name for role in self.roles]),
            ("dags.sources", [source.name for source in self.dags.sources]),
            ("monitoring.slo", [slo.name for slo in self.monitoring.slo]),
            ("monitoring.dagDurations", [item.dag for item in self.monitoring.dag_durations]),
        ):
            twice = {key for key in keys if keys.count(key) > 1} if len(set(keys)) < len(keys) else set()
            if twice:
                raise ValueError(f"{field}: {sorted(twice)[0]} is listed twice")
        return self

    @model_validator(mode="after")
    def _log_store_can_be_opened(self) -> TenantSpec:
        """A connection id that nobody declares would lose every log without a word."""
        wanted = self.logging.remote.connection_id if self.logging.remote else ""
        known = {connection.id for connection in self.connections}
        known |= {
            name.removeprefix("AIRFLOW_CONN_").lower()
            for name in (variable.name for variable in self.airflow.env)
            if name.startswith("AIRFLOW_CONN_")
        }
        if wanted and wanted not in known and wanted.lower() not in known:
            raise ValueError(f"logging.remote.connectionId: {wanted} {NO_SUCH_CONNECTION}")
        return self

    @model_validator(mode="after")
    def _slack_channel(self) -> TenantSpec:
        if self.monitoring.alerts.slack is not None and not self.owner.slack:
            raise ValueError(SLACK_NEEDS_A_CHANNEL)
        return self

    def namespace_for(self, tenant: str) -> str:
        """The namespace's name, given or default."""
        return self.namespace.name or names.default_namespace(tenant)
