from __future__ import annotations

import pytest

from tenant_operator.api.status import Condition
from tenant_operator.core.airflow_types import Health
from tenant_operator.core.errors import Reason
from tenant_operator.plan.health import HealthView, judge

BEATS = {"scheduler": 1795273200.0, "dag-processor": 1795273200.0, "triggerer": 1795273200.0}
WELL = Health("healthy", "healthy", "healthy", "healthy", BEATS)


def after(*answers: Health | None, told: Condition | None = None, up: bool = True) -> HealthView:
    """The view after some probes in a row."""
    view: HealthView | None = None
    for answer in answers:
        view = judge("payments", answer, view, told, up=up)
    assert view is not None
    return view


def shown(view: HealthView) -> tuple[str, Reason]:
    return view.finding.status, view.finding.reason


DEAD: list[tuple[str, Health, str]] = [
    (
        "a scheduler that died",
        Health("healthy", "unhealthy", "healthy", "healthy", BEATS),
        "scheduler: no heartbeat since 2026-11-21T15:00:00Z: read the log of Deployment payments-scheduler",
    ),
    (
        "a triggerer that never ran",
        Health("healthy", "healthy", "healthy", "", {"scheduler": 1.0}),
        "triggerer: has never had a heartbeat: read the log of Deployment payments-triggerer",
    ),
    (
        "two at once",
        Health("healthy", "unhealthy", "unhealthy", "healthy", BEATS),
        "scheduler: no heartbeat since 2026-11-21T15:00:00Z: read the log of Deployment payments-scheduler; "
        "dag-processor: no heartbeat since 2026-11-21T15:00:00Z: read the log of Deployment "
        "payments-dag-processor",
    ),
    (
        "a database that is away, without which Airflow knows nothing of the others",
        Health("unhealthy", "unhealthy", "unhealthy", "unhealthy"),
        "metadatabase: Airflow cannot reach its database: read the log of StatefulSet payments-postgresql "
        "and of Deployment payments-api-server",
    ),
]


@pytest.mark.covers("G-16")
@pytest.mark.parametrize(("name", "health", "message"), DEAD, ids=[case[0] for case in DEAD])
def test_the_second_bad_answer_names_the_component(name: str, health: Health, message: str) -> None:
    first = after(WELL, health)
    assert first.finding.status == "True", "a busy scheduler is no dead one"
    second = judge("payments", health, first, None, up=True)
    assert shown(second) == ("False", Reason.COMPONENT_UNHEALTHY), name
    assert second.finding.message == message
    assert after(WELL, health, health, health).finding == second.finding, "nothing new, nothing to write"


@pytest.mark.covers("G-16")
def test_one_good_answer_is_enough() -> None:
    view = after(DEAD[0][1], DEAD[0][1], WELL)
    assert (shown(view), view.doubts) == (("True", Reason.SUCCEEDED), 0)
    assert shown(judge("payments", DEAD[0][1], view, None, up=True))[0] == "True", "and doubts begin anew"


def test_silence_says_nothing_against_the_components() -> None:
    assert shown(after(WELL, None))[0] == "True"
    assert shown(after(WELL, None, None)) == ("Unknown", Reason.AIRFLOW_UNAVAILABLE)


def test_components_that_are_just_being_replaced_are_not_called_dead() -> None:
    view = after(WELL, *[DEAD[0][1]] * 5, up=False)
    assert (shown(view)[0], view.doubts) == ("True", 0)
    assert shown(judge("payments", DEAD[0][1], view, None, up=True))[0] == "True", "nor right after"


TOLD: list[tuple[Condition | None, str]] = [
    (None, "Unknown"),
    (Condition(type="ComponentsHealthy", status="False", reason="ComponentUnhealthy", message="m"), "False"),
    (Condition(type="ComponentsHealthy", status="True", reason="Succeeded"), "True"),
    (Condition(type="ComponentsHealthy", status="True", reason="OfANewerOperator"), "Unknown"),
]


@pytest.mark.parametrize(("told", "status"), TOLD)
def test_after_a_restart_of_the_operator_the_first_bad_answer_changes_nothing(
    told: Condition | None, status: str
) -> None:
    assert after(DEAD[0][1], told=told).finding.status == status
    assert after(DEAD[0][1], DEAD[0][1], told=told).finding.status == "False"
