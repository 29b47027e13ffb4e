from __future__ import annotations

from dataclasses import replace

import pytest

from tenant_operator.core.errors import ConditionType, NotReady, Reason
from tenant_operator.core.kinds import ObjectId
from tenant_operator.plan.workload import PodState, Problem, Workload
from tenant_operator.reconcile.gates import (
    check_at_work,
    check_components,
    check_database,
    check_ended,
    check_migration,
)
from tenant_operator.reconcile.index import Child, Children

DATABASE = ObjectId("StatefulSet", "ns", "t-postgresql", "apps")
JOB = ObjectId("Job", "ns", "t-migrate-1", "batch")
SCHEDULER = ObjectId("Deployment", "ns", "t-scheduler", "apps")
TRIGGERER = ObjectId("Deployment", "ns", "t-triggerer", "apps")
SERVICE = ObjectId("Service", "ns", "t-postgresql")
CRASH = Problem(Reason.CRASH_LOOPING, "it crashes")


def children(pods: dict[str, PodState] | None = None, **workloads: Workload) -> Children:
    ids = {id_.name.replace("-", "_"): id_ for id_ in (DATABASE, JOB, SCHEDULER, TRIGGERER)}
    objects = {ids[name]: Child("1", 1, "u", found) for name, found in workloads.items()}
    return Children(objects, pods or {})


def up(component: str = "c") -> Workload:
    return Workload(component, ready=True)


def down(component: str = "c", **more: object) -> Workload:
    return Workload(component, ready=False, **more)  # type: ignore[arg-type]


def closed(check: object, ids: list[ObjectId], live: Children) -> NotReady:
    with pytest.raises(NotReady) as caught:
        check(ids, live)  # type: ignore[operator]
    return caught.value


def test_ready_workloads_open_their_gates() -> None:
    check_database([SERVICE, DATABASE], children(t_postgresql=up()))
    check_migration([JOB], children(t_migrate_1=up()))
    check_components([SCHEDULER, TRIGGERER], children(t_scheduler=up(), t_triggerer=up()))


def test_a_stage_without_workloads_is_open() -> None:
    for check in (check_database, check_migration, check_components):
        check([SERVICE], children())


def test_a_workload_that_is_not_there_yet_is_waited_for() -> None:
    for check, ids, reason in (
        (check_database, [DATABASE], Reason.DATABASE_STARTING),
        (check_migration, [JOB], Reason.MIGRATION_RUNNING),
        (check_components, [SCHEDULER], Reason.COMPONENTS_STARTING),
    ):
        assert closed(check, ids, children()).reason is reason


def test_the_database_s_trouble_is_told() -> None:
    pods = {"p": PodState("postgresql", CRASH)}
    error = closed(check_database, [DATABASE], children(pods, t_postgresql=down("postgresql")))
    assert (error.condition, error.reason) == (ConditionType.DATABASE, Reason.CRASH_LOOPING)
    assert error.message == "PostgreSQL does not come up: it crashes"


def test_an_exporter_that_does_not_run_keeps_nobody_from_the_database() -> None:
    broken = {"p": PodState("postgresql", CRASH, serves=True)}
    check_database([DATABASE], children(broken, t_postgresql=down("postgresql", current=True)))
    rolling = children(broken, t_postgresql=down("postgresql"))
    assert closed(check_database, [DATABASE], rolling).reason is Reason.CRASH_LOOPING, "an older pod serves"


def test_a_running_migration_is_progress() -> None:
    error = closed(check_migration, [JOB], children(t_migrate_1=down()))
    assert (error.condition, error.stalled) == (ConditionType.MIGRATIONS, False)
    assert error.message == "the database migration runs (Job/t-migrate-1)"


def test_a_failed_migration_is_stalled_and_says_what_to_do() -> None:
    error = closed(check_migration, [JOB], children(t_migrate_1=down(failed=True, detail="too often")))
    assert (error.reason, error.stalled) == (Reason.MIGRATION_FAILED, True)
    assert "too often" in error.message
    assert "spec.airflow.image" in error.message
    ended = PodState("c", Problem(Reason.MIGRATION_FAILED, "an attempt ended: no column"), "t-migrate-1")
    error = closed(check_migration, [JOB], children({"p": ended}, t_migrate_1=down(failed=True, detail="x")))
    assert "no column" in error.message


def test_an_attempt_that_failed_is_told_while_the_job_tries_again() -> None:
    ended = PodState("c", Problem(Reason.MIGRATION_FAILED, "an attempt ended: no column"), "t-migrate-1")
    error = closed(check_migration, [JOB], children({"p": ended}, t_migrate_1=down()))
    assert (error.reason, error.stalled) == (Reason.MIGRATION_RUNNING, False)
    assert "no column" in error.message


def test_the_attempt_of_an_earlier_job_is_not_this_one_s() -> None:
    ended = PodState("c", Problem(Reason.MIGRATION_FAILED, "an attempt ended: no column"), "t-migrate-0")
    error = closed(check_migration, [JOB], children({"p": ended}, t_migrate_1=down()))
    assert "no column" not in error.message


def test_a_migration_that_cannot_start_says_why() -> None:
    pods = {"p": PodState("c", Problem(Reason.IMAGE_PULL_FAILED, "no image"), "t-migrate-1")}
    error = closed(check_migration, [JOB], children(pods, t_migrate_1=down()))
    assert (error.reason, error.message) == (
        Reason.IMAGE_PULL_FAILED,
        "the database migration does not start: no image",
    )


def test_all_waiting_components_are_named() -> None:
    live = children(t_scheduler=down("scheduler"), t_triggerer=down("triggerer"))
    error = closed(check_components, [TRIGGERER, SCHEDULER], live)
    assert error.message == "waiting for scheduler, triggerer"


