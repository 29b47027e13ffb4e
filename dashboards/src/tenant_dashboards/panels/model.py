"""What a dashboard is made of, before it becomes Grafana's JSON.

Boards are written with these classes only. The fields are what a reviewer asks of a panel: what it shows, in
which unit, from when on it is bad, what it says without data, and what the reader should do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

# https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
GRID_WIDTH = 24
GREEN, YELLOW, ORANGE, RED, BLUE, PURPLE, GREY = "green", "yellow", "orange", "red", "blue", "purple", "text"


class Kind(StrEnum):
    """The panel types in use: Grafana's own plugin ids."""

    STAT = "stat"
    TIMESERIES = "timeseries"
    TABLE = "table"
    STATE_TIMELINE = "state-timeline"
    BAR_GAUGE = "bargauge"
    HEATMAP = "heatmap"
    TEXT = "text"


@dataclass(frozen=True)
class Step:
    """From ``value`` on the colour is ``color``; None is the base, below every other step."""

    value: float | None
    color: str


def above(warn: float, bad: float | None = None) -> tuple[Step, ...]:
    """High is bad: green, orange from ``warn``, red from ``bad`` (both in the panel's unit)."""
    steps = (Step(None, GREEN), Step(warn, ORANGE if bad is not None else RED))
    return steps if bad is None else (*steps, Step(bad, RED))


def below(warn: float, bad: float | None = None) -> tuple[Step, ...]:
    """Low is bad: green from ``warn`` on, orange from ``bad``, red below; without ``bad`` no orange."""
    if bad is None:
        return (Step(None, RED), Step(warn, GREEN))
    return (Step(None, RED), Step(bad, ORANGE), Step(warn, GREEN))


@dataclass(frozen=True)
class Text:
    """A value shown as words."""

    value: str
    text: str
    color: str = GREY


YES_NO = (Text("1", "yes", GREEN), Text("0", "no", RED))
UP_DOWN = (Text("1", "up", GREEN), Text("0", "DOWN", RED))


@dataclass(frozen=True)
class Link:
    """A link of a value or a cell; ``url`` may use ``${__data.fields.x}`` and ``${__field.labels.x}``."""

    title: str
    url: str
    new_tab: bool = False


@dataclass(frozen=True)
class Target:
    """One query.

    ``legend`` names the series (empty in tables). ``spec`` draws the line of what the tenant's spec asks for:
    dashed, over what is measured. ``line`` draws a line over the bars of the panel's other queries.
    ``may_be_empty`` is the reason why it may have no data in the recording.
    """

    expr: str
    legend: str = ""
    instant: bool = False
    spec: bool = False
    line: bool = False
    may_be_empty: str = ""
    step: str = ""  # least interval between two points, e.g. "1m"
    color: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    ``source`` is a label, or ``Value #A`` for the value of query A (``Value`` when there is one query only).
    """

    source: str
    title: str
    unit: str = ""
    thresholds: tuple[Step, ...] = ()
    texts: tuple[Text, ...] = ()
    links: tuple[Link, ...] = ()
    width: int | None = None
    decimals: int | None = None
    cell: Literal["", "color-text", "color-background", "gauge"] = ""
    max: float | None = None


@dataclass(frozen=True)
class Panel:
    """One panel; ``width`` of 24 columns, ``height`` in grid units.

    A table lists every label it shows in ``columns``; ``key`` is the label that joins its queries (an outer
    join), empty with one query.
    """

    title: str
    kind: Kind
    description: str
    targets: tuple[Target, ...] = ()
    unit: str = "short"
    no_data: str = "no data"
    width: int = 8
    height: int = 7
    thresholds: tuple[Step, ...] = ()
    texts: tuple[Text, ...] = ()
    links: tuple[Link, ...] = ()
    columns: tuple[Column, ...] = ()
    key: str = ""
    sort: str = ""  # title of the column that a table is sorted by, descending
    sort_up: bool = False  # ascending instead
    then: str = ""  # title of the column that sorts what is equal there, descending
    stacked: bool = False
    bars: bool = False
    legend_calcs: tuple[str, ...] = ("lastNotNull", "max")
    legend_table: bool = False
    legend_up: bool = False  # a legend that is a table begins with the lowest, not the highest
    calc: str = "lastNotNull"
    colors: tuple[tuple[str, str], ...] = ()  # legend -> colour
    min: float | None = 0
    max: float | None = None
    decimals: int | None = None
    sparkline: bool = True
    color_background: bool = False
    text_mode: Literal["auto", "value", "value_and_name", "name"] = "auto"
    content: str = ""  # of a text panel, Markdown
    log_scale: bool = False


@dataclass(frozen=True)
class Row:
    """A titled group of panels; ``repeat`` names the variable that it is repeated by."""

    title: str
    panels: tuple[Panel, ...]
    repeat: str = ""
    collapsed: bool = False


@dataclass(frozen=True)
class Variable:
    """A query variable (``query``: Grafana's ``label_values(...)``), or a hidden ``constant``."""

    name: str
    label: str
    query: str = ""
    constant: str = ""
    multi: bool = True
    include_all: bool = True
    all_value: str = ".+"
    hidden: bool = False
    may_be_empty: str = ""


@dataclass(frozen=True)
class BoardLink:
    """A link in the head of a board. A link to a board keeps the time range and the variables."""

    title: str
    url: str
    keep: bool = True
    icon: str = "dashboard"
    tooltip: str = ""


@dataclass(frozen=True)
class Annotation:
    """Marks on every graph of a board, from a query; ``text`` may use ``{{label}}``."""

    name: str
    expr: str
    title: str
    text: str
    color: str
    tags: str = ""
    enabled: bool = True
    may_be_empty: str = ""


@dataclass(frozen=True)
class Board:
    """One dashboard."""

    slug: str
    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    links: tuple[BoardLink, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    tags: tuple[str, ...] = ("airflow",)
    time_from: str = "now-6h"
    refresh: str = "1m"
    panels: tuple[Panel, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "panels", tuple(panel for row in self.rows for panel in row.panels))
