import { type DataFrame, type Field, FieldType, formattedValueToString, getFieldDisplayName } from '@grafana/data';
import { UPlotChart, VizLayout, VizLegend, type VizLegendItem } from '@grafana/ui';
import { LegendDisplayMode, VisibilityMode, type VizLegendOptions } from '@grafana/schema';
import { useMemo } from 'react';
import { drawMarks } from '../annotations';
import { onlyKnown } from '../problems';
import { rowChart } from './axes';
import { NO_LEGEND } from './Graph';
import { NoData } from './NoData';
import type { VizProps } from './props';

interface TimelineOptions {
  rowHeight?: number;
  showValue?: VisibilityMode;
  mergeValues?: boolean;
  legend?: VizLegendOptions;
  /** Rows on one page; 0 or nothing = all. */
  perPage?: number;
}

interface Span {
  from: number;
  to: number;
  color: string;
  text: string;
}

interface Row {
  name: string;
  spans: Span[];
}

/** Equal neighbours are one span; a gap longer than two intervals ends a span. */
function spans(time: Field<number>, field: Field, end: number): Span[] {
  const step = time.config.interval ?? 60_000;
  const found: Span[] = [];
  time.values.forEach((at, index) => {
    const value: unknown = field.values[index];
    if (value === null || value === undefined) {
      return;
    }
    const display = field.display!(value);
    const text = formattedValueToString(display);
    const color = display.color ?? '#808080';
    const last = found[found.length - 1];
    if (last && at - last.to <= step) {
      last.to = at;
      if (last.text === text && last.color === color) {
        last.to = Math.min(at + step, end);
        return;
      }
    }
    found.push({ from: at, to: Math.min(at + step, end), color, text });
  });
  return found;
}

function toRows(frames: DataFrame[], end: number): Row[] {
  return frames.flatMap((frame) => {
    const time = frame.fields.find(({ type }) => type === FieldType.time);
    return frame.fields
      .filter((field) => time && field.type !== FieldType.time)
      .map((field) => ({ name: getFieldDisplayName(field, frame, frames), spans: spans(time!, field, end) }));
  });
}

/** The states that occur, in the order of the panel's value mappings. */
function legendItems(rows: Row[]): VizLegendItem[] {
  const seen = new Map<string, string>();
  rows.flatMap((row) => row.spans).forEach(({ text, color }) => seen.set(text, color));
  return [...seen].sort(([a], [b]) => a.localeCompare(b)).map(([label, color]) => ({ label, color, yAxis: 1 }));
}

export function Timeline(props: VizProps): React.JSX.Element {
  const { panel, where, frames, width, height, range, timeZone, theme, marks } = props;
  const options = (panel.options ?? {}) as TimelineOptions;
  onlyKnown(where, options, ['rowHeight', 'showValue', 'mergeValues', 'legend', 'tooltip', 'alignValue', 'perPage']);
  const rows = useMemo(() => {
    const all = toRows(frames, range.to.valueOf());
    return options.perPage ? all.slice(0, options.perPage) : all;
  }, [frames, range, options.perPage]);
  const builder = useMemo(() => {
    const axis = { rows: rows.length, splits: rows.map((_, i) => i + 0.5), texts: rows.map(({ name }) => name), grid: false };
    const made = rowChart(axis, range, timeZone, theme);
    const thick = options.rowHeight ?? 0.9;
    const opacity = (Number(props.fieldConfig.defaults.custom?.fillOpacity ?? 70) / 100) * 0.9 + 0.1;
    made.addHook('drawClear', (plot) => {
      const { ctx } = plot;
      ctx.save();
      rows.forEach((row, index) => {
        const top = plot.valToPos(index + (1 - thick) / 2, 'y', true);
        const size = plot.valToPos(index + 1 - (1 - thick) / 2, 'y', true) - top;
        for (const { from, to, color, text } of row.spans) {
          const left = Math.max(plot.valToPos(from, 'x', true), plot.bbox.left);
          const wide = plot.valToPos(to, 'x', true) - left;
          ctx.globalAlpha = opacity;
          ctx.fillStyle = color;
          ctx.fillRect(Math.round(left), Math.round(top), Math.max(Math.round(wide), 1), Math.round(size));
          ctx.globalAlpha = 1;
          ctx.font = `${theme.typography.fontSize - 2}px ${theme.typography.fontFamily}`;
          const fits = ctx.measureText(text).width + 8 < wide && size > 12;
          if (options.showValue !== VisibilityMode.Never && fits) {
            ctx.fillStyle = theme.colors.getContrastText(color);
            ctx.textAlign = 'left';
            ctx.textBaseline = 'middle';
            ctx.fillText(text, left + 4, top + size / 2);
          }
        }
      });
      ctx.restore();
    });
    drawMarks(made, marks, theme);
    return made;
  }, [rows, range, timeZone, theme, marks, options, props.fieldConfig]);
  if (!rows.length) {
    return <NoData {...props} />;
  }
  const legend = options.legend ?? NO_LEGEND;
  const legendNode = legend.showLegend ? (
    <VizLayout.Legend placement={legend.placement}>
      <VizLegend displayMode={LegendDisplayMode.List} placement={legend.placement} items={legendItems(rows)} />
    </VizLayout.Legend>
  ) : null;
  const data = [[range.from.valueOf(), range.to.valueOf()], [0, 0]];
  return (
    <VizLayout width={width} height={height} legend={legendNode}>
      {(w: number, h: number) => <UPlotChart config={builder} data={data as never} width={w} height={h} />}
    </VizLayout>
  );
}
