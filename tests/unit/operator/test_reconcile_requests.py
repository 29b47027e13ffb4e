"""A request for everything now: which loops have a part in it, and when it is handled."""

from __future__ import annotations

import pytest
from tests.unit.operator.support import raw

from tenant_operator.api.status import TenantStatus
from tenant_operator.core.errors import (
    ApplyError,
    InvalidSpec,
    KubeError,
    NotReady,
    Reason,
    TenantError,
    unavailable,
)
from tenant_operator.core.kinds import ObjectId
from tenant_operator.reconcile import requests
from tenant_operator.reconcile.requests import AIRFLOW, HEALTH, TENANT
from tenant_operator.reconcile.state import Kept, TenantState

ASKED = "airflowtenants.io/reconcile-requested-at"
CONFIG = ObjectId("ConfigMap", "ns", "c")


def state(value: str = "t1", *, serving: bool = True, **annotations: str) -> TenantState:
    tenant = raw()
    tenant["metadata"]["annotations"] = {
        ASKED: value, **{f"airflowtenants.io/{key}": text for key, text in annotations.items()}
    }  # fmt: skip
    made = TenantState(raw=tenant, status=TenantStatus(), serving=serving, full=False, bootstrapped="b")
    made.release, made.applied = Kept("d", (), b""), {CONFIG: ("digest", "7")}
    return made


def test_a_pass_for_a_request_begins_as_if_the_operator_had_just_started() -> None:
    asked = state()
    requests.begin(asked)
    assert (asked.full, asked.release, asked.bootstrapped) == (True, None, "")
    assert asked.applied == {CONFIG: ("digest", "")}, "known, so that a difference counts as drift"


def test_the_second_pass_of_the_same_request_does_not_begin_anew() -> None:
    asked = state()
    requests.carried(asked, TENANT, "t1")
    requests.begin(asked)
    assert (asked.full, asked.bootstrapped) == (False, "b")
    assert asked.release is not None


def test_a_request_that_waits_for_pods_begins_once_however_many_passes_it_takes() -> None:
    """Waking takes dozens of passes: each would render and apply everything again."""
    asked = state()
    requests.begin(asked)
    asked.full, asked.release, asked.bootstrapped = False, Kept("d", (), b""), "b"
    requests.begin(asked)
    assert (asked.full, asked.bootstrapped) == (False, "b")
    asked.raw["metadata"]["annotations"][ASKED] = "t2"
    requests.begin(asked)
    assert asked.full, "another request is another pass"


@pytest.mark.parametrize(
    ("error", "answers"),
    [
        (None, True),
        (InvalidSpec("wrong"), True),
        (ApplyError("refused"), True),
        (NotReady("it crashes", reason=Reason.CRASH_LOOPING), True),
        (NotReady("failed", reason=Reason.MIGRATION_FAILED, stalled=True), True),
        (NotReady("waiting for scheduler"), False),
        (NotReady("waking", reason=Reason.DATABASE_STARTING), False),
        (NotReady("it migrates", reason=Reason.MIGRATION_RUNNING), False),
        (NotReady("going to sleep", reason=Reason.HIBERNATING), False),
        (NotReady("a new binding", reason=Reason.PENDING), False),
        (unavailable(KubeError(0, "no answer")), False),
    ],
)
def test_a_pass_answers_when_it_came_to_its_end_or_something_is_wrong(
    error: TenantError | None, answers: bool
) -> None:
    assert requests.answers(error) is answers


@pytest.mark.parametrize("nothing", [state(""), state(suspend="true"), state("x" * 300)])
def test_without_a_request_that_is_to_be_carried_out_a_pass_spares_what_it_can(nothing: TenantState) -> None:
    requests.begin(nothing)
    assert not nothing.full
    assert requests.handled(nothing) is None
    assert not requests.outstanding(nothing, AIRFLOW)


def test_a_request_is_handled_when_all_three_loops_have_done_their_part() -> None:
    asked = state()
    for done, loop in enumerate((TENANT, AIRFLOW, HEALTH)):
        assert requests.outstanding(asked, loop)
        assert requests.handled(asked) is None, done
        requests.carried(asked, loop, "t1")
        assert not requests.outstanding(asked, loop)
    assert requests.handled(asked) == "t1"
    asked.status = TenantStatus(last_handled_reconcile_at="t1")
    assert (requests.asked(asked), requests.handled(asked)) == ("", None)


@pytest.mark.parametrize("missing", [TENANT, AIRFLOW, HEALTH])
def test_no_loop_can_do_the_part_of_another(missing: str) -> None:
    asked = state()
    for loop in {TENANT, AIRFLOW, HEALTH} - {missing}:
        requests.carried(asked, loop, "t1")
    assert requests.handled(asked) is None
    requests.carried(asked, missing, "t1")
    assert requests.handled(asked) == "t1"


def test_the_part_of_an_earlier_request_does_not_count() -> None:
    asked = state("t2")
    for loop in (TENANT, AIRFLOW, HEALTH):
        requests.carried(asked, loop, "t1")
    assert requests.handled(asked) is None
    requests.begin(asked)
    assert asked.full


def test_an_airflow_that_is_not_up_has_no_part() -> None:
    asked = state(serving=False)
    requests.carried(asked, TENANT, "t1")
    assert requests.handled(asked) == "t1"


def test_an_airflow_at_rest_has_no_part() -> None:
    asked = state(state="Hibernated")
    requests.carried(asked, TENANT, "t1")
    assert requests.handled(asked) == "t1"


def test_a_suspended_tenant_keeps_its_request_until_it_is_resumed() -> None:
    asked = state(suspend="true")
    for loop in (TENANT, AIRFLOW, HEALTH):
        requests.carried(asked, loop, requests.asked(asked))
    assert requests.handled(asked) is None
    asked.raw["metadata"]["annotations"].pop("airflowtenants.io/suspend")
    assert requests.asked(asked) == "t1"
    assert all(requests.outstanding(asked, loop) for loop in (TENANT, AIRFLOW, HEALTH))
