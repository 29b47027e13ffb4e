"""From what a pass found to the tenant's status. The only place that decides what Ready means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from tenant_operator.api.status import Condition, DagSourceStatus, ObjectsStatus, Owned, Release, TenantStatus
from tenant_operator.core.errors import ConditionType, Reason, TenantError
from tenant_operator.plan.intent import Intent

#: Gates in the order in which they open; Ready speaks for the first that is not open.
GATES: tuple[ConditionType, ...] = (
    ConditionType.NAMESPACE,
    ConditionType.SECRETS,
    ConditionType.DATABASE,
    ConditionType.MIGRATIONS,
    ConditionType.RELEASE,
    ConditionType.HEALTH,
    ConditionType.DAGS,
    ConditionType.OBJECTS,
)

#: Told beside the gates: Airflow works without them, so Ready does not wait for them.
ASIDE: tuple[ConditionType, ...] = (ConditionType.MONITORING,)

#: Characters of a condition's message.
_MAX_MESSAGE = 1024

#: Gates that stand open until something is known against them: a DAG source that Airflow has not parsed yet
#: is the team's business, and components that have not been asked yet are no reason to doubt.
_OPEN_UNTIL_KNOWN = frozenset({ConditionType.HEALTH, ConditionType.DAGS})

#: Reasons that mean "on the way", not "something is wrong".
PROGRESS = frozenset(
    {
        Reason.PENDING,
        Reason.DATABASE_STARTING,
        Reason.MIGRATION_RUNNING,
        Reason.COMPONENTS_STARTING,
        Reason.NAMESPACE_TERMINATING,
        Reason.DAGS_PENDING,
        Reason.DELETING,
        Reason.HIBERNATING,
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition as a pass found it."""

    status: str
    reason: Reason
    message: str

    @classmethod
    def true(cls, message: str, reason: Reason = Reason.SUCCEEDED) -> Finding:
        """An open gate."""
        return cls("True", reason, message)

    @classmethod
    def false(cls, reason: Reason, message: str) -> Finding:
        """A closed gate."""
        return cls("False", reason, message)

    @classmethod
    def unknown(cls, message: str, reason: Reason = Reason.PENDING) -> Finding:
        """A gate that the pass did not come to."""
        return cls("Unknown", reason, message)


@dataclass(slots=True)
class Findings:
    """What a pass has found so far, to be filled in step by step."""

    gates: dict[ConditionType, Finding] = field(default_factory=dict)
    #: who suspends or hibernates the tenant, what is held and asked for
    intent: Intent = field(default_factory=Intent)
    #: values of the requests that have been carried out; None: no news
    handled_reconcile: str | None = None
    handled_dag_sync: str | None = None
    #: what `status.state` says (see plan.hibernation); empty: no news
    state: str = ""
    #: what Ready says of a tenant that rests; None while it is awake, or not at rest yet
    asleep: Finding | None = None
    url: str = ""
    release: Release | None = None
    dags: Sequence[DagSourceStatus] | None = None
    #: the commits at which DAG sources are held, whether Airflow has been asked since or not; None: no news
    held: Mapping[str, str] | None = None
    objects: ObjectsStatus | None = None
    owned: Owned | None = None
    drift: str = ""
    inventory: Sequence[str] | None = None

    def fail(self, error: TenantError) -> None:
        """Note the condition that an error speaks of, if it speaks of a gate."""
        if error.condition in GATES:
            self.gates[error.condition] = Finding.false(error.reason, error.message)


def status(
    findings: Findings,
    before: TenantStatus,
    *,
    generation: int,
    namespace: str,
    now: float,
    error: TenantError | None = None,
) -> TenantStatus:
    """The new status; fields that the pass did not come to keep their value."""
    wanted = _conditions(findings, before, error)
    wanted[ConditionType.READY] = _remarked(wanted[ConditionType.READY], findings.intent.remarks)
    conditions = [
        _condition(kind, finding, before, _speaks_of(kind, findings, before, generation), now)
        for kind, finding in sorted(wanted.items())
    ]
    dags = _dags(findings, before)
    return TenantStatus(
        observed_generation=generation,
        conditions=conditions,
        last_handled_reconcile_at=_newer(findings.handled_reconcile, before.last_handled_reconcile_at),
        last_handled_dag_sync_at=_newer(findings.handled_dag_sync, before.last_handled_dag_sync_at),
        state=findings.state or before.state,
        namespace=namespace,
        url=findings.url or before.url,
        release=findings.release or before.release,
        dag_count=sum(source.dag_count for source in dags),
        dags=dags,
        objects=findings.objects or before.objects,
        owned=findings.owned or before.owned,
        drift=findings.drift,
        inventory=list(before.inventory if findings.inventory is None else findings.inventory),
    )


def _dags(findings: Findings, before: TenantStatus) -> list[DagSourceStatus]:
    dags = list(before.dags if findings.dags is None else findings.dags)
    return dags if findings.held is None else held_at(dags, findings.held)


def held_at(dags: Sequence[DagSourceStatus], commits: Mapping[str, str]) -> list[DagSourceStatus]:
    """The sources with the commits at which they are held, and no others held."""
    return [
        source.model_copy(
            update={"held": source.name in commits, "held_commit": commits.get(source.name, "")}
        )
        for source in dags
    ]


