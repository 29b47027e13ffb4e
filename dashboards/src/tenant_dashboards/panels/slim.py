"""Take out of the SDK's output what Grafana would assume anyway, or what belongs elsewhere.

A tenant's four boards travel in its release: half the size is worth a few rules. Each rule names a default of
Grafana 10 to 13, or a key that the SDK (0.0.21) writes where Grafana has none.
"""

from __future__ import annotations

from typing import Any

_INTERVAL_ONLY = ("auto", "auto_min", "auto_count")  # keys of interval variables; the SDK gives them to all
_DATA_LINK = {
    "title",
    "url",
    "targetBlank",
}  # the SDK writes a dashboard's link (icon, tags...) for a value's link
_PANEL_DEFAULTS = {"transparent": False, "repeatDirection": "h"}
_TARGET_DEFAULTS = {"instant": False, "editorMode": "code", "format": "time_series"}
_OPTION_DEFAULTS: dict[str, dict[str, object]] = {  # as each plugin's own defaults say
    "stat": {
        "justifyMode": "auto",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "showPercentChange": False,
        "textMode": "auto",
        "wideLayout": True,
    },
    "bargauge": {
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
        "maxVizHeight": 300,
        "minVizHeight": 16,
        "minVizWidth": 8,
        "namePlacement": "auto",
        "showUnfilled": True,
        "sizing": "auto",
    },
    "table": {
        "cellHeight": "sm",
        "footer": {"countRows": False, "reducer": [], "show": False},
        "frameIndex": 0,
        "showHeader": True,
        "showTypeIcons": False,
        "sortBy": [],
    },
    "state-timeline": {"alignValue": "left", "mergeValues": True, "perPage": 20},
}
_REDUCE_DEFAULTS = {"values": False, "fields": ""}
_CUSTOM_DEFAULTS: dict[str, dict[str, object]] = {
    "timeseries": {"drawStyle": "line", "showPoints": "auto"},
    "table": {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False},
    "state-timeline": {"lineWidth": 0},
}


def slim(board: dict[str, Any]) -> dict[str, Any]:
    """The board, changed in place, and returned."""
    for variable in board["templating"]["list"]:
        _without(variable, _INTERVAL_ONLY)
    for item in (*board.get("links", ()), *board["annotations"]["list"]):
        _without(item, ("placement",))  # the SDK's constant would hide it in the menu of controls
    for panel in board.get("panels", ()):
        for one in (panel, *panel.get("panels", ())):
            _panel(one)
    return board


def _panel(panel: dict[str, Any]) -> None:
    _without_defaults(panel, _PANEL_DEFAULTS)
    kind, options = panel["type"], panel.get("options", {})
    _without_defaults(options, _OPTION_DEFAULTS.get(kind, {}))
    _without_defaults(options.get("reduceOptions", {}), _REDUCE_DEFAULTS)
    custom = panel.get("fieldConfig", {}).get("defaults", {}).get("custom", {})
    _without_defaults(custom, _CUSTOM_DEFAULTS.get(kind, {}))
    for target in panel.get("targets", ()):
        _without_defaults(target, _TARGET_DEFAULTS)
        if target.get("datasource") == panel.get("datasource"):
            del target["datasource"]  # a query without one has its panel's
    for links in _links(panel.get("fieldConfig", {})):
        for link in links:
            _without(link, tuple(key for key in link if key not in _DATA_LINK))


def _links(config: dict[str, Any]) -> list[list[dict[str, Any]]]:
    found = [config.get("defaults", {}).get("links", [])]
    for override in config.get("overrides", ()):
        found += [item["value"] for item in override["properties"] if item["id"] == "links"]
    return found


def _without(item: dict[str, Any], keys: tuple[str, ...]) -> None:
    for key in keys:
        item.pop(key, None)


def _without_defaults(item: dict[str, Any], defaults: dict[str, object]) -> None:
    for key, value in defaults.items():
        if item.get(key) == value:
            del item[key]
