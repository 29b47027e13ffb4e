"""The house's own rules."""

from __future__ import annotations

import itertools
import re

from tests.dashboards.linting.core import (
    Case,
    Json,
    Problems,
    panels,
    query_panels,
    rule,
    targets,
    variables,
)

from tenant_dashboards.boards.parts import TEAM_SLUGS
from tenant_dashboards.panels.encode import round_trip

MOST_PANELS = 40
COLUMNS = 24
KINDS = {"stat", "timeseries", "table", "state-timeline", "bargauge", "heatmap", "text"}
_UID = re.compile(r"airflow-(overview|team|slo|capacity|cost|operator)|__UID_(TEAM|SLO|CAPACITY|COST)__")
_GRAFANA_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)")


@rule("uid-rule")
def _uid(case: Case) -> Problems:
    """Alerts, links and bookmarks lead to a uid: it is fixed, and short enough for Grafana."""
    if not _UID.fullmatch(case.board.get("uid") or ""):
        yield f"uid {case.board.get('uid')!r}"


@rule("schema-rule")
def _schema(case: Case) -> Problems:
    if not 39 <= case.board["schemaVersion"] <= 42:
        yield f"schema version {case.board['schemaVersion']}: Grafana 10 to 13 take 39 to 42"


@rule("round-trip-rule")
def _round_trip(case: Case) -> Problems:
    """The SDK drops what Grafana does not know: a typo."""
    if round_trip(case.board) != case.board:
        yield "grafana-foundation-sdk reads something else than what is written"


@rule("unique-ids-rule")
def _ids(case: Case) -> Problems:
    ids = [panel["id"] for panel in panels(case.board, rows=True)]
    yield from (f"id {one} is there {ids.count(one)} times" for one in sorted(set(ids)) if ids.count(one) > 1)


@rule("layout-rule")
def _layout(case: Case) -> Problems:
    """Nothing lies over something else or outside of the grid. Collapsed rows have a grid of their own."""
    grids = [
        case.board["panels"],
        *(panel["panels"] for panel in case.board["panels"] if panel.get("panels")),
    ]
    for grid in grids:
        for panel in grid:
            place = panel["gridPos"]
            if place["x"] < 0 or place["w"] < 1 or place["h"] < 1 or place["x"] + place["w"] > COLUMNS:
                yield f"{panel['title']}: outside of the grid"
        for one, other in itertools.combinations(grid, 2):
            if _overlap(one["gridPos"], other["gridPos"]):
                yield f"{one['title']} lies over {other['title']}"


