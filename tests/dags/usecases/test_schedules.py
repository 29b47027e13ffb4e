"""Which days a report covers."""

from __future__ import annotations

import datetime
import itertools

import pytest

from airflow_usecases.schedules import days_since_last_run


@pytest.mark.parametrize(
    ("run_day", "first_day", "last_day", "days"),
    [
        ("2026-03-03", "2026-03-02", "2026-03-02", 1),  # Tuesday: Monday
        ("2026-03-02", "2026-02-27", "2026-03-01", 3),  # Monday: Friday to Sunday, over the month's end
        ("2026-03-07", "2026-03-06", "2026-03-06", 1),  # Saturday, by hand: Friday
        ("2026-03-08", "2026-03-06", "2026-03-07", 2),  # Sunday, by hand: Friday and Saturday
    ],
)
def test_a_report_covers_the_days_since_the_last_working_morning(run_day, first_day, last_day, days):
    window = days_since_last_run(datetime.date.fromisoformat(run_day))
    assert window == {"first_day": first_day, "last_day": last_day, "days": days}


def test_the_runs_of_a_week_cover_each_day_once():
    monday = datetime.date(2026, 3, 2)
    windows = [days_since_last_run(monday + datetime.timedelta(days=day)) for day in range(5)]
    assert sum(window["days"] for window in windows) == 7
    for before, after in itertools.pairwise(windows):
        day_after = datetime.date.fromisoformat(before["last_day"]) + datetime.timedelta(days=1)
        assert after["first_day"] == day_after.isoformat()
