from __future__ import annotations

from typing import Any

import pytest

from tenant_operator.api.status import (
    DagSourceStatus,
    ObjectCounts,
    ObjectsStatus,
    Owned,
    Release,
    TenantStatus,
)
from tenant_operator.core.errors import ConditionType, InvalidSpec, NotReady, Reason, TenantError
from tenant_operator.plan.intent import Intent
from tenant_operator.plan.outcome import ASIDE, GATES, PROGRESS, Finding, Findings, events, status

COMMIT = "0123456789"
NOW = 1_700_000_000.0
STAMP = "2023-11-14T22:13:20Z"
LATER = "2023-11-14T22:14:20Z"


def all_open(**more: Any) -> Findings:
    return Findings(gates={gate: Finding.true("fine") for gate in GATES}, **more)


def made(findings: Findings, before: TenantStatus | None = None, **more: Any) -> TenantStatus:
    values = {"generation": 2, "namespace": "ns", "now": NOW} | more
    return status(findings, before or TenantStatus(), **values)


def shown(of: TenantStatus, *types: str) -> dict[str, tuple[str, str]]:
    return {c.type: (c.status, c.reason) for c in of.conditions if not types or c.type in types}


def test_a_source_is_told_as_held_also_while_airflow_is_not_asked() -> None:
    before = TenantStatus(dags=[DagSourceStatus(name="main", commit=COMMIT, previous_commit="b")])
    held = made(all_open(held={"main": "c"}), before).dags[0]
    assert (held.held, held.held_commit, held.commit, held.previous_commit) == (True, "c", COMMIT, "b")
    after = made(all_open(), TenantStatus(dags=[held])).dags[0]
    assert after.held, "a pass that did not read the annotation knows nothing of it"
    let_go = made(all_open(held={}), TenantStatus(dags=[held])).dags[0]
    assert (let_go.held, let_go.held_commit) == (False, "")


def test_what_was_asked_for_is_answered_and_the_answer_kept() -> None:
    told = made(all_open(handled_reconcile="r1", handled_dag_sync="d1"))
    assert (told.last_handled_reconcile_at, told.last_handled_dag_sync_at) == ("r1", "d1")
    after = made(all_open(), told)
    assert (after.last_handled_reconcile_at, after.last_handled_dag_sync_at) == ("r1", "d1")
    newer = made(all_open(handled_dag_sync="d2"), told)
    assert (newer.last_handled_reconcile_at, newer.last_handled_dag_sync_at) == ("r1", "d2")


def test_all_gates_open_is_ready() -> None:
    release = Release(airflow_version="3.3.2")
    dags = [DagSourceStatus(name="main", commit="0123456789", dag_count=3)]
    after = made(all_open(release=release, dags=dags))
    ready = after.condition("Ready")
    assert ready is not None
    assert (ready.status, ready.reason) == ("True", "Succeeded")
    assert ready.message == "Airflow 3.3.2 is up, 3 DAGs from main@0123456"
    assert not {"Reconciling", "Stalled"} & shown(after).keys()
    assert shown(after).keys() == {"Ready", *GATES, *ASIDE}


def test_nothing_looked_at_is_unknown_and_on_its_way() -> None:
    after = made(Findings())
    assert shown(after) == {
        **{gate.value: ("Unknown", "Pending") for gate in (*GATES, *ASIDE)},
        "Ready": ("False", "Pending"),
        "Reconciling": ("True", "Pending"),
    }


@pytest.mark.parametrize("gate", [gate for gate in GATES if gate not in {"DagsSynced", "ComponentsHealthy"}])
@pytest.mark.parametrize("finding", ["unknown", "false"])
def test_ready_speaks_for_the_first_gate_that_is_closed(gate: ConditionType, finding: str) -> None:
    findings = all_open()
    for later in GATES[GATES.index(gate) :]:
        findings.gates[later] = (
            Finding.unknown(f"about {later}")
            if finding == "unknown"
            else Finding.false(Reason.CRASH_LOOPING, f"about {later}")
        )
    ready = made(findings).condition("Ready")
    assert ready is not None
    assert ready.status == "False"
    assert ready.message == f"about {gate}"


def test_dags_that_nobody_has_parsed_yet_do_not_keep_a_tenant_from_being_ready() -> None:
    findings = all_open()
    findings.gates[ConditionType.DAGS] = Finding.unknown("parsing", Reason.DAGS_PENDING)
    assert shown(made(findings), "Ready")["Ready"][0] == "True"
    findings.gates[ConditionType.DAGS] = Finding.false(Reason.GIT_SYNC_FAILED, "git")
    assert shown(made(findings), "Ready")["Ready"] == ("False", "GitSyncFailed")


