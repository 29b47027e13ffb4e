"""What Prometheus is told of one tenant: rows of (family, labels, value), read from the tenant's state.

Values come from the spec, from the status and from the last probe; nothing is remembered for them. Per
tenant that is a fixed number of rows, plus one a pool, a DAG source (two), an SLO, a DAG with a limit, and
a kind of object that was seen to drift (two). The CRD bounds each of these lists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tenant_operator.api.rules import seconds
from tenant_operator.api.status import Condition, TenantStatus
from tenant_operator.core import names
from tenant_operator.core.errors import ConditionType, Reason
from tenant_operator.core.kinds import Object
from tenant_operator.plan import hibernation, intent
from tenant_operator.plan.git_sync import Revision
from tenant_operator.plan.health import HealthView
from tenant_operator.plan.outcome import PROGRESS
from tenant_operator.reconcile.families import (
    CONDITION,
    DAG_COUNT,
    DRIFT_CORRECTED,
    DRIFT_DETECTED,
    DURATION_LIMIT,
    GENERATION,
    HEALTHY,
    HEARTBEAT,
    INFO,
    OBJECTIVE,
    OBJECTS,
    OBSERVED,
    PENDING_SINCE,
    POOL,
    RELEASE,
    RELEASE_STATUS,
    REPLICAS,
    REVISION,
    TRANSITION,
    Family,
)
from tenant_operator.reconcile.state import TenantState

STATUSES = ("True", "False", "Unknown")
#: Helm's words for a release: https://github.com/helm/helm/blob/main/pkg/release/common/status.go
RELEASE_STATUSES = ("deployed", "failed", "pending-install", "pending-upgrade", "uninstalling", "unknown")
#: Conditions that are present only when true.
_ONLY_WHEN_TRUE = frozenset({ConditionType.RECONCILING, ConditionType.STALLED})
_REFUSED = frozenset({Reason.RENDER_FAILED, Reason.APPLY_REJECTED})
_REPLICAS = {
    "api-server": "apiServer",
    "scheduler": "scheduler",
    "dag-processor": "dagProcessor",
    "triggerer": "triggerer",
}

Row = tuple[Family, tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A tenant's state at one moment. Its parts are never changed in place, so a thread may read them."""

    raw: Object
    status: TenantStatus
    health: HealthView | None
    detected: tuple[tuple[str, int], ...]
    corrected: tuple[tuple[str, int], ...]
    revisions: Mapping[str, Revision]
    #: digest of the release that is being brought up; empty when nothing was rendered yet
    digest: str

    @classmethod
    def of(cls, state: TenantState) -> Snapshot:
        """Taken on the event loop, where nobody writes meanwhile."""
        return cls(
            state.raw,
            state.status,
            state.health,
            tuple(state.drift_detected.items()),
            tuple(state.drift_corrected.items()),
            state.revisions,
            state.release.digest if state.release is not None else "",
        )

    @property
    def spec(self) -> Mapping[str, Any]:
        """The spec as it is stored: it may be one that the operator refuses."""
        spec = self.raw.get("spec")
        return spec if isinstance(spec, Mapping) else {}

    @property
    def name(self) -> str:
        """The tenant's name."""
        return str(self.raw["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """The tenant's namespace."""
        given = _at(self.spec, "namespace").get("name")
        return self.status.namespace or str(given or "") or names.default_namespace(self.name)

    @property
    def suspended(self) -> bool:
        """Whether the operator keeps its hands off."""
        return intent.suspended(self.raw)

    @property
    def resting(self) -> bool:
        """Whether the tenant has no pods, or is on its way there. One that is suspended stays as it is."""
        return self.state in {hibernation.State.HIBERNATING, hibernation.State.HIBERNATED}

    @property
    def state(self) -> str:
        """As `status.state`, but at once when another one is asked for: what leaves is no longer missed."""
        if self.suspended:
            return self.status.state or hibernation.State.RUNNING
        return hibernation.begin(self.status.state, resting=intent.hibernated(self.raw))

    @property
    def deleting(self) -> bool:
        """Whether the tenant is on its way out."""
        return bool(self.raw["metadata"].get("deletionTimestamp"))


def rows(tenant: Snapshot) -> Iterator[Row]:
    """All rows of a tenant."""
    yield from _identity(tenant)
    yield from _conditions(tenant)
    yield from _components(tenant)
    yield from _airflow(tenant)
    yield from _release(tenant)
    yield from _monitoring(tenant)
    yield from ((DRIFT_DETECTED, (kind,), count) for kind, count in tenant.detected)
    yield from ((DRIFT_CORRECTED, (kind,), count) for kind, count in tenant.corrected)


def _identity(tenant: Snapshot) -> Iterator[Row]:
    airflow, release = _at(tenant.spec, "airflow"), tenant.status.release
    yield (
        INFO,
        (
            str(_at(tenant.spec, "owner").get("team", "")),
            release.airflow_version or str(airflow.get("version", "")),
            release.chart_version,
            release.executor or str(airflow.get("executor", "")),
            "true" if tenant.suspended else "false",
            "false" if _at(tenant.spec, "monitoring").get("enabled") is False else "true",
            tenant.state,
        ),
        1,
    )
    yield GENERATION, (), int(tenant.raw["metadata"].get("generation", 0))
    yield OBSERVED, (), tenant.status.observed_generation


def _conditions(tenant: Snapshot) -> Iterator[Row]:
    present = {condition.type: condition for condition in tenant.status.conditions}
    for kind in ConditionType:
        condition = present.get(kind)
        if condition is not None:
            now = condition.status if condition.status in STATUSES else "Unknown"
        else:
            now = "False" if kind in _ONLY_WHEN_TRUE else "Unknown"
        for status in STATUSES:
            yield CONDITION, (kind.value, status), status == now
        since = _timestamp(condition.last_transition_time) if condition is not None else None
        if since is not None:
            yield TRANSITION, (kind.value,), since


def _components(tenant: Snapshot) -> Iterator[Row]:
    airflow = _at(tenant.spec, "airflow")
    for component, field in _REPLICAS.items():
        wanted = 0 if tenant.deleting or tenant.resting else _number(_at(airflow, field).get("replicas", 1))
        if wanted is not None:
            yield REPLICAS, (component,), wanted
    if tenant.health is None or tenant.suspended or tenant.resting or tenant.deleting:
        return
    found = tenant.health.health
    yield HEALTHY, ("api-server",), found is not None
    if found is None:
        return
    for component, status in found.by_component().items():
        yield HEALTHY, (component,), status == "healthy"
    for component, at in found.heartbeats.items():
        yield HEARTBEAT, (component,), at


def _airflow(tenant: Snapshot) -> Iterator[Row]:
    for pool in _list(tenant.spec.get("pools")):
        slots = _number(pool.get("slots"))
        if slots is not None:
            # Airflow counts an unlimited pool's open slots as infinite, so both sides of a comparison agree.
            yield POOL, (str(pool.get("name", "")),), float("inf") if slots < 0 else slots
    for kind, family in OBJECTS.items():
        counts = getattr(tenant.status.objects, kind)
        yield family, ("desired",), counts.desired
        yield family, ("in_sync",), counts.in_sync
        yield family, ("failed",), counts.failed
    for source in tenant.status.dags:
        if source.commit:
            yield REVISION, (source.name, source.commit), 1
            revision = tenant.revisions.get(source.name)
            if revision is not None:  # not known before the first look, nor for a folder of the image
                yield PENDING_SINCE, (source.name,), revision.since
        yield DAG_COUNT, (source.name,), source.dag_count


def _release(tenant: Snapshot) -> Iterator[Row]:
    release = tenant.status.release
    if release.revision:
        labels = (release.name, str(release.revision), release.chart_version, release.airflow_version)
        yield RELEASE, labels, 1
    now = release_status(tenant)
    for status in RELEASE_STATUSES:
        yield RELEASE_STATUS, (status,), status == now


def release_status(tenant: Snapshot) -> str:
    """How Helm would call the release, were it Helm that waited for the components to come up.

    The record in the namespace is written when they are up and so says `deployed` at all times; what hangs
    before that shows only here.
    """
    installed = tenant.status.release.revision > 0
    if tenant.deleting:
        return "uninstalling"
    if tenant.suspended:
        return "deployed" if installed else "unknown"
    if not installed:
        return "failed" if _failed(tenant) else "pending-install"
    if tenant.digest and tenant.digest != tenant.status.release.digest:
        return "failed" if _failed(tenant) else "pending-upgrade"
    return "failed" if _reason(tenant.status.condition(ConditionType.RELEASE)) in _REFUSED else "deployed"


def _failed(tenant: Snapshot) -> bool:
    """Whether what keeps the tenant from being ready is something wrong, not something under way."""
    ready = tenant.status.condition(ConditionType.READY)
    return ready is not None and ready.status == "False" and _reason(ready) not in PROGRESS


def _reason(condition: Condition | None) -> str:
    return condition.reason if condition is not None and condition.status == "False" else ""


def _monitoring(tenant: Snapshot) -> Iterator[Row]:
    monitoring = _at(tenant.spec, "monitoring")
    for slo in _list(monitoring.get("slo")):
        percent = _number(slo.get("objective"))
        if percent is not None:
            yield OBJECTIVE, (str(slo.get("name", "")),), round(percent / 100, 9)
    for limit in _list(monitoring.get("dagDurations")):
        longest = seconds(str(limit.get("limit", "")))
        if longest:
            yield DURATION_LIMIT, (str(limit.get("dag", "")),), longest


def _at(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}


def _list(value: Any) -> Sequence[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _timestamp(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
