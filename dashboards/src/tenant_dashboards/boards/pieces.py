"""Small tools of the boards: tables of several queries, panels in a line, links to other boards."""

from __future__ import annotations

from dataclasses import replace

from tenant_dashboards import signals as s
from tenant_dashboards.boards.parts import Flavour, board_url
from tenant_dashboards.expr import NAMESPACE, TENANT
from tenant_dashboards.panels.model import RED, Link, Panel, Row, Target, Text

DAG = ("tenant", "dag_id")
TASK = ("tenant", "dag_id", "task_id")
POOL = ("tenant", "pool_name")
BAR = "$__interval"  # the window of a bar
BAR_STEP = "1m"  # a bar needs a scrape, and a scrape is every 30 s
RANGE = "$__range"
BUDGET_GONE = (Text("-1", "≤ -100%", RED),)  # where `budget_left` ends


def counted(selector: str) -> str:
    """How many events a counter saw in each bar: whole numbers that add up to the total over all bars.

    The newest value of the bar less the newest one before it (of an hour, so that a gap in scraping is no new
    counter); the whole value where there was none before, or after a reset. ``increase()`` would lose what
    happens between two bars, and stretch the rest: https://github.com/prometheus/prometheus/issues/3746.
    """
    newest = f"last_over_time({selector}[{BAR}])"
    return f"(({newest} - last_over_time({selector}[1h] offset {BAR})) >= 0 or {newest})"


def row_key(query: str, labels: tuple[str, ...]) -> str:
    """The query with a label ``row`` made of these labels: what a table of several queries is joined by."""
    names = ", ".join(f'"{label}"' for label in labels)
    return f'label_join({query}, "row", " / ", {names})'


def only_row(query: str, labels: tuple[str, ...]) -> str:
    """Like :func:`row_key` and without any other label: for every query of a joined table but the first."""
    return f"sum by (row) ({row_key(query, labels)})"


def sized(width: int, *panels: Panel) -> tuple[Panel, ...]:
    """The panels with this width."""
    return tuple(replace(panel, width=width) for panel in panels)


def for_flavour(flavour: Flavour, *rows: Row) -> tuple[Row, ...]:
    """The rows as they are for the platform; in a team's own board nothing says again whose it is."""
    return rows if flavour is Flavour.PLATFORM else tuple(_of_one_tenant(row) for row in rows)


def _of_one_tenant(row: Row) -> Row:
    return replace(row, panels=tuple(_untold(panel) for panel in row.panels))


def _untold(panel: Panel) -> Panel:
    columns = tuple(column for column in panel.columns if column.source != "tenant")
    return replace(panel, targets=tuple(_short(target) for target in panel.targets), columns=columns)


def _short(target: Target) -> Target:
    legend = target.legend.removeprefix("{{tenant}} ").removeprefix("{{namespace}} ")
    return replace(target, legend=legend)


def link_to(slug: str, flavour: Flavour, title: str, variable: str) -> Link:
    """From a cell to another board, with the cell's value as ``variable`` and the same tenant and time."""
    given = f"?${{tenant:queryparam}}&var-{variable}=${{__value.raw}}&${{__url_time_range}}"
    return Link(title, board_url(slug, flavour) + given)


def quota_share() -> str:
    """Share of the namespace's quota that is used, 0 to 1, by namespace and resource."""
    used = s.KUBE_QUOTA(NAMESPACE, 'type="used"')
    hard = s.KUBE_QUOTA(NAMESPACE, 'type="hard"')
    resource = "max by (namespace, resource)"
    return f"{resource} ({used}) / ({resource} ({hard}) > 0)"


def zero_or(query: str) -> str:
    """The query by tenant, or 0 for a tenant that it has nothing of: "nothing failed" is a number."""
    return f"({query}) or (0 * max by (tenant) ({s.TENANT_INFO(TENANT)}))"


def budget_left(share: str) -> str:
    """The share of an error budget that is left, down to -1.

    Gone twice is bad enough: a young series would fall to -6000 % and flatten every other line.
    """
    return f"clamp_min({share}, -1)"
