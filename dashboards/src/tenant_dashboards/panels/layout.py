"""Where panels go: left to right, line by line, never one over another; and the ids they keep."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from tenant_dashboards.panels.model import GRID_WIDTH, Panel, Row


@dataclass(frozen=True)
class Place:
    """A rectangle on Grafana's grid of 24 columns."""

    x: int
    y: int
    w: int
    h: int


@dataclass(frozen=True)
class Placed:
    """A row with its place and the places of its panels, in order."""

    row: Row
    place: Place
    panels: tuple[tuple[Panel, Place], ...]


def arrange(rows: tuple[Row, ...]) -> list[Placed]:
    """Place every row under the one before.

    The panels of a collapsed row take their place when it is opened: the next row follows at once.
    """
    placed: list[Placed] = []
    y = 0
    for row in rows:
        head = Place(0, y, GRID_WIDTH, 1)
        panels, below = _flow(row.panels, y + 1)
        placed.append(Placed(row, head, panels))
        y = y + 1 if row.collapsed else below
    return placed


def _flow(panels: tuple[Panel, ...], top: int) -> tuple[tuple[tuple[Panel, Place], ...], int]:
    placed: list[tuple[Panel, Place]] = []
    x, y, line_height = 0, top, 0
    for panel in panels:
        if x + panel.width > GRID_WIDTH:
            x, y, line_height = 0, y + line_height, 0
        placed.append((panel, Place(x, y, panel.width, panel.height)))
        x += panel.width
        line_height = max(line_height, panel.height)
    return tuple(placed), y + line_height


def panel_id(row: str, title: str = "") -> int:
    """A number that stays when panels are moved or added: links to one panel (``viewPanel=``) stay."""
    return zlib.crc32(f"{row}/{title}".encode()) % 1_000_000 + 1
