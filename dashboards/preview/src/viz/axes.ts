/** The time axis and the row axis that state timelines and heatmaps share. */
import type { GrafanaTheme2, TimeRange } from '@grafana/data';
import { UPlotConfigBuilder } from '@grafana/ui';
import { AxisPlacement, GraphDrawStyle, ScaleDirection, ScaleOrientation, VisibilityMode } from '@grafana/schema';

export interface RowAxis {
  /** From top to bottom, in rows of height 1: row 0 is [0, 1]. */
  rows: number;
  /** Positions of labels in rows and their texts. */
  splits: number[];
  texts: string[];
  grid: boolean;
}

export function rowChart(axis: RowAxis, range: TimeRange, timeZone: string, theme: GrafanaTheme2): UPlotConfigBuilder {
  const builder = new UPlotConfigBuilder(timeZone);
  builder.addScale({
    scaleKey: 'x',
    isTime: true,
    orientation: ScaleOrientation.Horizontal,
    direction: ScaleDirection.Right,
    range: () => [range.from.valueOf(), range.to.valueOf()],
  });
  builder.addScale({
    scaleKey: 'y',
    orientation: ScaleOrientation.Vertical,
    direction: ScaleDirection.Down,
    range: () => [0, axis.rows],
  });
  builder.addAxis({ scaleKey: 'x', isTime: true, placement: AxisPlacement.Bottom, timeZone, theme, grid: { show: axis.grid } });
  builder.addAxis({
    scaleKey: 'y',
    placement: AxisPlacement.Left,
    theme,
    splits: axis.splits,
    values: axis.texts,
    grid: { show: false },
    ticks: { show: false },
  });
  builder.addSeries({
    scaleKey: 'y',
    theme,
    drawStyle: GraphDrawStyle.Line,
    pathBuilder: () => null,
    pointsBuilder: () => undefined,
    showPoints: VisibilityMode.Never,
    show: true,
  });
  return builder;
}