def _overlap(a: Json, b: Json) -> bool:
    across = a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"]
    return bool(across and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"])


@rule("panel-count-rule")
def _count(case: Case) -> Problems:
    found = sum(1 for _ in panels(case.board))
    if not 0 < found <= MOST_PANELS:
        yield f"{found} panels"


@rule("panel-type-rule")
def _kind(case: Case) -> Problems:
    """No type that Grafana has retired (graph, singlestat, table-old), none that needs a plugin."""
    for panel in panels(case.board):
        if panel["type"] not in KINDS:
            yield f"{panel['title']}: type {panel['type']}"


@rule("no-data-text-rule")
def _no_data(case: Case) -> Problems:
    for panel in query_panels(case.board):
        if panel["fieldConfig"]["defaults"].get("noValue", "").lower() in {"", "no data", "-"}:
            yield f"{panel['title']}: says nothing when there is no data"


@rule("legend-rule")
def _legend(case: Case) -> Problems:
    for panel, target in targets(case.board):
        if panel["type"] != "table" and target.get("legendFormat") in {None, "", "__auto"}:
            yield f"{panel['title']}: query {target['refId']} has no legend"
    for panel in query_panels(case.board):
        if panel["type"] in {"timeseries", "state-timeline"} and not panel["options"]["legend"]["showLegend"]:
            yield f"{panel['title']}: hides its legend"
        legend = panel["options"].get("legend", {})
        if legend.get("displayMode") == "table" and not legend.get("sortBy"):
            yield f"{panel['title']}: its legend has room for some lines, in no order"


@rule("bars-rule")
def _bars(case: Case) -> Problems:
    """Bars that are not stacked lie over each other: one hides or tints the other."""
    for panel in query_panels(case.board):
        drawn = panel["fieldConfig"]["defaults"].get("custom") or {}
        if drawn.get("drawStyle") != "bars" or (drawn.get("stacking") or {}).get("mode") == "normal":
            continue
        if len(panel["targets"]) > 1 or "{{" in panel["targets"][0]["legendFormat"]:
            yield f"{panel['title']}: bars over bars"


@rule("threshold-rule")
def _thresholds(case: Case) -> Problems:
    """A single number has a colour that means something; steps rise, and the first one is the base."""
    for panel in query_panels(case.board):
        config = panel["fieldConfig"]
        every = [config["defaults"].get("thresholds")] + [
            item["value"]
            for override in config["overrides"]
            for item in override["properties"]
            if item["id"] == "thresholds"
        ]
        if panel["type"] in {"stat", "bargauge", "state-timeline"} and every[0] is None:
            yield f"{panel['title']}: no thresholds"
        for found in filter(None, every):
            values = [step["value"] for step in found["steps"]]
            if values[0] is not None or None in values[1:] or values[1:] != sorted(values[1:]):
                yield f"{panel['title']}: thresholds {values}"


@rule("links-rule")
def _links(case: Case) -> Problems:
    """A way to another board keeps time and variables, and leads to a board that is there."""
    for link in case.board.get("links", ()):
        if link["url"].startswith("/d/"):
            if not (link.get("keepTime") and link.get("includeVars")):
                yield f"{link['title']}: loses the time or the variables"
            yield from _target(case, link["title"], link["url"])
    for panel in query_panels(case.board):
        for link in _data_links(panel["fieldConfig"]):
            if link["url"].startswith("/d/"):
                if "${__url_time_range}" not in link["url"] or not re.search(
                    r"var-|:queryparam", link["url"]
                ):
                    yield f"{panel['title']}, {link['title']}: loses the time or the variables"
                yield from _target(case, panel["title"], link["url"])


def _target(case: Case, where: str, url: str) -> Problems:
    uid = url.removeprefix("/d/").partition("?")[0]
    team = case.board["uid"].startswith("__UID_")
    if not _UID.fullmatch(uid) or uid.startswith("__UID_") is not team:
        yield f"{where}: leads to {uid}"


def _data_links(config: Json) -> list[Json]:
    found: list[Json] = list(config["defaults"].get("links", []))
    for override in config["overrides"]:
        found += [link for item in override["properties"] if item["id"] == "links" for link in item["value"]]
    return found


@rule("way-round-rule")
def _way_round(case: Case) -> Problems:
    """From each board to every other of its kind, and to the runbook."""
    urls = {link["url"] for link in case.board.get("links", ())}
    if case.board["uid"].startswith("__UID_"):
        wanted = {f"/d/__UID_{slug.upper()}__" for slug in TEAM_SLUGS}
    else:
        wanted = {f"/d/airflow-{s}" for s in ("overview", "team", "slo", "capacity", "cost", "operator")}
    yield from (f"no link to {url}" for url in sorted(wanted - urls - {f"/d/{case.board['uid']}"}))
    if not any("RUNBOOK" in url or "runbook" in url for url in urls):
        yield "no link to the runbook"


@rule("variables-rule")
def _variables(case: Case) -> Problems:
    """Every variable that is used exists, and every one that is shown is used."""
    known = {v["name"] for v in variables(case.board)}
    texts = [t["expr"] for _, t in targets(case.board)]
    texts += [a["expr"] for a in case.board["annotations"]["list"]]
    texts += [v["query"]["query"] for v in variables(case.board, "query")]
    texts += ["$" + panel["repeat"] for panel in panels(case.board, rows=True) if panel.get("repeat")]
    used = {name for text in texts for name in _GRAFANA_VARIABLE.findall(text) if not name.startswith("__")}
    yield from (f"${name} does not exist" for name in sorted(used - known))
    shown = {v["name"] for v in variables(case.board) if v.get("hide") != 2}
    yield from (f"{name} is shown and used nowhere" for name in sorted(shown - used - {"datasource"}))


@rule("head-rule")
def _head(case: Case) -> Problems:
    """Time, refresh, time zone, tags and a description: what the reader finds when the board opens."""
    board = case.board
    if board.get("timezone") != "browser" or not board.get("refresh") or "time" not in board:
        yield "time zone, refresh or time range"
    if "airflow-tenants" not in board.get("tags", ()) or not board.get("description"):
        yield "tags or description"


@rule("annotations-rule")
def _annotations(case: Case) -> Problems:
    """Releases, DAG revisions and alerts are marked on the graphs of tenants' boards."""
    found = {annotation["name"] for annotation in case.board["annotations"]["list"]}
    wanted = {"Helm releases", "DAG revisions", "Argo CD syncs", "Alerts"}
    yield from (f"no marks: {name}" for name in sorted(wanted - found))
