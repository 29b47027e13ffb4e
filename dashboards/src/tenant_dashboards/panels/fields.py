"""A panel's field configuration: units, thresholds, words for values, links, colours, columns."""

from __future__ import annotations

from grafana_foundation_sdk.models import common, dashboard, heatmap, statetimeline

from tenant_dashboards.panels.model import Column, Kind, Link, Panel, Step, Text

_REFS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LINES = {Kind.TIMESERIES, Kind.HEATMAP}  # every series has its own colour
_NOTHING = "–"  # noqa: RUF001 an empty cell, as Grafana writes it
_SPEC_DASH = common.LineStyle(fill="dash", dash=[10, 10])


def ref_id(index: int) -> str:
    """The name of a panel's query: A, B, C..."""
    return _REFS[index]


def field_config(panel: Panel) -> dashboard.FieldConfigSource:
    """Defaults of every field, and what single series or columns have instead."""
    return dashboard.FieldConfigSource(defaults=_defaults(panel), overrides=_overrides(panel))


def _defaults(panel: Panel) -> dashboard.FieldConfig:
    table, lines = panel.kind is Kind.TABLE, panel.kind in _LINES
    return dashboard.FieldConfig(
        unit=None if table else panel.unit,
        no_value=panel.no_data,
        decimals=panel.decimals,
        min_val=None if table or panel.kind is Kind.STATE_TIMELINE else panel.min,
        max_val=panel.max,
        mappings=_mappings(panel.texts),
        thresholds=_thresholds(panel.thresholds) if panel.thresholds or not lines else None,
        color=dashboard.FieldColor(mode=_color_mode(panel)),
        links=[_data_link(link) for link in panel.links] or None,
        custom=_custom(panel),
    )


def _color_mode(panel: Panel) -> dashboard.FieldColorModeId:
    modes = dashboard.FieldColorModeId
    return modes.PALETTE_CLASSIC if panel.kind in _LINES else modes.THRESHOLDS


def _thresholds(steps: tuple[Step, ...]) -> dashboard.ThresholdsConfig:
    """Without steps a panel has one neutral colour: green without a threshold would promise something."""
    given = steps or (Step(None, "blue"),)
    return dashboard.ThresholdsConfig(
        mode=dashboard.ThresholdsMode.ABSOLUTE,
        steps=[dashboard.Threshold(value=step.value, color=step.color) for step in given],
    )


def _mappings(texts: tuple[Text, ...]) -> list[dashboard.ValueMapping] | None:
    if not texts:
        return None
    return [
        dashboard.ValueMap(
            options={
                text.value: dashboard.ValueMappingResult(text=text.text, color=text.color, index=index)
                for index, text in enumerate(texts)
            }
        )
    ]


def _data_link(link: Link) -> dashboard.DashboardLink:
    return dashboard.DashboardLink(title=link.title, url=link.url, target_blank=link.new_tab)


def _custom(panel: Panel) -> object:
    if panel.kind is Kind.TIMESERIES:
        return _graph(panel)
    if panel.kind is Kind.TABLE:
        return common.TableFieldOptions(
            align=common.FieldTextAlignment.AUTO, cell_options=common.TableAutoCellOptions(), inspect=False
        )
    if panel.kind is Kind.STATE_TIMELINE:
        return statetimeline.FieldConfig(line_width=0, fill_opacity=80)
    return heatmap.FieldConfig() if panel.kind is Kind.HEATMAP else None


def _graph(panel: Panel) -> common.GraphFieldConfig:
    """Lines with gaps where there are gaps (Grafana's default), bars for counts of events."""
    stack = common.StackingConfig(mode=common.StackingMode.NORMAL, group="A")
    dashed = common.GraphThresholdsStyleConfig(mode=common.GraphThresholdsStyleMode.DASHED)
    log = common.ScaleDistributionConfig(type_val=common.ScaleDistribution.LOG, log=2)
    return common.GraphFieldConfig(
        draw_style=common.GraphDrawStyle.BARS if panel.bars else common.GraphDrawStyle.LINE,
        line_width=1 if panel.bars else 2,
        fill_opacity=_fill(panel),
        show_points=common.VisibilityMode.NEVER if panel.bars else common.VisibilityMode.AUTO,
        stacking=stack if panel.stacked else None,
        thresholds_style=dashed if panel.thresholds else None,
        scale_distribution=log if panel.log_scale else None,
        # an axis from 0 to 100 for a count that is 0 would look as if much were missing
        axis_soft_max=1 if panel.unit in {"short", "none"} and panel.min == 0 else None,
    )


