/** Prometheus' answers as the data frames that Grafana's Prometheus data source makes of them. */
import { createDataFrame, type DataFrame, type Field, FieldType, renderLegendFormat } from '@grafana/data';
import type { TargetJson } from './model';
import type { Series } from './prometheus';

const number = (text: string): number => Number(text === '+Inf' ? 'Infinity' : text === '-Inf' ? '-Infinity' : text);

function displayName(series: Series, target: TargetJson, expr: string): string | undefined {
  if (target.legendFormat && target.legendFormat !== '__auto') {
    return renderLegendFormat(target.legendFormat, series.metric);
  }
  return Object.keys(series.metric).length === 0 ? expr : undefined;
}

function timeSeries(all: Series[], target: TargetJson, expr: string, step: number): DataFrame[] {
  return all.map((series) =>
    createDataFrame({
      refId: target.refId,
      fields: [
        {
          name: 'Time',
          type: FieldType.time,
          config: { interval: step * 1000 },
          values: series.values.map(([time]) => time * 1000),
        },
        {
          name: 'Value',
          type: FieldType.number,
          labels: series.metric,
          config: { displayNameFromDS: displayName(series, target, expr) },
          values: series.values.map(([, value]) => number(value)),
        },
      ],
    }),
  );
}

function table(all: Series[], target: TargetJson, valueName: string): DataFrame {
  const labels = [...new Set(all.flatMap((series) => Object.keys(series.metric)))].sort();
  const rows = all.flatMap((series) => series.values.map(([time, value]) => ({ time, value, metric: series.metric })));
  const fields: Array<Omit<Field, 'state'>> = [
    { name: 'Time', type: FieldType.time, config: {}, values: rows.map((row) => row.time * 1000) },
    ...labels.map((label) => ({
      name: label,
      type: FieldType.string,
      config: { filterable: true },
      values: rows.map((row) => row.metric[label] ?? ''),
    })),
    { name: valueName, type: FieldType.number, config: {}, values: rows.map((row) => number(row.value)) },
  ];
  return createDataFrame({ refId: target.refId, meta: { preferredVisualisationType: 'table' }, fields });
}

export interface TargetAnswer {
  target: TargetJson;
  /** With variables substituted. */
  expr: string;
  step: number;
  series: Series[];
}

/** Frames of all targets of one panel, in order. Several table targets get "Value #A", "Value #B", ... */
export function toFrames(answers: TargetAnswer[]): DataFrame[] {
  const tables = answers.filter(({ target }) => target.format === 'table');
  return answers.flatMap(({ target, expr, step, series }) => {
    if (target.format !== 'table') {
      return timeSeries(series, target, expr, step);
    }
    return series.length ? [table(series, target, tables.length > 1 ? `Value #${target.refId}` : 'Value')] : [];
  });
}