def test_a_component_s_trouble_is_told_before_waiting() -> None:
    pods = {"p": PodState("triggerer", CRASH)}
    live = children(pods, t_scheduler=down("scheduler"), t_triggerer=down("triggerer"))
    error = closed(check_components, [SCHEDULER, TRIGGERER], live)
    assert (error.condition, error.reason, error.message) == (
        ConditionType.RELEASE,
        Reason.CRASH_LOOPING,
        "triggerer: it crashes",
    )


def test_the_workload_s_own_problem_counts_before_its_pods() -> None:
    quota = Problem(Reason.QUOTA_EXCEEDED, "too much")
    pods = {"p": PodState("scheduler", CRASH)}
    live = children(pods, t_scheduler=down("scheduler", problem=quota))
    assert closed(check_components, [SCHEDULER], live).reason is Reason.QUOTA_EXCEEDED


def test_git_sync_s_trouble_is_about_the_dags() -> None:
    pods = {"p": PodState("scheduler", Problem(Reason.GIT_SYNC_FAILED, "no such ref"))}
    error = closed(check_components, [SCHEDULER], children(pods, t_scheduler=down("scheduler")))
    assert (error.condition, error.reason) == (ConditionType.DAGS, Reason.GIT_SYNC_FAILED)


def test_what_cannot_be_fetched_is_blamed_on_the_annotation_that_holds_it() -> None:
    trouble = Problem(Reason.GIT_SYNC_FAILED, "check repo, ref", "main", "not our ref aaaa")
    live = children({"p": PodState("scheduler", trouble)}, t_scheduler=down("scheduler"))
    with pytest.raises(NotReady) as caught:
        check_components([SCHEDULER], live, {"main": "a" * 40})
    assert caught.value.condition is ConditionType.DAGS
    assert "git-sync fails: not our ref aaaa; metadata.annotations[airflowtenants.io/dag-revisions]" in str(
        caught.value
    )
    with pytest.raises(NotReady, match="check repo, ref"):
        check_components([SCHEDULER], live, {"other": "a" * 40})


@pytest.mark.parametrize("serving", [True, False])
def test_a_failed_migration_says_whether_an_earlier_version_serves(serving: bool) -> None:
    """It does after an edit, but not on waking or at the first install."""
    live = children(t_migrate_1=down(failed=True), t_scheduler=up("scheduler"), t_postgresql=up("postgresql"))
    live.objects[SCHEDULER] = Child("1", 1, "u", Workload("scheduler", ready=not serving, serving=serving))
    live.objects[DATABASE] = Child("1", 1, "u", Workload("postgresql", ready=True, serving=True))
    message = closed(check_migration, [JOB], live).message
    assert ("the earlier version keeps serving" in message) is serving
    assert ("nothing runs until it succeeds, or until the earlier image is back" in message) is not serving


def test_the_trouble_of_a_component_that_is_ready_is_not_told() -> None:
    pods = {"p": PodState("scheduler", CRASH)}
    check_components([SCHEDULER], children(pods, t_scheduler=up("scheduler")))


def test_on_the_way_down_everything_that_still_runs_is_named() -> None:
    pods = {
        "a": PodState("scheduler", None),
        "b": PodState("postgresql", None),
        "c": PodState("triggerer", None, ended=True),  # evicted: only its log is left
    }
    live = children(pods, t_scheduler=up("scheduler"), t_triggerer=down("triggerer"))
    with pytest.raises(NotReady) as caught:
        check_ended([SCHEDULER, TRIGGERER], live, {"postgresql"})
    assert caught.value.message == "going to sleep: scheduler, triggerer still running"
    assert caught.value.reason is Reason.HIBERNATING
    assert caught.value.condition is ConditionType.READY, "no gate is closed by it"


def test_a_pod_that_somebody_started_keeps_nobody_from_sleep() -> None:
    """A debug pod has the tenant's label, or all labels of the pod that it is a copy of."""
    strays = {"debug": PodState("", None, stray=True), "copy": PodState("scheduler", None, stray=True)}
    check_ended([SCHEDULER], children(strays, t_scheduler=up("scheduler")), set())


def test_a_migration_at_work_is_not_cut_off_and_one_that_has_not_begun_is_not_waited_for() -> None:
    pod = PodState("migrate-database", None, "t-migrate-1")
    for idle in (
        pod,
        replace(pod, ended=True),
        replace(pod, runs=True, stray=True),
        PodState("c", None, runs=True),
    ):
        check_at_work(children({"p": idle}))
    with pytest.raises(NotReady, match=r"the database migration is let run to its end \(Pod/p\)") as caught:
        check_at_work(children({"p": replace(pod, runs=True)}))
    assert (caught.value.condition, caught.value.reason) == (ConditionType.READY, Reason.HIBERNATING)


def test_what_was_never_seen_and_what_has_not_been_scaled_yet_is_waited_for() -> None:
    with pytest.raises(NotReady, match="Deployment/t-scheduler still running"):
        check_ended([SCHEDULER], children(), set())


def test_on_the_way_down_nothing_is_asked_of_jobs_but_that_they_have_no_pod() -> None:
    check_ended([JOB], children(t_migrate_1=down()), set())
    pods = {"p": PodState("migrate-database", None, "t-migrate-1")}
    with pytest.raises(NotReady, match="migrate-database still running"):
        check_ended([JOB], children(pods, t_migrate_1=down()), {"postgresql"})
    check_ended(
        [DATABASE], children({"p": PodState("postgresql", None, ended=True)}, t_postgresql=up()), set()
    )
