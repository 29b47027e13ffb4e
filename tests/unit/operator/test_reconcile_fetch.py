"""A request to fetch DAGs now: who is told, what becomes of one that cannot be carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.operator.support import NAMESPACE, raw, tenant

from tenant_operator.api.status import Release, TenantStatus
from tenant_operator.core import kinds
from tenant_operator.core.errors import Forbidden, KubeError, NotFound
from tenant_operator.core.kinds import Kind, Object
from tenant_operator.core.metrics import Metrics
from tenant_operator.plan import fetch
from tenant_operator.plan.fetch import Audience, Target
from tenant_operator.reconcile.fetch import DEADLINE, FetchFlow
from tenant_operator.reconcile.state import TenantState

MAIN = {"name": "main", "gitSync": {"repo": "https://git.example.com/dags.git"}}
OTHER = {"name": "other", "gitSync": {"repo": "https://git.example.com/other.git"}}
IMAGE = {"name": "library", "image": {"path": "/opt/airflow/library"}}
NOW = 1_700_000_000.0
ASKED = "airflowtenants.io/dag-sync-requested-at"


def pod(
    name: str,
    *sources: str,
    flag: str = fetch.FLAG,
    state: str = "running",
    deleted: bool = False,
    sidecar: bool = True,
    started: str = "2023-01-01T00:00:00Z",
) -> Object:
    """A pod as the chart makes it: git-sync as native sidecars, that is, init containers that live on."""
    containers = [{"name": f"git-sync-{source}", "args": ["--link=current", flag]} for source in sources]
    statuses = [
        {"name": f"git-sync-{source}", "state": {state: {"startedAt": started}}} for source in sources
    ]
    init = [{"name": f"git-sync-init-{source}", "args": ["--one-time"]} for source in sources]
    ended = [{"name": f"git-sync-init-{source}", "state": {"terminated": {}}} for source in sources]
    spec, status = (
        ("initContainers", "initContainerStatuses") if sidecar else ("containers", "containerStatuses")
    )
    found: Object = {
        "metadata": {"name": name, **({"deletionTimestamp": "now"} if deleted else {})},
        "spec": {"initContainers": init, "containers": [{"name": "scheduler", "args": ["scheduler"]}]},
        "status": {
            "initContainerStatuses": ended,
            "containerStatuses": [{"name": "scheduler", "state": {"running": {}}}],
        },
    }
    found["spec"][spec] += containers
    found["status"][status] += statuses
    return found


def test_every_running_git_sync_of_every_pod_is_told() -> None:
    pods = [pod("b", "main", "other"), pod("a", "main"), {"metadata": {"name": "api-server"}}]
    assert fetch.audience(pods, ["main", "other"], NOW) == Audience(
        [Target("a", "git-sync-main"), Target("b", "git-sync-main"), Target("b", "git-sync-other")], [], []
    )


def test_a_git_sync_that_is_no_sidecar_is_told_as_well() -> None:
    found = fetch.audience([pod("a", "main", sidecar=False)], ["main"], NOW).found
    assert found == [Target("a", "git-sync-main")]


@pytest.mark.parametrize(
    "silent",
    [
        pod("a", "main", flag="--period=30s"),
        pod("a", "main", state="waiting"),
        pod("a", "main", state="terminated"),
        pod("a", "main", deleted=True),
        {"metadata": {"name": "pending"}, "spec": {}},
    ],
    ids=["an older release: the signal would end it", "not started", "ended", "on its way out", "no status"],
)
def test_what_does_not_wait_for_the_signal_gets_none(silent: Object) -> None:
    assert fetch.audience([silent], ["main"], NOW) == Audience([], [], ["main"])


def test_a_source_that_the_spec_has_not_any_more_is_left_alone() -> None:
    told = fetch.audience([pod("a", "gone", "main")], ["main"], NOW)
    assert told == Audience([Target("a", "git-sync-main")], [], [])


@pytest.mark.parametrize(("age", "young"), [(0.0, True), (4.0, True), (5.0, False), (3600.0, False)])
def test_a_git_sync_that_has_just_begun_would_end_of_the_signal_and_gets_none(
    age: float, young: bool
) -> None:
    started = datetime.fromtimestamp(NOW - age, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    told = fetch.audience([pod("a", "main", started=started)], ["main"], NOW)
    target = [Target("a", "git-sync-main")]
    assert (told.young, told.found, told.absent) == ((target, [], []) if young else ([], target, []))


def test_only_git_is_fetched() -> None:
    assert fetch.sources(tenant(dags={"sources": [MAIN, IMAGE, OTHER]})) == ["main", "other"]


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time + NOW

    def monotonic(self) -> float:
        return self.time


class Kube:
    """Knows pods, takes Events; `trouble` is raised instead of the list."""

    def __init__(self) -> None:
        self.pods: list[Object] = [pod("dag-processor", "main"), pod("scheduler", "main")]
        self.events: list[tuple[str, str, str]] = []
        self.trouble: KubeError | None = None

    async def list(self, kind: Kind, namespace: str = "", labels: str = "") -> list[Object]:
        assert (kind, namespace) == (kinds.POD, NAMESPACE)
        assert labels == "airflowtenants.io/tenant,app.kubernetes.io/component!=worker", "no task pods"
        if self.trouble is not None:
            raise self.trouble
        return self.pods

    async def event(self, about: Object, kind: str, reason: str, message: str) -> None:
        assert about["metadata"]["name"] == "payments"
        self.events.append((kind, reason, message))


class Commands:
    """Notes what is run; `trouble` by pod is raised instead, `during` happens at the first call."""

    def __init__(self) -> None:
        self.run_in: list[tuple[str, str]] = []
        self.during: Callable[[], object] = lambda: None
        self.trouble: dict[str, KubeError] = {}

    async def run(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> None:
        assert (namespace, tuple(command)) == (NAMESPACE, ("sh", "-c", "kill -HUP 1"))
        during, self.during = self.during, lambda: None
        during()
        if pod in self.trouble:
            raise self.trouble[pod]
        self.run_in.append((pod, container))


def up(state: str = "Running", revision: int = 1, **more: Any) -> TenantStatus:
    """The status of a tenant whose release has come up."""
    return TenantStatus(state=state, release=Release(revision=revision), **more)


class World:
    """One tenant whose people ask for a fetch."""

    def __init__(self, value: str = "t1", **spec: Any) -> None:
        self.kube, self.commands, self.clock = Kube(), Commands(), Clock()
        self.state = TenantState(raw=raw(**{"dags": {"sources": [MAIN]}, **spec}), status=up())
        self.ask(value)
        self.metrics = Metrics()
        self.flow = FetchFlow(self.kube, self.commands, self.clock, self.metrics)  # type: ignore[arg-type]

    def counted(self, series: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"airflow_operator_{series}_total", labels) or 0.0

    def ask(self, value: str, **more: str) -> None:
        self.state.raw["metadata"]["annotations"] = {ASKED: value, **more}

    async def run(self) -> float | None:
        return await self.flow.run(self.state)

    async def until_given_up(self) -> list[float]:
        """Delays between the tries."""
        delays = []
        while (delay := await self.run()) is not None:
            delays.append(delay)
            self.clock.time += delay
            assert len(delays) < 100
        return delays


async def test_a_request_tells_every_git_sync_once_and_is_handled() -> None:
    world = World()
    assert world.flow.wanted(world.state)
    assert await world.run() is None
    assert world.commands.run_in == [("dag-processor", "git-sync-main"), ("scheduler", "git-sync-main")]
    assert world.state.fetched == "t1"
    assert world.kube.events == [("Normal", "DagSyncRequested", "git-sync of main fetches now")]
    assert world.state.expecting > world.clock.now(), "Airflow is soon asked for its commit"

    assert not world.flow.wanted(world.state)
    assert await world.run() is None
    assert len(world.commands.run_in) == 2, "once for each value"
    world.ask("t2")
    assert world.flow.wanted(world.state)
    await world.run()
    assert (world.state.fetched, len(world.commands.run_in)) == ("t2", 4)


async def test_a_mistake_in_one_call_leaves_no_other_running_behind() -> None:
    world, ended = World(), []

    async def run(namespace: str, pod: str, container: str, command: Sequence[str]) -> None:
        if pod == "dag-processor":
            raise ZeroDivisionError
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(pod)

    world.commands.run = run  # type: ignore[method-assign]
    with pytest.raises(ExceptionGroup):
        await world.run()
    assert ended == ["scheduler"]
    assert world.flow.wanted(world.state), "the request is still there"


async def test_what_the_status_says_is_handled_is_not_done_again_after_a_restart() -> None:
    world = World()
    world.state.status = up(last_handled_dag_sync_at="t1")
    assert not world.flow.wanted(world.state)
    assert await world.run() is None
    assert (world.commands.run_in, world.state.fetched) == ([], None)


@pytest.mark.parametrize("value", ["", "x" * 300])
async def test_no_request_and_one_that_is_refused_do_nothing(value: str) -> None:
    world = World(value)
    assert not world.flow.wanted(world.state)
    assert await world.run() is None
    assert world.commands.run_in == []


@pytest.mark.parametrize(
    "rest",
    [
        {"airflowtenants.io/suspend": "true"},
        {"airflowtenants.io/state": "Hibernated"},
        {"airflowtenants.io/suspend": "perhaps"},
    ],
    ids=["suspended", "hibernated", "wrong"],
)
async def test_a_tenant_at_rest_keeps_its_request_until_it_goes_on(rest: dict[str, str]) -> None:
    world = World()
    world.ask("t1", **rest)
    assert await world.run() is None
    assert (world.commands.run_in, world.kube.events, world.state.fetched) == ([], [], None)
    world.ask("t1")
    assert world.flow.wanted(world.state), "it is neither carried out nor lost"
    await world.run()
    assert world.state.fetched == "t1"


@pytest.mark.parametrize(
    "status",
    [up("Hibernated"), up("Hibernating"), up("Waking"), up(revision=0), TenantStatus()],
    ids=["woken a moment ago", "called off", "waking", "being installed", "new"],
)
async def test_a_tenant_that_comes_up_keeps_its_request_without_a_word_until_it_has(
    status: TenantStatus,
) -> None:
    world = World()
    world.state.status, world.kube.pods = status, []
    assert not world.flow.wanted(world.state)
    for _ in range(3):
        assert await world.run() is None
        world.clock.time += DEADLINE
    assert (world.kube.events, world.state.fetched) == ([], None)
    world.state.status, world.kube.pods = up(), [pod("scheduler", "main")]
    assert world.flow.wanted(world.state)
    assert await world.run() is None
    assert [reason for _, reason, _ in world.kube.events] == ["DagSyncRequested"]


async def test_a_git_sync_that_has_just_begun_is_told_a_moment_later_without_a_warning() -> None:
    world = World()
    started = datetime.fromtimestamp(world.clock.now() - 1, UTC).isoformat()
    world.kube.pods = [pod("old", "main"), pod("young", "main", started=started)]
    assert await world.run() == fetch.SETTLE
    assert world.commands.run_in == [("old", "git-sync-main")]
    assert world.kube.events == []
    assert not world.flow.wanted(world.state)
    assert world.counted("handler_retries", handler="fetch") == 0
    world.clock.time += fetch.SETTLE
    assert await world.run() is None
    assert ("young", "git-sync-main") in world.commands.run_in
    assert [reason for _, reason, _ in world.kube.events] == ["DagSyncRequested"]


async def test_a_git_sync_that_begins_again_and_again_is_given_up_in_the_end() -> None:
    world = World()
    world.kube.pods = [pod("a", "main", started="2099-01-01T00:00:00Z")]
    assert sum(await world.until_given_up()) == DEADLINE
    ((kind, reason, message),) = world.kube.events
    assert (kind, reason) == ("Warning", "DagSyncFailed")
    assert "git-sync-main of pod a has just started" in message


async def test_a_tenant_that_is_suspended_between_two_tries_goes_on_when_it_is_resumed() -> None:
    world = World()
    world.kube.pods = []
    assert await world.run() is not None
    world.ask("t1", **{"airflowtenants.io/suspend": "true"})
    assert await world.run() is None
    world.ask("t1")
    assert world.flow.wanted(world.state)


async def test_without_a_git_source_there_is_nothing_to_fetch_and_that_is_told() -> None:
    world = World(dags={"sources": [IMAGE]})
    assert await world.run() is None
    assert world.state.fetched == "t1"
    assert world.kube.events == [("Normal", "DagSyncRequested", "no DAG source is pulled by Git")]


async def test_a_tenant_without_running_pods_is_told_once_and_tried_until_they_run() -> None:
    world = World()
    world.kube.pods = []
    assert await world.run() == 2.0
    assert not world.flow.wanted(world.state), "events of pods do not shorten the delay"
    assert await world.run() == 4.0
    words = "no pod runs git-sync for main; tried again for 180 seconds"
    assert world.kube.events == [("Warning", "DagSyncDelayed", words)]
    assert [world.state.fetched] == [None]
    world.kube.pods = [pod("dag-processor", "main")]
    assert await world.run() is None
    assert world.state.fetched == "t1"
    assert [reason for _, reason, _ in world.kube.events] == ["DagSyncDelayed", "DagSyncRequested"]


async def test_after_the_deadline_the_request_is_handled_with_a_warning_and_the_reason() -> None:
    world = World()
    world.commands.trouble["scheduler"] = Forbidden(403, "no right")
    delays = await world.until_given_up()
    assert sum(delays) == DEADLINE
    assert max(delays) == 30.0
    assert world.counted("reconcile", controller="fetch", result="requeue") == len(delays)
    assert world.counted("reconcile", controller="fetch", result="error") == 1
    assert world.counted("handler_retries", handler="fetch") == len(delays) + 1
    assert world.state.fetched == "t1"
    (_, delayed, _), (kind, reason, message) = world.kube.events
    assert (delayed, kind, reason) == ("DagSyncDelayed", "Warning", "DagSyncFailed")
    assert message == (
        "given up after 180 seconds: git-sync-main of pod scheduler cannot be told: no right; "
        "git-sync fetches at its next period"
    )


async def test_one_container_that_refuses_keeps_no_other_from_being_told() -> None:
    world = World()
    world.commands.trouble["dag-processor"] = NotFound(404, "the pod is gone")
    await world.run()
    assert world.commands.run_in == [("scheduler", "git-sync-main")]
    assert world.state.fetched is None


async def test_a_new_request_during_the_tries_has_a_deadline_of_its_own() -> None:
    world = World()
    world.kube.pods = []
    await world.run()
    world.clock.time += DEADLINE - 1
    world.ask("t2")
    assert world.flow.wanted(world.state)
    assert await world.run() == 2.0


async def test_an_api_server_that_is_away_is_waited_for() -> None:
    world = World()
    world.kube.trouble = KubeError(0, "no answer")
    assert await world.run() == 2.0
    world.kube.trouble = None
    assert await world.run() is None
    assert world.state.fetched == "t1"


#: What may happen to a request while its git-syncs are being told.
TURNS: dict[str, Callable[[World], object]] = {
    "taken back": lambda world: world.ask(""),
    "replaced": lambda world: world.ask("t2"),
    "suspended": lambda world: world.ask("t1", **{"airflowtenants.io/suspend": "true"}),
    "hibernated": lambda world: world.ask("t1", **{"airflowtenants.io/state": "Hibernated"}),
    "wrong": lambda world: world.ask("t1", **{"airflowtenants.io/suspend": "perhaps"}),
    "deleted": lambda world: world.state.raw["metadata"].update(deletionTimestamp="2026-01-01T00:00:00Z"),
}


@pytest.mark.parametrize("turn", TURNS)
async def test_nobody_is_warned_of_a_request_that_turns_while_it_fails(turn: str) -> None:
    world = World()
    world.commands.trouble["scheduler"] = KubeError(0, "no answer")
    world.commands.during = lambda: TURNS[turn](world)
    assert await world.run() is None
    assert (world.kube.events, world.state.fetched, world.state.fetching) == ([], None, None)


async def test_a_request_that_fails_at_its_deadline_is_not_given_up_when_a_newer_one_has_come() -> None:
    world = World()
    world.kube.pods = []
    await world.run()
    world.clock.time += DEADLINE
    world.kube.pods, world.commands.trouble["scheduler"] = (
        [pod("scheduler", "main")],
        KubeError(0, "no answer"),
    )
    world.commands.during = lambda: world.ask("t2")
    assert await world.run() is None
    assert world.state.fetched is None
    world.commands.trouble.clear()
    assert world.flow.wanted(world.state)
    assert await world.run() is None
    assert world.state.fetched == "t2"


async def test_a_request_that_comes_while_git_sync_is_told_of_another_is_told_by_itself() -> None:
    """The fetch that the first one began may have asked Git before the second one came."""
    world = World()
    world.commands.during = lambda: world.ask("t2")
    await world.run()
    assert (world.state.fetched, len(world.commands.run_in)) == ("t1", 2)
    assert world.flow.wanted(world.state)
    await world.run()
    assert (world.state.fetched, len(world.commands.run_in)) == ("t2", 4)


async def test_a_request_that_is_taken_back_once_git_sync_is_told_has_been_carried_out() -> None:
    world = World()
    world.commands.during = lambda: world.ask("")
    assert await world.run() is None
    assert world.state.fetched == "t1"
    assert not world.flow.wanted(world.state)


async def test_a_request_that_is_taken_back_between_two_tries_is_neither_told_nor_answered() -> None:
    world = World()
    world.kube.pods = []
    assert await world.run() is not None
    world.ask("")
    world.kube.pods = [pod("scheduler", "main")]
    assert await world.run() is None
    assert (world.commands.run_in, world.state.fetched, world.state.fetching) == ([], None, None)
    world.ask("t1")
    world.clock.time += DEADLINE
    world.kube.pods = []
    assert await world.run() == 2.0, "asked again, it has its time"


async def test_a_source_that_is_renamed_between_two_tries_is_told_by_its_new_name() -> None:
    world = World()
    world.commands.trouble["scheduler"] = KubeError(0, "no answer")
    delay = await world.run()
    assert delay is not None
    world.commands.trouble.clear()
    world.clock.time += delay
    world.state.raw["spec"]["dags"] = {"sources": [{**MAIN, "name": "renamed"}]}
    world.kube.pods = [pod("old", "main"), pod("new", "renamed")]
    world.commands.run_in.clear()
    assert await world.run() is None
    assert world.commands.run_in == [("new", "git-sync-renamed")]
    assert world.kube.events[-1] == ("Normal", "DagSyncRequested", "git-sync of renamed fetches now")


async def test_a_tenant_of_the_same_name_inherits_no_deadline() -> None:
    world = World()
    world.kube.pods = []
    await world.run()
    world.clock.time += DEADLINE
    world.state = TenantState(raw=raw(dags={"sources": [MAIN]}), status=up())
    world.ask("t1")
    assert world.flow.wanted(world.state)
    assert await world.run() == 2.0
