"""Visits of a region, made up but always the same."""

from __future__ import annotations

import zlib


def count(region: str, day: str) -> int:
    """Return the visits of one region on one day."""
    return 500 + zlib.crc32(f"{region} {day}".encode()) % 500


def as_table(visits: dict[str, int]) -> str:
    """Return a small text table, the busiest region first."""
    width = max(map(len, visits))
    rows = sorted(visits.items(), key=lambda item: (-item[1], item[0]))
    return "\n".join(f"{region:<{width}} {number:>6}" for region, number in rows)
