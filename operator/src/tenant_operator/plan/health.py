"""What the health of Airflow's components means for the tenant. Pure: an answer in, a finding out.

Airflow calls the scheduler and the triggerer unhealthy 30 s after their last heartbeat, the DAG processor
after a threshold of its own ([scheduler] scheduler_health_check_threshold and its like). One bad answer is
not believed yet: a scheduler that is busy for half a minute is no dead one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from tenant_operator.api.status import Condition
from tenant_operator.core.airflow_types import Health
from tenant_operator.core.errors import Reason
from tenant_operator.plan.outcome import Finding

#: bad answers in a row after which the condition turns
PATIENCE = 2
_DATABASE = "metadatabase"


@dataclass(frozen=True, slots=True)
class HealthView:
    """What the last probe of a tenant's components found; `health` is None when Airflow did not answer."""

    finding: Finding
    health: Health | None = None
    #: bad answers in a row
    doubts: int = 0


def judge(
    tenant: str, health: Health | None, before: HealthView | None, told: Condition | None, *, up: bool
) -> HealthView:
    """The view after a probe.

    `before` is the last view, `told` the condition in the status, for the first probe after a restart of
    the operator. `up`: every Deployment has its pods ready; until then ReleaseReady speaks, and a component
    that has just been replaced is not called dead.
    """
    if health is not None and not health.unhealthy:
        return HealthView(
            Finding.true("database, scheduler, DAG processor and triggerer are healthy"), health
        )
    doubts = (before.doubts if before is not None else 0) + 1 if up else 0
    if doubts < PATIENCE:
        return HealthView(_unchanged(before, told), health, doubts)
    if health is None:
        return HealthView(
            Finding.unknown(
                "Airflow's API does not answer, so nothing is known of the components",
                Reason.AIRFLOW_UNAVAILABLE,
            ),
            None,
            doubts,
        )
    return HealthView(Finding.false(Reason.COMPONENT_UNHEALTHY, _explain(tenant, health)), health, doubts)


def _unchanged(before: HealthView | None, told: Condition | None) -> Finding:
    if before is not None:
        return before.finding
    if told is None or told.status not in {"True", "False"} or told.reason not in set(Reason):
        return Finding.unknown("the components have not been asked yet")
    return Finding(told.status, Reason(told.reason), told.message)


def _explain(tenant: str, health: Health) -> str:
    """Without the database Airflow can tell nothing of the others: then it alone is named."""
    unhealthy = health.unhealthy
    if _DATABASE in unhealthy:
        return (
            "metadatabase: Airflow cannot reach its database: read the log of StatefulSet "
            f"{tenant}-postgresql and of Deployment {tenant}-api-server"
        )
    return "; ".join(
        f"{component}: {_silence(component, health.heartbeats)}: read the log of Deployment "
        f"{tenant}-{component}"
        for component in unhealthy
    )


def _silence(component: str, heartbeats: Mapping[str, float]) -> str:
    last = heartbeats.get(component)
    if last is None:
        return "has never had a heartbeat"
    return f"no heartbeat since {datetime.fromtimestamp(last, UTC).strftime('%Y-%m-%dT%H:%M:%SZ')}"