@pytest.mark.covers("G-16")
def test_a_component_that_is_unhealthy_closes_ready_and_one_that_nobody_has_asked_does_not() -> None:
    findings = all_open()
    findings.gates[ConditionType.HEALTH] = Finding.unknown("not asked")
    assert shown(made(findings), "Ready")["Ready"][0] == "True"
    findings.gates[ConditionType.HEALTH] = Finding.false(Reason.COMPONENT_UNHEALTHY, "scheduler: silent")
    after = made(findings)
    assert shown(after, "Ready", "Reconciling", "Stalled") == {"Ready": ("False", "ComponentUnhealthy")}
    ready = after.condition("Ready")
    assert ready is not None
    assert ready.message == "scheduler: silent"


ERRORS: list[tuple[TenantError, dict[str, tuple[str, str]]]] = [
    (
        NotReady("waiting", condition=ConditionType.DATABASE, reason=Reason.DATABASE_STARTING),
        {"Ready": ("False", "DatabaseStarting"), "Reconciling": ("True", "DatabaseStarting")},
    ),
    (
        NotReady("crash", reason=Reason.CRASH_LOOPING),
        {"Ready": ("False", "CrashLooping")},
    ),
    (
        NotReady("failed", condition=ConditionType.MIGRATIONS, reason=Reason.MIGRATION_FAILED, stalled=True),
        {"Ready": ("False", "MigrationFailed"), "Stalled": ("True", "MigrationFailed")},
    ),
    (
        InvalidSpec("wrong"),
        {"Ready": ("False", "InvalidSpec"), "Stalled": ("True", "InvalidSpec")},
    ),
]


@pytest.mark.parametrize(("error", "wanted"), ERRORS, ids=str)
def test_an_error_closes_ready_and_says_whether_it_is_progress_or_stuck(
    error: TenantError, wanted: dict[str, tuple[str, str]]
) -> None:
    findings = all_open()
    findings.fail(error)
    after = made(findings, error=error)
    assert shown(after, "Ready", "Reconciling", "Stalled") == wanted
    if error.condition in GATES:
        assert shown(after)[error.condition] == ("False", error.reason.value)


@pytest.mark.parametrize("reason", sorted(Reason))
def test_reconciling_is_there_exactly_for_reasons_that_mean_progress(reason: Reason) -> None:
    findings = all_open()
    error = NotReady("x", reason=reason)
    findings.fail(error)
    assert ("Reconciling" in shown(made(findings, error=error))) == (reason in PROGRESS)


def test_gates_that_a_pass_did_not_come_to_keep_what_they_said_and_of_what() -> None:
    before = made(all_open(), generation=1)
    error = NotReady("x", condition=ConditionType.SECRETS, reason=Reason.SECRET_MISSING)
    findings = Findings(gates={ConditionType.NAMESPACE: Finding.true("fine")})
    findings.fail(error)
    after = made(findings, before, generation=2, error=error, now=NOW + 60)
    kept = after.condition("ReleaseReady")
    assert kept is not None
    assert (kept.status, kept.observed_generation, kept.last_transition_time) == ("True", 1, STAMP)
    for fresh in ("NamespaceReady", "SecretsResolved", "Ready"):
        found = after.condition(fresh)
        assert found is not None
        assert found.observed_generation == 2
    assert after.observed_generation == 2


@pytest.mark.parametrize(
    ("finding", "moved"),
    [
        (Finding.true("fine"), False),
        (Finding.true("finer"), True),
        (Finding.true("fine", Reason.DAG_IMPORT_ERRORS), True),
        (Finding.unknown("fine", Reason.SUCCEEDED), True),
    ],
)
def test_the_transition_time_moves_with_status_reason_or_message_only(finding: Finding, moved: bool) -> None:
    before = made(all_open())
    findings = all_open()
    findings.gates[ConditionType.DATABASE] = finding
    after = made(findings, before, generation=9, now=NOW + 60).condition("DatabaseReady")
    assert after is not None
    assert after.last_transition_time == (LATER if moved else STAMP)
    assert after.observed_generation == 9


def test_a_pass_that_finds_the_same_makes_the_same_status() -> None:
    before = made(all_open())
    assert made(all_open(), before, now=NOW + 60) == before


def test_a_long_message_is_cut_and_then_stays() -> None:
    findings = all_open()
    findings.gates[ConditionType.DATABASE] = Finding.true("x" * 5000)
    before = made(findings)
    found = before.condition("DatabaseReady")
    assert found is not None
    assert len(found.message) == 1024
    assert made(findings, before, now=NOW + 60) == before


@pytest.mark.parametrize("was", ["True", "False", "Unknown"])
def test_suspended_keeps_the_last_known_ready_and_shows_neither_reconciling_nor_stalled(was: str) -> None:
    before = made(all_open())
    ready = before.condition("Ready")
    assert ready is not None
    ready_before = ready.model_copy(update={"status": was})
    before = before.model_copy(update={"conditions": [ready_before]})
    after = made(Findings(intent=Intent(suspended_by="spec.suspend")), before)
    assert shown(after, "Ready", "Reconciling", "Stalled") == {"Ready": (was, "Suspended")}
    assert [(e.type, e.reason) for e in events(before, after)] == [("Normal", "Suspended")]


