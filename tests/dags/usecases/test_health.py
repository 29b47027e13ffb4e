"""What counts as healthy."""

from __future__ import annotations

import pytest

from airflow_usecases.health import (
    UnhealthyError,
    check,
    check_until_healthy,
    judge_airflow,
    judge_queue,
    unhealthy,
)


def airflow(**statuses):
    """A body of /api/v2/monitor/health."""
    return {name: {"status": status} for name, status in statuses.items()}


ALL_WELL = {
    "metadatabase": "healthy",
    "scheduler": "healthy",
    "triggerer": "healthy",
    "dag_processor": "healthy",
}


def test_a_probe_that_answers_is_healthy():
    assert check("api", lambda: "ok") == {"component": "api", "healthy": True, "detail": "ok"}


def test_a_probe_that_raises_is_unhealthy_and_says_why():
    def probe():
        raise ConnectionError("refused " * 100)

    found = check("api", probe)
    assert (found["component"], found["healthy"]) == ("api", False)
    assert found["detail"].startswith("ConnectionError: refused")
    assert len(found["detail"]) == 200


@pytest.mark.parametrize(("works_at", "asked", "healthy"), [(1, 1, True), (3, 3, True), (4, 3, False)])
def test_it_is_asked_again_until_it_is_well_or_the_attempts_are_used_up(works_at, asked, healthy):
    calls, pauses = [], []

    def probe():
        calls.append(1)
        if len(calls) < works_at:
            raise UnhealthyError("starting")
        return "ok"

    found = check_until_healthy("api", probe, attempts=3, pause=7, sleep=pauses.append)
    assert (len(calls), found["healthy"]) == (asked, healthy)
    assert pauses == [7] * (asked - 1)


@pytest.mark.parametrize("missing", ["triggerer", "dag_processor"])
def test_airflow_without_an_optional_component_is_healthy(missing):
    judge_airflow(airflow(**ALL_WELL))
    judge_airflow(airflow(**ALL_WELL | {missing: None}))


@pytest.mark.parametrize("name", ALL_WELL)
def test_airflow_with_an_unhealthy_component_is_not(name):
    with pytest.raises(UnhealthyError, match=f"^down: {name}$"):
        judge_airflow(airflow(**ALL_WELL | {name: "unhealthy"}))


@pytest.mark.parametrize("name", ["metadatabase", "scheduler"])
def test_airflow_without_database_or_scheduler_is_not_healthy(name):
    with pytest.raises(UnhealthyError, match=f"down: {name}"):
        judge_airflow(airflow(**ALL_WELL | {name: None}))
    with pytest.raises(UnhealthyError, match="down: metadatabase, scheduler"):
        judge_airflow({})


def test_a_queue_with_alarms_is_not_healthy():
    assert judge_queue({"status": "ok"}) == "no alarms"
    with pytest.raises(UnhealthyError, match="disk"):
        judge_queue({"status": "failed", "reason": "disk alarm on node 1"})


def test_the_unhealthy_ones_are_listed_in_order():
    found = [{"component": name, "healthy": name == "b", "detail": ""} for name in "cba"]
    assert unhealthy(found) == ["c", "a"]
