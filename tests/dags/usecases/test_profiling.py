"""Profiles, timed SQL and the report of slow ones."""

from __future__ import annotations

import logging
import pstats

import pytest

from airflow_usecases import profiling


def test_the_profile_is_written_also_when_the_call_fails(tmp_path):
    def broken() -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        profiling.profile_call(tmp_path / "deep" / "a.prof", broken)
    assert any(name == "broken" for _, _, name in pstats.Stats(str(tmp_path / "deep" / "a.prof")).stats)


def test_the_result_of_the_call_is_returned(tmp_path):
    result, profile = profiling.profile_call(tmp_path / "a.prof", lambda: 42)
    assert result == 42
    assert profile["seconds"] > 0


def test_statements_are_collected_only_inside_the_block():
    from sqlalchemy import create_engine, text

    engine = create_engine("sqlite://")
    with profiling.sql_echo(engine, logging.getLogger("x")) as seen, engine.connect() as connection:
        connection.execute(text("SELECT :secret"), {"secret": "s3cr3t"})
    with engine.connect() as connection:
        connection.execute(text("SELECT 2"))
    assert [one["sql"] for one in seen] == ["SELECT ?"]
    assert seen[0]["seconds"] >= 0


def test_slow_ones_are_those_at_or_above_the_limit_slowest_first():
    assert profiling.slow_ones({"a": 1.0, "b": 0.99, "c": 2.5}, 1.0) == [
        "c: 2.500 s (limit 1 s)",
        "a: 1.000 s (limit 1 s)",
    ]


def test_running_totals_sum_the_last_values():
    assert profiling.running_totals([1, 2, 3, 4], 2) == [1, 3, 5, 7]
