"""Which DAGs count as unused."""

from __future__ import annotations

import datetime

import pytest
import requests
from tests.dags.services.airflow_stub import USER, AirflowStub

from airflow_usecases.airflow_rest import AirflowRest
from airflow_usecases.idle_dags import Activity, Protection, active_dags, find_idle, pause

NOW = datetime.datetime(2026, 3, 6, 12, tzinfo=datetime.UTC)


def dag(dag_id: str, last_run: float | None, first_seen: float = 400, tags: frozenset[str] = frozenset()):
    def ago(days: float) -> datetime.datetime:
        return NOW - datetime.timedelta(days=days)

    return Activity(dag_id, tags, None if last_run is None else ago(last_run), ago(first_seen))


def idle(*dags: Activity, days: int = 90, protection: Protection | None = None) -> list[tuple[str, int]]:
    found = find_idle(dags, NOW, days, protection or Protection())
    return [(one["dag_id"], one["idle_days"]) for one in found]


def test_full_days_count_and_the_limit_itself_is_unused():
    assert idle(dag("a", 89.99), dag("b", 90), dag("c", 90.9)) == [("b", 90), ("c", 90)]


def test_a_dag_that_never_ran_counts_from_its_first_version():
    assert idle(dag("new", None, 89), dag("old", None, 91)) == [("old", 91)]


def test_a_run_that_is_planned_for_later_is_use():
    assert idle(dag("a", -5)) == []


def test_tags_and_names_protect():
    dags = dag("a", 100, tags=frozenset({"x", "critical"})), dag("b", 100), dag("c", 100)
    protection = Protection(tags=["critical"], dag_ids=["b"])
    assert idle(*dags, protection=protection) == [("c", 100)]


def test_the_longest_unused_comes_first_and_equals_by_name():
    assert [name for name, _ in idle(dag("b", 95), dag("z", 120), dag("a", 95))] == ["z", "a", "b"]


def test_less_than_a_day_is_no_limit():
    with pytest.raises(ValueError, match="1 or more"):
        find_idle([], NOW, 0, Protection())


@pytest.fixture
def stub(httpserver):
    return AirflowStub(httpserver)


@pytest.fixture
def airflow(stub, httpserver):
    return AirflowRest.login(httpserver.url_for("").rstrip("/"), requests.Session(), *USER.values())


def test_what_is_known_of_a_dag_is_its_last_run_and_its_first_version(stub, airflow):
    stub.lists["/api/v2/dags"] = ("dags", [{"dag_id": "shop", "tags": [{"name": "etl"}]}])
    stub.lists["/api/v2/dags/shop/dagRuns"] = ("dag_runs", [{"run_after": "2026-03-05T12:00:00Z"}])
    versions = [{"created_at": "2026-01-01T00:00:00Z"}]
    stub.lists["/api/v2/dags/shop/dagVersions"] = ("dag_versions", versions)
    assert list(active_dags(airflow)) == [
        Activity(
            "shop",
            frozenset({"etl"}),
            datetime.datetime(2026, 3, 5, 12, tzinfo=datetime.UTC),
            datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        )
    ]
    assert stub.queries["/api/v2/dags"]["paused"] == "false"
    assert stub.queries["/api/v2/dags/shop/dagRuns"] == {"limit": "1", "order_by": "-run_after"}
    assert stub.queries["/api/v2/dags/shop/dagVersions"] == {"limit": "1", "order_by": "version_number"}


def test_pausing_changes_nothing_but_the_pause(stub, airflow):
    pause(airflow, "shop")
    assert stub.changes == [("/api/v2/dags/shop", {"is_paused": True})]