def _newer(handled: str | None, before: str) -> str:
    return before if handled is None else handled


def _remarked(ready: Finding, remarks: str) -> Finding:
    """Ready with what annotations overrule, whatever it says: it must be seen as long as it is so."""
    room = _MAX_MESSAGE - len(remarks) - 2
    return replace(ready, message=f"{ready.message[:room]}; {remarks}") if remarks else ready


def _speaks_of(kind: ConditionType, findings: Findings, before: TenantStatus, generation: int) -> int:
    """The generation that a condition is about: a gate that the pass did not come to keeps its own."""
    old = before.condition(kind)
    if kind not in (*GATES, *ASIDE) or kind in findings.gates or old is None:
        return generation
    return old.observed_generation


def _conditions(
    findings: Findings, before: TenantStatus, error: TenantError | None
) -> dict[ConditionType, Finding]:
    wanted = {kind: findings.gates.get(kind) or _kept(before, kind) for kind in (*GATES, *ASIDE)}
    if findings.intent.suspended_by:
        old = _kept(before, ConditionType.READY)
        by = findings.intent.suspended_by
        remedy = "set it to false to resume" if by.startswith("spec.") else "remove the annotation to resume"
        wanted[ConditionType.READY] = Finding(
            old.status,
            Reason.SUSPENDED,
            f"suspended by {by}: what runs keeps running, nothing is changed; {remedy}",
        )
        return wanted
    if error is None and findings.asleep is not None:
        wanted[ConditionType.READY] = findings.asleep
        return wanted
    closed = _first_closed(wanted) if error is None else Finding.false(error.reason, error.message)
    if closed is None:
        wanted[ConditionType.READY] = Finding.true(_summary(findings, before))
        return wanted
    # What goes to sleep as it was told to has nothing wrong with it.
    status = "Unknown" if closed.reason is Reason.HIBERNATING else "False"
    wanted[ConditionType.READY] = Finding(status, closed.reason, closed.message)
    if error is not None and error.stalled:
        wanted[ConditionType.STALLED] = Finding.true(closed.message, closed.reason)
    elif closed.reason in PROGRESS or closed.status == "Unknown":
        wanted[ConditionType.RECONCILING] = Finding.true(closed.message, closed.reason)
    return wanted


def _kept(before: TenantStatus, kind: ConditionType) -> Finding:
    old = before.condition(kind)
    if old is None:
        return Finding.unknown("not looked at yet")
    try:
        reason = Reason(old.reason)
    except ValueError:
        reason = Reason.PENDING
    return Finding(old.status, reason, old.message)


def _first_closed(wanted: Mapping[ConditionType, Finding]) -> Finding | None:
    for kind in GATES:
        finding = wanted[kind]
        if finding.status == "False" or (finding.status != "True" and kind not in _OPEN_UNTIL_KNOWN):
            return finding
    return None


def _summary(findings: Findings, before: TenantStatus) -> str:
    dags = _dags(findings, before)
    count = sum(source.dag_count for source in dags)
    commits = ", ".join(
        f"{source.name}@{source.commit[:7]}{' (held)' if source.held else ''}"
        for source in dags
        if source.commit
    )
    release = findings.release or before.release
    noun = "DAG" if count == 1 else "DAGs"
    return f"Airflow {release.airflow_version} is up, {count} {noun}" + (
        f" from {commits}" if commits else ""
    )


def _condition(
    kind: ConditionType, finding: Finding, before: TenantStatus, generation: int, now: float
) -> Condition:
    message = finding.message[:_MAX_MESSAGE]
    old = before.condition(kind)
    same = old is not None and (old.status, old.reason, old.message) == (
        finding.status,
        finding.reason,
        message,
    )
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Condition(
        type=kind,
        status=finding.status,
        reason=finding.reason,
        message=message,
        last_transition_time=old.last_transition_time if same and old and old.last_transition_time else stamp,
        observed_generation=generation,
    )


@dataclass(frozen=True, slots=True)
class Event:
    """One Kubernetes Event to post: type is Normal or Warning."""

    type: str
    reason: str
    message: str


def events(before: TenantStatus, after: TenantStatus, ignored: str = "") -> list[Event]:
    """Events for what turned: Ready when it becomes true, and every gate that closes for a reason.

    A gate that opens is told by Ready; one that has not been looked at has nothing to tell. `ignored` is
    Intent.ignored: one Event when it is new, that is, when Ready did not say it before.
    """
    found = []
    told = before.condition(ConditionType.READY)
    if ignored and (told is None or ignored not in told.message):
        found.append(Event("Warning", "DagHoldIgnored", ignored))
    for condition in after.conditions:
        old = before.condition(condition.type)
        if old is not None and (old.status, old.reason) == (condition.status, condition.reason):
            continue
        if condition.type != ConditionType.READY:
            continue
        if condition.reason in (Reason.SUSPENDED, Reason.HIBERNATING, Reason.HIBERNATED):
            found.append(Event("Normal", condition.reason, condition.message))
        elif condition.status == "True":
            found.append(Event("Normal", "Ready", condition.message))
        elif condition.status == "False" and _telling(condition):
            severity = "Normal" if condition.reason in PROGRESS else "Warning"
            found.append(Event(severity, condition.reason, condition.message))
    return found


def _telling(condition: Condition) -> bool:
    return condition.reason != Reason.PENDING
