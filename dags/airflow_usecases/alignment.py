"""Which run of another DAG belongs to a run of this one, when the two keep different clocks.

`ExternalTaskSensor` looks for an upstream run with an exact logical date. A fixed distance suffices while
both schedules keep UTC; a schedule in local time moves by an hour twice a year, and one that pauses on
weekends has no fixed distance at all. Then the date must be computed.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

FRANKFURT = ZoneInfo("Europe/Berlin")
FIXING = time(16, 0)  # the rates are fixed at 16:00 in Frankfurt, Monday to Friday
LEDGER_LEAD = timedelta(hours=4)  # the ledger closes at 02:00 UTC, the report starts at 06:00 UTC
_SATURDAY = 5


def latest_fixing(logical_date: datetime, **_: Any) -> datetime:
    """The last fixing at or before `logical_date`, in UTC: an `execution_date_fn`.

    The sensor passes the logical date and, by name, the rest of the context, which is not needed here.
    Raises ValueError for a date without a time zone.
    """
    if logical_date.tzinfo is None:
        raise ValueError(f"{logical_date.isoformat()} has no time zone")
    local = logical_date.astimezone(FRANKFURT)
    day = local.date()
    while day.weekday() >= _SATURDAY or datetime.combine(day, FIXING, FRANKFURT) > local:
        day -= timedelta(days=1)
    return datetime.combine(day, FIXING, FRANKFURT).astimezone(UTC)


def report(day: str, entries: int, rates: int) -> dict[str, Any]:
    """The morning report's metadata. Raises ValueError when either source is empty."""
    if entries < 1 or rates < 1:
        raise ValueError(f"nothing to report on {day}: {entries} entries, {rates} rates")
    return {"day": day, "entries": entries, "rates": rates}
