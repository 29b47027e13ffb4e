"""The date of a run with and without a logical date."""

from __future__ import annotations

import datetime
from types import SimpleNamespace

from airflow_usecases.run_dates import run_day, run_moment

LOGICAL = datetime.datetime(2026, 3, 6, 23, tzinfo=datetime.UTC)
AFTER = datetime.datetime(2026, 3, 7, 1, tzinfo=datetime.UTC)


def test_the_logical_date_wins():
    run = SimpleNamespace(logical_date=LOGICAL, run_after=AFTER)
    assert (run_moment(run), run_day(run)) == (LOGICAL, "2026-03-06")


def test_without_one_it_is_the_moment_from_which_the_run_may_run():
    run = SimpleNamespace(logical_date=None, run_after=AFTER)
    assert (run_moment(run), run_day(run)) == (AFTER, "2026-03-07")
