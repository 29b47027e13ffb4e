"""A tenant at rest: nothing of it runs, nothing of it is lost. What its status says of that. Pure.

On the way to sleep the components go first and the database last: without it Airflow would hang until its
grace period is over. On the way back the database is first, as at any start.
"""

from __future__ import annotations

from enum import StrEnum

from tenant_operator.api.status import TenantStatus
from tenant_operator.core import names
from tenant_operator.core.errors import ConditionType, Reason
from tenant_operator.plan.intent import Intent, place
from tenant_operator.plan.outcome import Finding
from tenant_operator.plan.release import Stage


class State(StrEnum):
    """What `status.state` may say."""

    RUNNING = "Running"
    #: pods are told to end and some still run
    HIBERNATING = "Hibernating"
    #: no pod runs
    HIBERNATED = "Hibernated"
    #: the components are not up again yet
    WAKING = "Waking"


#: The stages of a release on the way down; monitoring is applied ahead of them and has no gate.
DOWN: tuple[Stage, ...] = (Stage.WALL, Stage.COMPONENTS, Stage.MIGRATE, Stage.DATABASE)
#: Components whose pods may still run after a stage on the way down.
STAYING: dict[Stage, frozenset[str]] = {
    Stage.COMPONENTS: frozenset({"migrate-database", "postgresql"}),
    Stage.MIGRATE: frozenset({"postgresql"}),
    Stage.DATABASE: frozenset(),
}
#: What nobody can tell of a tenant at rest.
_RESTING = (
    ConditionType.DATABASE,
    ConditionType.MIGRATIONS,
    ConditionType.RELEASE,
    ConditionType.HEALTH,
    ConditionType.DAGS,
    ConditionType.OBJECTS,
)


def begin(before: str, *, resting: bool) -> State:
    """The state of a tenant that is to rest, or is not to; `before` is what its status says."""
    if resting:
        return State.HIBERNATED if before == State.HIBERNATED else State.HIBERNATING
    return State.RUNNING if before in {"", State.RUNNING} else State.WAKING


def gates() -> dict[ConditionType, Finding]:
    """The conditions that are not looked at while a tenant rests."""
    untold = Finding.unknown("not looked at: the tenant hibernates", Reason.HIBERNATED)
    return dict.fromkeys(_RESTING, untold)


def forgotten(before: TenantStatus) -> dict[ConditionType, Finding]:
    """The conditions that a tenant which is awake must not go on telling of its rest."""
    told = {kind: before.condition(kind) for kind in _RESTING}
    return {
        kind: Finding.unknown("not looked at yet")
        for kind, condition in told.items()
        if condition is not None and condition.reason == Reason.HIBERNATED
    }


def asleep(intent: Intent) -> Finding:
    """What Ready says of a tenant at rest: who asked for it, and how it is woken."""
    if intent.hibernated_by == place(names.ANNOTATION_STATE):
        remedy = f"remove the annotation, or set it to {State.RUNNING}, to wake it"
    else:
        remedy = f"set it to {State.RUNNING} to wake it"
    return Finding.true(
        f"hibernated by {intent.hibernated_by}: nothing of it runs, all data is kept; {remedy}",
        Reason.HIBERNATED,
    )
