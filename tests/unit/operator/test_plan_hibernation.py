from __future__ import annotations

import pytest
from tests.unit.operator.support import raw

from tenant_operator.api.status import Condition, TenantStatus
from tenant_operator.core.errors import ConditionType, InvalidSpec, NotReady, Reason
from tenant_operator.plan import hibernation
from tenant_operator.plan.intent import Intent
from tenant_operator.plan.outcome import ASIDE, GATES, Finding, Findings, events, status
from tenant_operator.plan.release import Stage
from tenant_operator.plan.tenant import parse
from tenant_operator.plan.values import Defaults, build

SPEC, ANNOTATION = "spec.state", "metadata.annotations[airflowtenants.io/state]"


def resting(by: str = SPEC, state: str = "Hibernated") -> Findings:
    """What a pass finds that ended with nothing left to run."""
    asked = Intent(hibernated_by=by)
    findings = Findings(intent=asked, state=state, asleep=hibernation.asleep(asked))
    open_ = {gate: Finding.true("fine") for gate in (ConditionType.NAMESPACE, ConditionType.SECRETS)}
    findings.gates = {**open_, **hibernation.gates()}
    return findings


def after(findings: Findings, before: TenantStatus | None = None, **more: object) -> TenantStatus:
    return status(findings, before or TenantStatus(), generation=2, namespace="ns", now=1.0, **more)  # type: ignore[arg-type]


def ready(of: TenantStatus) -> Condition:
    found = of.condition("Ready")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("by", "remedy"),
    [
        (
            SPEC,
            "hibernated by spec.state: nothing of it runs, all data is kept; set it to Running to wake it",
        ),
        (ANNOTATION, "remove the annotation, or set it to Running, to wake it"),
    ],
)
def test_at_rest_is_ready_and_says_who_asked_and_how_to_wake(by: str, remedy: str) -> None:
    made = after(resting(by))
    assert made.state == "Hibernated"
    assert (ready(made).status, ready(made).reason) == ("True", "Hibernated")
    assert ready(made).message.startswith(f"hibernated by {by}")
    assert ready(made).message.endswith(remedy)
    assert {condition.type for condition in made.conditions} == {"Ready", *GATES, *ASIDE}
    assert (made.condition("ObjectsSynced") or ready(made)).reason == "Hibernated"


def test_what_was_wrong_before_is_not_told_of_a_tenant_at_rest() -> None:
    """A condition that nobody looks at any more must not stay False for the whole holidays."""
    failing = Condition(type="DagsSynced", status="False", reason="GitSyncFailed", message="no such branch")
    told = after(resting(), TenantStatus(conditions=[failing])).condition("DagsSynced")
    assert told is not None
    assert (told.status, told.reason) == ("Unknown", "Hibernated")


def test_on_the_way_to_sleep_ready_is_unknown_and_never_false() -> None:
    findings = resting(state="Hibernating")
    findings.asleep = None
    left = NotReady("going to sleep", condition=ConditionType.READY, reason=Reason.HIBERNATING)
    made = after(findings, error=left)
    assert (ready(made).status, ready(made).reason) == ("Unknown", "Hibernating")
    reconciling = made.condition("Reconciling")
    assert reconciling is not None
    assert reconciling.status == "True"
    assert made.condition("Stalled") is None
    assert [event.type for event in events(TenantStatus(), made)] == ["Normal"]


def test_a_mistake_in_the_spec_is_told_asleep_and_the_state_stays() -> None:
    asleep = after(resting())
    made = after(Findings(), asleep, error=InvalidSpec("spec.pools[0].slots: too few"))
    assert (ready(made).status, ready(made).reason) == ("False", "InvalidSpec")
    assert made.condition("Stalled") is not None
    assert made.state == "Hibernated"


def test_suspended_wins_and_nothing_of_the_rest_is_told_anew() -> None:
    asleep = after(resting())
    made = after(Findings(intent=Intent(suspended_by="spec.suspend", hibernated_by=SPEC)), asleep)
    assert (ready(made).reason, made.state) == ("Suspended", "Hibernated")


def test_awake_nothing_of_the_rest_is_told() -> None:
    asleep = after(resting())
    forgotten = hibernation.forgotten(asleep)
    made = after(Findings(state="Waking", gates=dict(forgotten)), asleep)
    assert "Hibernated" not in {condition.reason for condition in made.conditions}
    assert (ready(made).status, made.state) == ("False", "Waking")
    assert made.condition("Reconciling") is not None
    assert hibernation.forgotten(made) == {}, "what is known of an awake tenant is kept"


def test_the_database_goes_last_and_only_what_is_not_stopped_yet_may_stay() -> None:
    assert hibernation.DOWN == (Stage.WALL, Stage.COMPONENTS, Stage.MIGRATE, Stage.DATABASE)
    assert set(hibernation.DOWN) == set(Stage) - {Stage.MONITORING}
    assert [len(hibernation.STAYING[stage]) for stage in hibernation.DOWN[1:]] == [2, 1, 0]


def test_a_rest_is_told_that_is_over_or_begins() -> None:
    asleep = after(resting())
    assert [(event.type, event.reason) for event in events(TenantStatus(), asleep)] == [
        ("Normal", "Hibernated")
    ]
    assert events(asleep, after(resting(), asleep)) == []


@pytest.mark.parametrize(
    ("spec", "annotation", "hibernated"),
    [
        ("Running", None, False),
        ("Hibernated", None, True),
        ("Running", "Hibernated", True),
        ("Hibernated", "Running", False),
    ],
)
def test_the_chart_is_told_to_rest(spec: str, annotation: str | None, hibernated: bool) -> None:
    made = raw(state=spec)
    if annotation is not None:
        made["metadata"]["annotations"] = {"airflowtenants.io/state": annotation}
    assert build(parse(made), {}, Defaults()).get("hibernated", False) is hibernated
