"""Which days a scheduled run reports on, and what the schedules of the scheduling DAG mean."""

from __future__ import annotations

import datetime
from typing import TypedDict

_SATURDAY = 5


class Window(TypedDict):
    """Days as ISO dates, both included."""

    first_day: str
    last_day: str
    days: int


def days_since_last_run(run_day: datetime.date) -> Window:
    """The days that a run on the morning of a working day has to report on.

    The days since the working day before, that one included and `run_day` excluded: on Mondays Friday to
    Sunday, on other working days yesterday. A run by hand at a weekend reports on Friday and what followed.
    """
    previous = run_day - datetime.timedelta(days=1)
    while previous.weekday() >= _SATURDAY:
        previous -= datetime.timedelta(days=1)
    last = run_day - datetime.timedelta(days=1)
    return {
        "first_day": previous.isoformat(),
        "last_day": last.isoformat(),
        "days": (last - previous).days + 1,
    }
