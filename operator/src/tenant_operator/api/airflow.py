"""The Airflow part of a tenant: version, image, executor, components, database and DAG sources."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tenant_operator.api.rules import (
    AtLeast,
    Duration,
    Json,
    Matches,
    Model,
    Resources,
    SecretKeyRef,
    SecretRef,
    TextQuantity,
    cel,
    keyed_by,
)

#: The version of the installation's default image.
DEFAULT_VERSION = "3.3.2"

#: Settings that the operator derives or generates: a second value in `config` would break the tenant.
RESERVED_CONFIG = frozenset(
    {
        ("core", "fernet_key"),
        ("core", "executor"),
        ("core", "auth_manager"),
        ("core", "execution_api_server_url"),
        ("database", "sql_alchemy_conn"),
        ("api", "secret_key"),
        ("api_auth", "jwt_secret"),
        ("dag_processor", "dag_bundle_config_list"),
    }
)

ConfigName = Annotated[
    str,
    Field(min_length=1, max_length=64),
    Matches(r"^[a-z0-9_]+$", "must be lower case letters, digits and '_', as in airflow.cfg"),
]


class Image(Model):
    """The image of the Airflow components; what is left out comes from the operator's defaults."""

    repository: str = Field("", max_length=255)
    """Image without tag. Empty: the operator's default image."""
    tag: Annotated[
        str, Field(max_length=128), Matches(r"^([A-Za-z0-9_][A-Za-z0-9_.-]*)?$", "must be an image tag")
    ] = ""
    """Tag. Empty: the operator's default image, or for another version that version as tag."""
    pull_policy: Literal["IfNotPresent", "Always", "Never"] | None = None
    """When the kubelet pulls the image. Left out: the operator's default."""
    pull_secrets: Annotated[list[SecretRef], Field(max_length=8), keyed_by("name")] = []
    """Secrets with registry credentials, in the tenant's namespace."""


class Component(Model):
    """One Airflow component."""

    replicas: int = Field(1, ge=1, le=16)
    """Number of pods."""
    resources: Resources | None = None
    """Compute resources of each pod. Left out: the chart's defaults."""


class Workers(Model):
    """The pods that run tasks with the KubernetesExecutor (LocalExecutor runs them in the scheduler)."""

    resources: Resources | None = None
    """Compute resources of each task's pod. Left out: the chart's defaults."""


class EnvVar(Model):
    """One environment variable of every Airflow container."""

    cel: ClassVar[tuple[Json, ...]] = (
        cel(
            "has(self.value) != has(self.secretKeyRef)",
            "set exactly one of value and secretKeyRef",
        ),
    )
    name: Annotated[
        str,
        Field(min_length=1, max_length=128),
        Matches(r"^[A-Za-z_][A-Za-z0-9_]*$", "must be an environment variable's name"),
        Matches(r"^AIRFLOW__", "use airflow.config for Airflow's settings", forbid=True),
    ]
    """Name of the variable."""
    value: str | None = Field(None, max_length=4096)
    """Plain value."""
    secret_key_ref: SecretKeyRef | None = None
    """Value from a Secret in the tenant's namespace."""

    @model_validator(mode="after")
    def _one_source(self) -> EnvVar:
        if (self.value is None) == (self.secret_key_ref is None):
            raise ValueError("set exactly one of value and secretKeyRef")
        return self


class Airflow(Model):
    """The tenant's Airflow."""

    version: Annotated[
        str,
        Field(max_length=16),
        Matches(r"^3\.3\.[0-9]+$", "must be an Airflow 3.3 version, for example 3.3.2"),
    ] = DEFAULT_VERSION
    """Airflow version of the image."""
    image: Image = Image()
    """Image of the Airflow components."""
    executor: Literal["LocalExecutor", "KubernetesExecutor"] = "LocalExecutor"
    """Where tasks run: in the scheduler's pods, or each in a pod of its own."""
    api_server: Component = Component()
    """API server and user interface."""
    scheduler: Component = Component()
    """Scheduler; with LocalExecutor it runs the tasks."""
    dag_processor: Component = Component()
    """Parses the DAG files."""
    triggerer: Component = Component()
    """Runs deferred tasks' triggers."""
    workers: Workers = Workers()
    """Task pods of the KubernetesExecutor."""
    config: dict[ConfigName, dict[ConfigName, Annotated[str, Field(max_length=4096)]]] = Field(
        default_factory=dict, max_length=64
    )
    """Airflow's settings: section, key, value as in airflow.cfg; every value a string. No secrets: they
    would be readable in a ConfigMap."""
    env: Annotated[list[EnvVar], Field(max_length=64), keyed_by("name")] = []
    """Environment variables of every Airflow container, in addition."""

    @model_validator(mode="after")
    def _no_reserved_settings(self) -> Airflow:
        for section, keys in self.config.items():
            for key in keys:
                if (section, key) in RESERVED_CONFIG:
                    raise ValueError(
                        f"config.{section}.{key} is set by the operator: remove it from airflow.config"
                    )
        return self