def _fill(panel: Panel) -> int:
    """Areas where they add up; many lines with areas over each other would be mud."""
    if panel.bars:
        return 70
    many = any("{{" in target.legend for target in panel.targets)
    return 30 if panel.stacked else 0 if many else 8


def _overrides(panel: Panel) -> list[dashboard.DashboardFieldConfigSourceOverrides]:
    if panel.kind is Kind.TABLE:
        joined = len(panel.targets) > 1
        return [_column(column, joined=joined) for column in panel.columns]
    made = [_override("byName", name, {"color": _fixed(color)}) for name, color in panel.colors]
    for index, target in enumerate(panel.targets):
        if target.spec:
            made.append(_override("byFrameRefID", ref_id(index), _spec_line()))
        else:
            given = (_over_bars() if target.line else {}) | (
                {"color": _fixed(target.color)} if target.color else {}
            )
            made += [_override("byFrameRefID", ref_id(index), given)] if given else []
    return made


def _over_bars() -> dict[str, object]:
    """A line over the bars, in no stack: two kinds of bars in one place would hide or tint each other."""
    return {
        "custom.drawStyle": common.GraphDrawStyle.LINE,
        "custom.lineWidth": 2,
        "custom.fillOpacity": 0,
        "custom.stacking": common.StackingConfig(mode=common.StackingMode.NONE, group="line"),
    }


def _spec_line() -> dict[str, object]:
    """What the tenant's spec asks for: a dashed line over the areas of what is measured, in no stack."""
    return {
        "color": _fixed("text"),
        "custom.lineStyle": _SPEC_DASH,
        "custom.drawStyle": common.GraphDrawStyle.LINE,
        "custom.lineWidth": 2,
        "custom.fillOpacity": 0,
        "custom.stacking": common.StackingConfig(mode=common.StackingMode.NONE, group="spec"),
    }


def _fixed(color: str) -> dashboard.FieldColor:
    return dashboard.FieldColor(mode=dashboard.FieldColorModeId.FIXED, fixed_color=color)


def _column(column: Column, *, joined: bool) -> dashboard.DashboardFieldConfigSourceOverrides:
    given: dict[str, object] = {
        "unit": column.unit or None,
        "decimals": column.decimals,
        "thresholds": _thresholds(column.thresholds) if column.thresholds else None,
        "links": [_data_link(link) for link in column.links] or None,
        "custom.width": column.width,
        "custom.cellOptions": _cell(column),
        "min": None if column.max is None else 0,
        "max": column.max,
        **_words(column, joined=joined),
    }
    return _override(
        "byName", column.title, {key: value for key, value in given.items() if value is not None}
    )


def _words(column: Column, *, joined: bool) -> dict[str, object]:
    """Words for values, in the middle of the cell; a dash in an empty one.

    A cell without a value (``joined``: another query had no such row) would show the text of the empty panel,
    on the colour of the base.
    """
    label = not column.source.startswith("Value")
    mappings = [*(_mappings(column.texts) or []), *([_dash()] if joined and not label else [])]
    return {
        "mappings": mappings or None,
        "custom.align": common.FieldTextAlignment.CENTER if column.texts and not column.unit else None,
        "noValue": _NOTHING if label else None,
    }


def _dash() -> dashboard.SpecialValueMap:
    result = dashboard.ValueMappingResult(text=_NOTHING, color="transparent")
    empty = dashboard.SpecialValueMatch.NULL_AND_NAN
    return dashboard.SpecialValueMap(
        options=dashboard.DashboardSpecialValueMapOptions(match=empty, result=result)
    )


def _cell(column: Column) -> object:
    if column.cell == "gauge":
        return common.TableBarGaugeCellOptions(
            mode=common.BarGaugeDisplayMode.BASIC, value_display_mode=common.BarGaugeValueMode.TEXT
        )
    if column.cell == "color-background":
        return common.TableColoredBackgroundCellOptions(mode=common.TableCellBackgroundDisplayMode.BASIC)
    if column.cell == "color-text":
        return common.TableColorTextCellOptions()
    return None


def _override(
    matcher: str, name: str, properties: dict[str, object]
) -> dashboard.DashboardFieldConfigSourceOverrides:
    return dashboard.DashboardFieldConfigSourceOverrides(
        matcher=dashboard.MatcherConfig(id_val=matcher, options=name),
        properties=[dashboard.DynamicConfigValue(id_val=key, value=properties[key]) for key in properties],
    )
