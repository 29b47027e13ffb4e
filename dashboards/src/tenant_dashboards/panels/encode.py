"""Boards as Grafana's classic dashboard JSON (schema version 42), through grafana-foundation-sdk's models."""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import common, dashboard, prometheus

from tenant_dashboards.panels.fields import field_config, ref_id
from tenant_dashboards.panels.layout import Place, Placed, arrange, panel_id
from tenant_dashboards.panels.model import Annotation, Board, BoardLink, Kind, Panel, Target, Variable
from tenant_dashboards.panels.options import options, transformations
from tenant_dashboards.panels.slim import slim

SCHEMA_VERSION = 42  # the newest classic one: Grafana 10 to 13 take it, 13 migrates it to v2 on load
PLUGIN_VERSION = "12.0.0"  # without one Grafana runs the migrations of panels of Grafana 6


def to_json(board: Board) -> dict[str, Any]:
    """The board as the JSON object that Grafana imports. The same board always gives the same object."""
    return _plain(
        dashboard.Dashboard(
            uid=board.uid,
            title=board.title,
            description=board.description,
            tags=list(board.tags),
            timezone="browser",
            editable=False,
            graph_tooltip=dashboard.DashboardCursorSync.CROSSHAIR,
            time=dashboard.DashboardDashboardTime(from_val=board.time_from, to="now"),
            timepicker=dashboard.TimePickerConfig(refresh_intervals=["30s", "1m", "5m", "15m", "1h"]),
            refresh=board.refresh,
            schema_version=SCHEMA_VERSION,
            panels=_panels(board),
            templating=dashboard.DashboardDashboardTemplating(list_val=_variables(board)),
            annotations=dashboard.AnnotationContainer(list_val=[_annotation(a) for a in board.annotations]),
            links=[_link(link) for link in board.links],
        )
    )


def round_trip(model: dict[str, Any]) -> dict[str, Any]:
    """What the SDK reads of a dashboard, written again.

    The SDK drops keys that it does not know: a difference is a typo or a field that Grafana does not have.
    """
    register_default_plugins()
    return _plain(dashboard.Dashboard.from_json(model))


def datasource() -> common.DataSourceRef:
    """The data source that the reader chose."""
    return common.DataSourceRef(type_val="prometheus", uid="${datasource}")


def _plain(made: dashboard.Dashboard) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(made, cls=JSONEncoder))
    return slim(plain)


def _panels(board: Board) -> list[dashboard.Panel | dashboard.RowPanel]:
    made: list[dashboard.Panel | dashboard.RowPanel] = []
    for placed in arrange(board.rows):
        inner = [_panel(placed.row.title, panel, place) for panel, place in placed.panels]
        made.append(_row(placed, inner if placed.row.collapsed else []))
        made.extend([] if placed.row.collapsed else inner)
    return made


def _row(placed: Placed, inner: list[dashboard.Panel]) -> dashboard.RowPanel:
    return dashboard.RowPanel(
        collapsed=placed.row.collapsed,
        title=placed.row.title,
        grid_pos=_grid(placed.place),
        id_val=panel_id(placed.row.title),
        panels=inner,
        repeat=placed.row.repeat or None,
    )


def _grid(place: Place) -> dashboard.GridPos:
    return dashboard.GridPos(x=place.x, y=place.y, w=place.w, h=place.h)


def _panel(row: str, panel: Panel, place: Place) -> dashboard.Panel:
    queries = panel.kind is not Kind.TEXT
    return dashboard.Panel(
        type_val=panel.kind.value,
        id_val=panel_id(row, panel.title),
        plugin_version=PLUGIN_VERSION,
        title=panel.title,
        description=panel.description,
        datasource=datasource() if queries else None,
        targets=[_target(panel, i, target) for i, target in enumerate(panel.targets)] if queries else None,
        grid_pos=_grid(place),
        options=options(panel),
        field_config=field_config(panel) if queries else None,
        transformations=transformations(panel),
    )


def _target(panel: Panel, index: int, target: Target) -> prometheus.Dataquery:
    instant = target.instant or panel.kind is Kind.TABLE
    formats = {Kind.TABLE: prometheus.PromQueryFormat.TABLE, Kind.HEATMAP: prometheus.PromQueryFormat.HEATMAP}
    return prometheus.Dataquery(
        expr=target.expr,
        format_val=formats.get(panel.kind, prometheus.PromQueryFormat.TIME_SERIES),
        instant=instant,
        range_val=not instant,
        legend_format=target.legend or None,
        ref_id=ref_id(index),
        interval=target.step or None,
    )


def _variables(board: Board) -> list[dashboard.VariableModel]:
    source = dashboard.VariableModel(
        type_val=dashboard.VariableType.DATASOURCE,
        name="datasource",
        label="Data Source",
        query="prometheus",
        refresh=dashboard.VariableRefresh.ON_DASHBOARD_LOAD,
        hide=dashboard.VariableHide.DONT_HIDE,
        multi=False,
        include_all=False,
        regex="",
        options=[],
    )
    return [source, *(_constant(v) if v.constant else _query(v) for v in board.variables)]


def _constant(variable: Variable) -> dashboard.VariableModel:
    option = dashboard.VariableOption(selected=True, text=variable.constant, value=variable.constant)
    return dashboard.VariableModel(
        type_val=dashboard.VariableType.CONSTANT,
        name=variable.name,
        label=variable.label,
        hide=dashboard.VariableHide.HIDE_VARIABLE,
        skip_url_sync=True,  # a link cannot turn one team's board into another team's
        query=variable.constant,
        current=option,
        options=[option],
    )


def _query(variable: Variable) -> dashboard.VariableModel:
    everything = dashboard.VariableOption(selected=True, text=["All"], value=["$__all"])
    return dashboard.VariableModel(
        type_val=dashboard.VariableType.QUERY,
        name=variable.name,
        label=variable.label,
        hide=dashboard.VariableHide.HIDE_VARIABLE if variable.hidden else dashboard.VariableHide.DONT_HIDE,
        datasource=datasource(),
        query={"query": variable.query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        definition=variable.query,
        refresh=dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED,
        sort=dashboard.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC,
        multi=variable.multi,
        include_all=variable.include_all,
        all_value=variable.all_value or None if variable.include_all else None,
        current=everything if variable.include_all else None,
        options=[],
        regex="",
    )


def _annotation(annotation: Annotation) -> dashboard.AnnotationQuery:
    return dashboard.AnnotationQuery(
        name=annotation.name,
        datasource=datasource(),
        enable=annotation.enabled,
        hide=False,
        icon_color=annotation.color,
        expr=annotation.expr,
        step="60s",
        title_format=annotation.title,
        text_format=annotation.text,
        tag_keys=annotation.tags or None,
    )


def _link(link: BoardLink) -> dashboard.DashboardLink:
    return dashboard.DashboardLink(
        title=link.title,
        type_val=dashboard.DashboardLinkType.LINK,
        icon=link.icon,
        tooltip=link.tooltip,
        url=link.url,
        tags=[],
        include_vars=link.keep,
        keep_time=link.keep,
        target_blank=not link.keep,
    )
