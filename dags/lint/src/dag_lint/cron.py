"""Cron expressions, as far as it takes to tell one that Airflow's parser (croniter) refuses."""

from __future__ import annotations

import re

PRESETS = {
    "@once", "@continuous", "@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly",
    "@annually", "@midnight",
}  # fmt: skip
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
# Name, lowest and highest value, words; the sixth field of croniter is the second.
_FIELDS: list[tuple[str, int, int, list[str]]] = [
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day of the month", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
    ("second", 0, 59, []),
]
_ITEM = re.compile(r"(?:\*|([0-9]+|[a-z]{3,})(?:-([0-9]+|[a-z]{3,}))?)(?:/([0-9]+))?")


def problem(text: str) -> str:
    """Why Airflow refuses this schedule, or an empty text.

    Only what is certain: number of fields, values out of range, words that are no names, a step of 0. What
    only some parsers know (`L`, `#`, `?`, `H`, a seventh field for the year) is not judged.
    """
    fields = text.lower().split()
    if text.lower().strip().startswith("@"):
        known = text.lower() in PRESETS
        return "" if known else f"no such preset; known are {', '.join(sorted(PRESETS))}"
    if not 5 <= len(fields) <= 7:
        return f"a cron expression has 5 fields, this has {len(fields)}"
    for field, (name, low, high, words) in zip(fields, _FIELDS, strict=False):
        for item in field.split(","):
            found = _item(item, low, high, words)
            if found:
                return f"{name} {found}"
    return ""


def _item(item: str, low: int, high: int, words: list[str]) -> str:
    match = _ITEM.fullmatch(item)
    if match is None:
        return ""
    least = low if match[2] is None else 0  # croniter takes ranges to 0 in every field
    for value in (match[1], match[2]):
        if value is None:
            continue
        if not value.isdecimal():
            if value not in words:
                return f"{value!r} is no {low}-{high}" + (f" nor one of {', '.join(words)}" if words else "")
        elif not least <= int(value) <= high:
            return f"{value} is not {low}-{high}"
    return "has a step of 0" if match[3] and int(match[3]) == 0 else ""
