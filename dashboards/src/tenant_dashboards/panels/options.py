"""The options of each panel type in use, and the transformations of tables."""

from __future__ import annotations

from grafana_foundation_sdk.models import (
    bargauge,
    common,
    dashboard,
    heatmap,
    stat,
    statetimeline,
    table,
    text,
    timeseries,
)

from tenant_dashboards.panels.model import Kind, Panel


def options(panel: Panel) -> object:
    """The plugin's options."""
    return _MAKERS[panel.kind](panel)


def transformations(panel: Panel) -> list[dashboard.DataTransformerConfig] | None:
    """Tables only: join the queries by the key, then keep, order and name the columns."""
    if panel.kind is not Kind.TABLE:
        return None
    steps = []
    if panel.key and len(panel.targets) > 1:
        steps.append(
            dashboard.DataTransformerConfig(
                id_val="joinByField", options={"byField": panel.key, "mode": "outer"}
            )
        )
    shown = [column.source for column in panel.columns]
    steps.append(
        dashboard.DataTransformerConfig(id_val="filterFieldsByName", options={"include": {"names": shown}})
    )
    steps.append(
        dashboard.DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": {},
                "indexByName": {name: index for index, name in enumerate(shown)},
                "renameByName": {column.source: column.title for column in panel.columns},
            },
        )
    )
    return steps


#: What Grafana calls the columns of a legend.
_CALC_TITLES = {"lastNotNull": "Last *", "sum": "Total"}


def _legend(panel: Panel) -> common.VizLegendOptions:
    """Below the graph; or a table beside it that begins with what matters most: the rest may not fit."""
    mode = common.LegendDisplayMode.TABLE if panel.legend_table else common.LegendDisplayMode.LIST
    return common.VizLegendOptions(
        display_mode=mode,
        placement=common.LegendPlacement.RIGHT if panel.legend_table else common.LegendPlacement.BOTTOM,
        show_legend=True,
        calcs=list(panel.legend_calcs) if panel.legend_table else [],
        sort_by=_CALC_TITLES[panel.legend_calcs[0]] if panel.legend_table else None,
        sort_desc=not panel.legend_up if panel.legend_table else None,
    )


def _timeseries(panel: Panel) -> object:
    return timeseries.Options(
        legend=_legend(panel),
        tooltip=common.VizTooltipOptions(
            mode=common.TooltipDisplayMode.MULTI, sort=common.SortOrder.DESCENDING
        ),
    )


def _reduce(panel: Panel) -> common.ReduceDataOptions:
    return common.ReduceDataOptions(values=False, calcs=[panel.calc], fields="")


def _stat(panel: Panel) -> object:
    return stat.Options(
        graph_mode=common.BigValueGraphMode.AREA if panel.sparkline else common.BigValueGraphMode.NONE,
        color_mode=common.BigValueColorMode.BACKGROUND
        if panel.color_background
        else common.BigValueColorMode.VALUE,
        justify_mode=common.BigValueJustifyMode.AUTO,
        text_mode=common.BigValueTextMode(panel.text_mode),
        reduce_options=_reduce(panel),
        orientation=common.VizOrientation.AUTO,
    )


def _bar_gauge(panel: Panel) -> object:
    return bargauge.Options(
        display_mode=common.BarGaugeDisplayMode.BASIC,
        value_mode=common.BarGaugeValueMode.TEXT,
        name_placement=common.BarGaugeNamePlacement.TOP,
        show_unfilled=True,
        sizing=common.BarGaugeSizing.MANUAL,  # a single bar would fill the panel otherwise
        min_viz_height=16,
        max_viz_height=44,
        text=common.VizTextDisplayOptions(title_size=13, value_size=16),
        reduce_options=_reduce(panel),
        orientation=common.VizOrientation.HORIZONTAL,
        legend=common.VizLegendOptions(
            display_mode=common.LegendDisplayMode.LIST,
            placement=common.LegendPlacement.BOTTOM,
            show_legend=False,
            calcs=[],
        ),
    )


def _state_timeline(panel: Panel) -> object:
    return statetimeline.Options(
        show_value=common.VisibilityMode.NEVER,
        row_height=0.85,
        merge_values=True,
        legend=_legend(panel),
        tooltip=common.VizTooltipOptions(mode=common.TooltipDisplayMode.SINGLE, sort=common.SortOrder.NONE),
    )


def _table(panel: Panel) -> object:
    order = ((panel.sort, not panel.sort_up), (panel.then, True))
    return table.Options(
        show_header=True,
        cell_height=common.TableCellHeight.SM,
        sort_by=[common.TableSortByFieldState(display_name=name, desc=desc) for name, desc in order if name],
    )


def _heatmap(panel: Panel) -> object:
    """For queries of format heatmap: the buckets come from the histogram, nothing is calculated."""
    return heatmap.Options(
        calculate=False,
        color=heatmap.HeatmapColorOptions(
            mode=heatmap.HeatmapColorMode.SCHEME,
            scheme="Oranges",
            scale=heatmap.HeatmapColorScale.EXPONENTIAL,
            exponent=0.5,
            steps=64,
            fill="dark-orange",
        ),
        cell_gap=1,
        y_axis=heatmap.YAxisConfig(unit=panel.unit, axis_placement=common.AxisPlacement.LEFT),
        legend=heatmap.HeatmapLegend(show=True),
        tooltip=heatmap.HeatmapTooltip(mode=common.TooltipDisplayMode.SINGLE, show_color_scale=False),
    )


def _text(panel: Panel) -> object:
    return text.Options(mode=text.TextMode.MARKDOWN, content=panel.content)


_MAKERS = {
    Kind.TIMESERIES: _timeseries,
    Kind.STAT: _stat,
    Kind.BAR_GAUGE: _bar_gauge,
    Kind.STATE_TIMELINE: _state_timeline,
    Kind.TABLE: _table,
    Kind.HEATMAP: _heatmap,
    Kind.TEXT: _text,
}