class EmbeddedDatabase(Model):
    """A PostgreSQL of the tenant's own, in its namespace, on a volume."""

    storage: TextQuantity = "5Gi"
    """Size of the volume. Cannot be changed later."""
    storage_class_name: str = Field("", max_length=253)
    """StorageClass of the volume. Empty: the cluster's default. Cannot be changed later."""
    resources: Resources | None = None
    """Compute resources of the PostgreSQL pod. Left out: the chart's defaults."""


class Database(Model):
    """Where Airflow keeps its metadata."""

    embedded: EmbeddedDatabase = EmbeddedDatabase()
    """PostgreSQL in the tenant's namespace."""


class GitSync(Model):
    """A Git repository that git-sync pulls into the tenant's pods."""

    repo: Annotated[
        str,
        Field(min_length=1, max_length=512),
        Matches(
            r"^((https?|ssh|git)://[^\s]+|[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^\s]+)$",
            "must be a Git URL: https://, http://, ssh://, git:// or user@host:path",
        ),
        Matches(
            r"^(https?|git)://[^/]*@|^ssh://[^/@]*:[^/@]*@",
            "must not hold credentials: put them into a Secret and name it in credentialsSecretRef",
            forbid=True,
        ),
        # ssh would read it as an option
        Matches(r"(^|//|@)-", "must not hold a user or host that begins with '-'", forbid=True),
    ]
    """URL of the repository, without credentials."""
    ref: Annotated[
        str,
        Field(min_length=1, max_length=255),
        Matches(r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", "must be a branch, a tag or a full commit hash"),
        Matches(r"\.\.", "must not hold '..'", forbid=True),
    ] = "main"
    """Branch, tag or full commit hash."""
    sub_path: Annotated[
        str,
        Field(max_length=255),
        Matches(r"^([A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*)?$", "must be a relative path inside the repository"),
        Matches(r"(^|/)\.\.(/|$)", "must not climb out of the repository with '..'", forbid=True),
    ] = ""
    """Folder of the DAG files inside the repository. Empty: its root."""
    period: Annotated[Duration, AtLeast("5s")] = "30s"
    """Time between two looks at the repository."""
    depth: int = Field(1, ge=0, le=100000)
    """Commits of history to fetch; 0 fetches all."""
    credentials_secret_ref: SecretRef | None = None
    """Secret in the tenant's namespace with `username` and `password` (HTTP) or `ssh` and `known_hosts`."""


class ImageDags(Model):
    """A folder of the Airflow image; its DAGs change with the image only."""

    path: Annotated[
        str,
        Field(min_length=2, max_length=255),
        Matches(r"^(/[A-Za-z0-9._-]+)+$", "must be an absolute path without a '/' at its end"),
        Matches(r"/\.\.(/|$)", "must not hold '..'", forbid=True),
    ]
    """Folder of the DAG files, such as /opt/airflow/library, where the default image has the DAG library."""


class DagSource(Model):
    """One place that DAGs come from; it becomes a DAG bundle of the same name."""

    cel: ClassVar[tuple[Json, ...]] = (
        cel("has(self.gitSync) != has(self.image)", "set exactly one of gitSync and image"),
    )
    name: Annotated[
        str,
        Field(min_length=1, max_length=20),
        Matches(r"^[a-z]([-a-z0-9]*[a-z0-9])?$", "must be lower case letters, digits and '-'"),
    ]
    """Name of the source and of its DAG bundle."""
    git_sync: GitSync | None = None
    """Pull by git-sync."""
    image: ImageDags | None = None
    """Read from the Airflow image."""

    @model_validator(mode="after")
    def _one_kind(self) -> DagSource:
        if (self.git_sync is None) == (self.image is None):
            raise ValueError("set exactly one of gitSync and image")
        return self


class Dags(Model):
    """Where the tenant's DAGs come from."""

    sources: Annotated[list[DagSource], Field(max_length=8), keyed_by("name")] = []
    """The sources, each a DAG bundle."""