@pytest.mark.parametrize(
    ("by", "remedy"),
    [
        ("spec.suspend", "set it to false to resume"),
        ("metadata.annotations[airflowtenants.io/suspend]", "remove the annotation to resume"),
    ],
)
def test_suspended_says_how_to_resume(by: str, remedy: str) -> None:
    ready = made(Findings(intent=Intent(suspended_by=by))).condition("Ready")
    assert ready is not None
    assert ready.message.startswith(f"suspended by {by}: ")
    assert ready.message.endswith(f"; {remedy}")


OVERRULED = "spec.suspend: true is overruled by an annotation: remove it"


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({}, None),
        ({"asleep": Finding.true("hibernated", Reason.HIBERNATED)}, None),
        ({}, NotReady("words" * 1000)),
        ({"suspended_by": "spec.suspend"}, None),
    ],
    ids=["ready", "asleep", "not ready, in many words", "suspended"],
)
def test_what_an_annotation_overrules_is_told_by_ready_whatever_else_it_says(
    more: dict[str, Any], error: TenantError | None
) -> None:
    by = {"suspended_by": more.pop("suspended_by", "")}
    told = made(all_open(intent=Intent(overruled=(OVERRULED,), **by), **more), error=error)
    ready = told.condition("Ready")
    assert ready is not None
    assert ready.message.endswith(f"; {OVERRULED}")
    assert len(ready.message) <= 1024
    without = made(all_open(), told).condition("Ready")
    assert without is not None
    assert OVERRULED not in without.message, "not longer than it is there"


def test_a_hold_of_an_unknown_source_is_one_event() -> None:
    words = "metadata.annotations[x] holds nothing for 'lost'"
    before = made(all_open())
    after = made(all_open(intent=Intent(ignored=words)), before)
    assert [(e.type, e.reason, e.message) for e in events(before, after, words)] == [
        ("Warning", "DagHoldIgnored", words)
    ]
    assert events(after, made(all_open(intent=Intent(ignored=words)), after), words) == []
    assert events(after, before) == []


def test_what_a_pass_did_not_find_out_keeps_its_value() -> None:
    before = made(
        all_open(
            url="http://x",
            release=Release(name="r", revision=3),
            dags=[DagSourceStatus(name="main")],
            objects=ObjectsStatus(pools=ObjectCounts(desired=1)),
            owned=Owned(pools=["a"]),
            drift="pool a",
            inventory=["a_b__C"],
        )
    )
    after = made(Findings(), before)
    for field in ("url", "release", "dags", "objects", "owned", "inventory", "namespace"):
        assert getattr(after, field) == getattr(before, field), field
    assert after.drift == "", "drift is what the last look found"


def test_found_nothing_is_something_else_than_not_looked() -> None:
    before = made(all_open(dags=[DagSourceStatus(name="main")], inventory=["a_b__C"]))
    after = made(all_open(dags=[], inventory=[]), before)
    assert (after.dags, after.inventory) == ([], [])


def test_a_reason_of_another_version_is_kept_as_pending() -> None:
    before = made(all_open())
    strange = [c.model_copy(update={"reason": "FromTheFuture"}) for c in before.conditions]
    after = made(Findings(), before.model_copy(update={"conditions": strange}))
    assert shown(after)["DatabaseReady"] == ("True", "Pending")


def test_conditions_come_in_a_stable_order() -> None:
    types = [condition.type for condition in made(Findings()).conditions]
    assert types == sorted(types)


def failed(reason: Reason) -> TenantStatus:
    error = NotReady("words", reason=reason)
    findings = all_open()
    findings.fail(error)
    return made(findings, error=error)


def test_events_tell_each_turn_once() -> None:
    ready, crash, starting = (
        made(all_open()),
        failed(Reason.CRASH_LOOPING),
        failed(Reason.COMPONENTS_STARTING),
    )
    new = TenantStatus()
    assert [(e.type, e.reason) for e in events(new, ready)] == [("Normal", "Ready")]
    assert [(e.type, e.reason, e.message) for e in events(ready, crash)] == [
        ("Warning", "CrashLooping", "words")
    ]
    assert [(e.type, e.reason) for e in events(ready, starting)] == [("Normal", "ComponentsStarting")]
    assert [(e.type, e.reason) for e in events(crash, ready)] == [("Normal", "Ready")]
    assert events(crash, crash) == []
    assert events(new, made(Findings())) == [], "not looked at yet is no news"


def test_a_message_that_changes_is_no_turn() -> None:
    one, two = (
        made(all_open(release=Release(airflow_version="1"))),
        made(all_open(release=Release(airflow_version="2"))),
    )
    assert one != two
    assert events(one, two) == []
