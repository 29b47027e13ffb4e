"""Which DAGs count as unused."""

from __future__ import annotations

import datetime

import pytest

from airflow_usecases.idle_dags import Activity, Protection, find_idle

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
