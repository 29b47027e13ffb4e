"""What can go wrong, as one small tree; each leaf knows the condition that tells the user.

    TenantError              condition, reason, message, retry after seconds, stalled or not
    |-- InvalidSpec          the resource itself is wrong: nothing happens until someone edits it
    |-- NamespaceError       the namespace belongs to somebody else, or is going away
    |-- SecretError          a Secret or a key in it is not there yet
    |-- RenderError          the chart refused the values
    |-- ApplyError           the API server refused an object (quota, admission, permission)
    |-- NotReady             a gate has not opened yet: progress, not a failure
    `-- DeletionBlocked      the finalizer's deadline has passed
    KubeError                an answer of the API server that is not success (adapters.kube)
    |-- NotFound             404
    |-- Conflict             409: somebody else was faster; try again
    `-- Forbidden            403

Reasons are CamelCase and part of the API: tools match on them, so they are only ever added.
"""

from __future__ import annotations

from enum import StrEnum


class ConditionType(StrEnum):
    """The conditions of a tenant. Ready sums them up; Reconciling and Stalled are present only when true."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    NAMESPACE = "NamespaceReady"
    SECRETS = "SecretsResolved"
    DATABASE = "DatabaseReady"
    MIGRATIONS = "MigrationsApplied"
    RELEASE = "ReleaseReady"
    HEALTH = "ComponentsHealthy"
    DAGS = "DagsSynced"
    OBJECTS = "ObjectsSynced"
    MONITORING = "MonitoringReady"


class Reason(StrEnum):
    """Why a condition has its status."""

    SUCCEEDED = "Succeeded"
    PENDING = "Pending"
    SUSPENDED = "Suspended"
    HIBERNATING = "Hibernating"
    HIBERNATED = "Hibernated"
    DELETING = "Deleting"
    DELETION_BLOCKED = "DeletionBlocked"
    INVALID_SPEC = "InvalidSpec"
    NAMESPACE_TAKEN = "NamespaceTaken"
    NAMESPACE_TERMINATING = "NamespaceTerminating"
    SECRET_MISSING = "SecretMissing"  # noqa: S105 - a reason, not a password
    SECRET_INVALID = "SecretInvalid"  # noqa: S105 - a reason, not a password
    RENDER_FAILED = "RenderFailed"
    APPLY_REJECTED = "ApplyRejected"
    QUOTA_EXCEEDED = "QuotaExceeded"
    DATABASE_STARTING = "DatabaseStarting"
    MIGRATION_RUNNING = "MigrationRunning"
    MIGRATION_FAILED = "MigrationFailed"
    COMPONENTS_STARTING = "ComponentsStarting"
    COMPONENT_UNHEALTHY = "ComponentUnhealthy"
    CRASH_LOOPING = "CrashLooping"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    UNSCHEDULABLE = "Unschedulable"
    GIT_SYNC_FAILED = "GitSyncFailed"
    DAG_IMPORT_ERRORS = "DagImportErrors"
    DAGS_PENDING = "DagsPending"
    AIRFLOW_UNAVAILABLE = "AirflowUnavailable"
    AIRFLOW_LOGIN_FAILED = "AirflowLoginFailed"
    OBJECTS_REJECTED = "ObjectsRejected"
    OBJECTS_DRIFTED = "ObjectsDrifted"
    NO_ALERT_CHANNEL = "NoAlertChannel"
    API_SERVER_UNAVAILABLE = "ApiServerUnavailable"
    INTERNAL_ERROR = "InternalError"


class TenantError(Exception):
    """A pass over a tenant that did not reach Ready, and what its status must say about it."""

    condition: ConditionType = ConditionType.READY
    reason: Reason = Reason.INTERNAL_ERROR
    retry: float = 30.0
    stalled: bool = False

    def __init__(
        self,
        message: str,
        *,
        condition: ConditionType | None = None,
        reason: Reason | None = None,
        retry: float | None = None,
        stalled: bool | None = None,
    ) -> None:
        """Every default of the class may be narrowed at the place that raises."""
        super().__init__(message)
        self.message = message
        self.condition = condition or self.condition
        self.reason = reason or self.reason
        self.retry = self.retry if retry is None else retry
        self.stalled = self.stalled if stalled is None else stalled

    @property
    def result(self) -> str:
        """The word by which metrics count a pass that ended so (core.metrics.RESULTS)."""
        return "permanent_error" if self.stalled else "error"


class InvalidSpec(TenantError):
    """The spec cannot be carried out as written; only an edit helps, so it is not retried."""

    reason = Reason.INVALID_SPEC
    retry = 0.0
    stalled = True


class NamespaceError(TenantError):
    """The tenant's namespace is not the tenant's."""

    condition = ConditionType.NAMESPACE
    reason = Reason.NAMESPACE_TAKEN
    retry = 60.0
    stalled = True


class SecretError(TenantError):
    """A referenced Secret is absent or lacks a key; the pass goes on by itself when it arrives."""

    condition = ConditionType.SECRETS
    reason = Reason.SECRET_MISSING
    retry = 5.0


class RenderError(TenantError):
    """Helm refused the chart or the values."""

    condition = ConditionType.RELEASE
    reason = Reason.RENDER_FAILED
    retry = 300.0
    stalled = True


class ApplyError(TenantError):
    """The API server refused an object of the tenant."""

    condition = ConditionType.RELEASE
    reason = Reason.APPLY_REJECTED
    retry = 60.0


class NotReady(TenantError):
    """A gate is still closed. A watch event usually wakes the tenant long before the retry."""

    condition = ConditionType.RELEASE
    reason = Reason.COMPONENTS_STARTING
    retry = 20.0

    @property
    def result(self) -> str:
        """To wait is no failure."""
        return "permanent_error" if self.stalled else "requeue"


class DeletionBlocked(TenantError):
    """Something of a deleted tenant is still there after the deadline."""

    reason = Reason.DELETION_BLOCKED
    retry = 30.0
    stalled = True


class KubeError(Exception):
    """The API server answered with something other than success.

    `status` is the HTTP code (0: no answer at all), `message` the server's own words.
    """

    def __init__(self, status: int, message: str) -> None:
        """Keep the code for callers and the words for people."""
        super().__init__(f"{status} {message}" if status else message)
        self.status = status
        self.message = message


class NotFound(KubeError):
    """404: the object, its namespace or its kind is not there."""


class Conflict(KubeError):
    """409: the object changed in between, or exists already."""


class Forbidden(KubeError):
    """403: a missing permission, an exceeded quota or an admission rule."""

    @property
    def by_policy(self) -> bool:
        """Whether a ValidatingAdmissionPolicy has refused it: the API server then says which."""
        return "ValidatingAdmissionPolicy" in self.message


def unavailable(error: KubeError) -> TenantError:
    """What to tell the tenant when a call of the pass itself failed."""
    if isinstance(error, Forbidden):
        told = (
            f"an admission policy refuses the operator: {error.message}: check the policies "
            "airflow-tenant-operator-*, which its chart brings, and the cluster's own"
            if error.by_policy
            else f"the operator lacks a permission: {error.message}: check its ClusterRoles"
        )
        return TenantError(told, reason=Reason.APPLY_REJECTED, retry=60.0)
    return TenantError(
        f"the Kubernetes API does not do its part: {error}", reason=Reason.API_SERVER_UNAVAILABLE, retry=5.0
    )
