import { formattedValueToString, getValueFormat } from '@grafana/data';
import { UPlotChart } from '@grafana/ui';
import { interpolateOranges } from 'd3-scale-chromatic';
import { useMemo } from 'react';
import { drawMarks } from '../annotations';
import { onlyKnown, problem } from '../problems';
import { rowChart } from './axes';
import { buckets } from './buckets';
import { NoData } from './NoData';
import type { VizProps } from './props';

const LABEL_HEIGHT = 16;
const AXIS_HEIGHT = 30;

interface HeatOptions {
  color?: { scheme?: string; exponent?: number; steps?: number };
  yAxis?: { unit?: string };
}

export function Heat(props: VizProps): React.JSX.Element {
  const { panel, where, answers, width, height, range, timeZone, theme, marks } = props;
  const options = (panel.options ?? {}) as HeatOptions;
  onlyKnown(where, options, [
    ...['calculate', 'color', 'cellGap', 'yAxis', 'legend', 'tooltip', 'filterValues', 'exemplars', 'rowsFrame'],
    ...['showValue', 'cellValues', 'selectionMode'],
  ]);
  if (options.color?.scheme && options.color.scheme !== 'Oranges') {
    problem(where, `color scheme "${options.color.scheme}" is not supported by the preview`);
  }
  const { bounds, times, counts } = useMemo(() => buckets(answers.flatMap(({ series }) => series)), [answers]);
  const step = (answers[0]?.step ?? 60) * 1000;
  const builder = useMemo(() => {
    const format = getValueFormat(options.yAxis?.unit);
    const text = (le: string): string => (le === '+Inf' ? '+Inf' : formattedValueToString(format(Number(le))));
    const texts = bounds.map(text).reverse();
    const every = Math.ceil((bounds.length * LABEL_HEIGHT) / Math.max(height - AXIS_HEIGHT, 1));
    const labelled = texts.map((_, i) => i).filter((i) => i % every === 0);
    const axis = { rows: bounds.length, splits: labelled, texts: labelled.map((i) => texts[i]!), grid: true };
    const made = rowChart(axis, range, timeZone, theme);
    const most = Math.max(...counts.flat(), Number.MIN_VALUE);
    made.addHook('draw', (plot) => {
      const { ctx } = plot;
      ctx.save();
      counts.forEach((row, bucket) => {
        const line = bounds.length - 1 - bucket;
        const top = plot.valToPos(line, 'y', true);
        const size = plot.valToPos(line + 1, 'y', true) - top;
        row.forEach((count, t) => {
          if (count > 0) {
            const right = plot.valToPos(times[t]! * 1000, 'x', true);
            const left = plot.valToPos(times[t]! * 1000 - step, 'x', true);
            ctx.fillStyle = interpolateOranges(1 - (count / most) ** (options.color?.exponent ?? 0.5));
            ctx.fillRect(left, top, Math.max(right - left - 1, 1), Math.max(size - 1, 1));
          }
        });
      });
      ctx.restore();
    });
    drawMarks(made, marks, theme);
    return made;
  }, [bounds, times, counts, height, range, timeZone, theme, marks, step, options]);
  if (!times.length) {
    return <NoData {...props} />;
  }
  const data = [[range.from.valueOf(), range.to.valueOf()], [0, 0]];
  return <UPlotChart config={builder} data={data as never} width={width} height={height} />;
}
