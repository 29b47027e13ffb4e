"""A profile as a file, SQL in the log, and a report of what was slow."""

from __future__ import annotations

import logging
import pstats
from pathlib import Path

import pytest
from tests.dags.runner import run

DAG_ID = "platform_profile_task"


@pytest.mark.covers("D000-14")
def test_the_profile_is_a_file_that_pstats_loads_and_the_xcom_is_its_path(tmp_path):
    done = run(DAG_ID, conf={"profile_folder": str(tmp_path), "rows": 2000})
    assert done.state == "success"
    profile = done.xcom("profile_aggregation")
    path = Path(profile["path"])
    assert path.parent.parent == tmp_path
    assert path.suffix == ".prof"
    functions = {name for _, _, name in pstats.Stats(str(path)).stats}
    assert "running_totals" in functions
    assert "<built-in method builtins.sum>" in profile["top"]


@pytest.mark.covers("D000-14")
def test_each_statement_is_in_the_log_with_its_time_and_without_its_parameters(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        done = run(DAG_ID, conf={"profile_folder": str(tmp_path), "rows": 10})
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("sql ")]
    assert len(lines) == done.xcom("log_sql")["statements"] == 3
    assert lines[1].endswith("s: INSERT INTO sales VALUES (?, ?)")
    assert lines[2].endswith("SELECT region, SUM(amount) FROM sales GROUP BY region")


@pytest.mark.covers("D000-14")
def test_what_is_above_the_limit_is_reported_with_the_slowest_first(tmp_path):
    done = run(DAG_ID, conf={"profile_folder": str(tmp_path), "rows": 5000, "slow_after_seconds": 0})
    slow = done.xcom("report_slow_tasks")
    measured = {
        "profile_aggregation": done.xcom("profile_aggregation")["seconds"],
        "log_sql": done.xcom("log_sql")["seconds"],
    }
    assert [line.split(":")[0] for line in slow] == sorted(measured, key=measured.get, reverse=True)
    (report,) = tmp_path.glob("*/slow.txt")
    assert report.read_text().splitlines() == slow


@pytest.mark.covers("D000-14")
def test_nothing_is_reported_below_the_limit(tmp_path):
    done = run(DAG_ID, conf={"profile_folder": str(tmp_path), "rows": 10, "slow_after_seconds": 3600})
    assert done.xcom("report_slow_tasks") == []
