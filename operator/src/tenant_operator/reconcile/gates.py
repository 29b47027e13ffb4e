"""Whether the objects of a stage have come up; raises NotReady in words that name field and remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType

from tenant_operator.core.errors import ConditionType, NotReady, Reason
from tenant_operator.core.kinds import ObjectId
from tenant_operator.plan import git_sync
from tenant_operator.plan.workload import Problem, Workload
from tenant_operator.reconcile.index import Children

_MIGRATION = "migrate-database"


def check_database(ids: Iterable[ObjectId], children: Children) -> None:
    """PostgreSQL's StatefulSet is ready, or its server is: its exporter keeps no Airflow waiting."""
    serves = any(pod.serves for pod in children.pods.values())
    for id_, found in _workloads(ids, children).items():
        if found is not None and (found.ready or (found.current and serves)):
            continue
        problem = _problem(found, children)
        if problem is not None:
            raise NotReady(
                f"PostgreSQL does not come up: {problem.message}",
                condition=ConditionType.DATABASE,
                reason=problem.reason,
            )
        raise NotReady(
            f"waiting for PostgreSQL ({id_.label})",
            condition=ConditionType.DATABASE,
            reason=Reason.DATABASE_STARTING,
        )


def check_migration(ids: Iterable[ObjectId], children: Children) -> None:
    """The migration Job has completed."""
    for id_, found in _workloads(ids, children).items():
        if found is not None and found.ready:
            continue
        problem = _problem(found, children, id_.name)
        if found is not None and found.failed:
            words = problem.message if problem is not None else found.detail
            raise NotReady(
                f"the database migration failed ({id_.label}): {words}; {_serving(children)}; "
                "read the Job's log, and check spec.airflow.image and spec.airflow.config",
                condition=ConditionType.MIGRATIONS,
                reason=Reason.MIGRATION_FAILED,
                retry=60.0,
                stalled=True,
            )
        if problem is not None and problem.reason is Reason.MIGRATION_FAILED:
            raise NotReady(
                f"the database migration is tried again ({id_.label}): {problem.message}",
                condition=ConditionType.MIGRATIONS,
                reason=Reason.MIGRATION_RUNNING,
            )
        if problem is not None:
            raise NotReady(
                f"the database migration does not start: {problem.message}",
                condition=ConditionType.MIGRATIONS,
                reason=problem.reason,
            )
        raise NotReady(
            f"the database migration runs ({id_.label})",
            condition=ConditionType.MIGRATIONS,
            reason=Reason.MIGRATION_RUNNING,
        )


def _serving(children: Children) -> str:
    """What becomes of a tenant whose migration has failed: perhaps it was woken, or is new."""
    ours = (id_ for id_, found in children.workloads().items() if id_.kind == "Deployment" and found.serving)
    if any(ours):
        return "the earlier version keeps serving"
    return "nothing runs until it succeeds, or until the earlier image is back"


def check_components(
    ids: Iterable[ObjectId], children: Children, held: Mapping[str, str] = MappingProxyType({})
) -> None:
    """All Deployments are up; a pod's own trouble is told before mere waiting.

    `held` is the commit of each DAG source that an annotation holds: a fetch that fails may be its fault.
    """
    waiting = []
    first: Problem | None = None
    component = ""
    for found in _workloads(ids, children).values():
        if found is not None and found.ready:
            continue
        name = found.component if found is not None else "a component"
        waiting.append(name)
        problem = _problem(found, children)
        if problem is not None and first is None:
            first, component = problem, name
    if first is not None:
        condition = ConditionType.DAGS if first.reason is Reason.GIT_SYNC_FAILED else ConditionType.RELEASE
        commit = held.get(first.source, "")
        words = git_sync.fails(first.source, first.said, commit) if commit else first.message
        raise NotReady(f"{component}: {words}", condition=condition, reason=first.reason)
    if waiting:
        raise NotReady(f"waiting for {', '.join(sorted(waiting))}")


def check_ended(ids: Iterable[ObjectId], children: Children, staying: AbstractSet[str]) -> None:
    """Nothing runs any more but pods of the components that are `staying`; only logs may be left.

    Pods are looked at beside their owners: an owner forgets a pod as soon as it is told to end. Those that
    no owner has are somebody's own: nobody would ever take them down.
    """
    left = {
        found.component if found is not None else id_.label
        for id_, found in _workloads(ids, children).items()
        if id_.kind != "Job" and (found is None or not found.ready)
    }
    left |= {pod.component for pod in children.pods.values() if not (pod.ended or pod.stray)} - staying
    if left:
        raise NotReady(
            f"going to sleep: {', '.join(sorted(left))} still running",
            condition=ConditionType.READY,
            reason=Reason.HIBERNATING,
        )


def check_at_work(children: Children) -> None:
    """No migration is at work. One that is must not be cut off: not every step of it is a transaction.

    It ends by itself: a Job has a limit of tries. One that has not begun may be suspended.
    """
    working = sorted(
        name
        for name, pod in children.pods.items()
        if pod.component == _MIGRATION and pod.runs and not pod.stray
    )
    if working:
        raise NotReady(
            f"going to sleep: the database migration is let run to its end (Pod/{working[0]})",
            condition=ConditionType.READY,
            reason=Reason.HIBERNATING,
        )


def _workloads(ids: Iterable[ObjectId], children: Children) -> Mapping[ObjectId, Workload | None]:
    known = children.workloads()
    return {id_: known.get(id_) for id_ in ids if id_.kind in {"Deployment", "StatefulSet", "Job"}}


def _problem(found: Workload | None, children: Children, job: str = "") -> Problem | None:
    if found is None:
        return None
    return found.problem or children.problem(found.component, job)
