import type { Series } from '../prometheus';

export interface Buckets {
  /** Upper bounds, ascending. */
  bounds: string[];
  times: number[];
  /** counts[bucket][time]: of this bucket alone, not cumulative. */
  counts: number[][];
}

const bound = (series: Series): number => Number((series.metric['le'] ?? '').replace('+Inf', 'Infinity'));

/** Prometheus' cumulative buckets as counts of their own, as Grafana's format "Heatmap" makes them. */
export function buckets(all: Series[]): Buckets {
  const sorted = [...all].sort((a, b) => bound(a) - bound(b));
  const times = [...new Set(sorted.flatMap(({ values }) => values.map(([time]) => time)))].sort((a, b) => a - b);
  const cumulative = sorted.map(({ values }) => {
    const byTime = new Map(values.map(([time, value]) => [time, Number(value)]));
    return times.map((time) => byTime.get(time) ?? 0);
  });
  const counts = cumulative.map((row, i) => row.map((value, t) => Math.max(value - (cumulative[i - 1]?.[t] ?? 0), 0)));
  return { bounds: sorted.map(({ metric }) => metric['le'] ?? ''), times, counts };
}
