"""Which fixing belongs to a morning."""

from __future__ import annotations

import datetime

import pytest

from airflow_usecases import alignment


def utc(*parts):
    return datetime.datetime(*parts, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("morning", "fixing"),
    [
        (utc(2026, 1, 14, 6), utc(2026, 1, 13, 15)),  # winter: 16:00 in Frankfurt is 15:00 UTC
        (utc(2026, 7, 15, 6), utc(2026, 7, 14, 14)),  # summer: 14:00 UTC
        (utc(2026, 1, 12, 6), utc(2026, 1, 9, 15)),  # Monday: Friday's
        (utc(2026, 1, 11, 6), utc(2026, 1, 9, 15)),  # Sunday
        (utc(2026, 3, 30, 6), utc(2026, 3, 27, 15)),  # the clocks changed between Friday and Monday
        (utc(2026, 1, 13, 15), utc(2026, 1, 13, 15)),  # at the fixing itself
        (utc(2026, 1, 13, 14, 59), utc(2026, 1, 12, 15)),  # just before it
    ],
)
def test_the_latest_fixing(morning, fixing):
    found = alignment.latest_fixing(morning, run_id="ignored")
    assert found == fixing
    assert found.utcoffset() == datetime.timedelta(0)


def test_a_date_without_time_zone_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        alignment.latest_fixing(utc(2026, 1, 1).replace(tzinfo=None))


def test_a_report_needs_both_sources():
    assert alignment.report("2026-01-01", 3, 2) == {"day": "2026-01-01", "entries": 3, "rates": 2}
    with pytest.raises(ValueError, match="0 rates"):
        alignment.report("2026-01-01", 3, 0)
