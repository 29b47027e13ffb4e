/**
 * Steps of queries as Grafana's Prometheus data source chooses them.
 * https://grafana.com/docs/grafana/latest/datasources/prometheus/template-variables/#use-__rate_interval
 */
import { rangeUtil, type TimeRange } from '@grafana/data';
import type { Scope } from './variables';

const MOST_POINTS = 11000; // Prometheus refuses more points per series

export interface Interval {
  /** Seconds. */
  step: number;
  scope: Scope;
}

/** `minimum` is the query's or panel's "Min step" ("" = the data source's scrape interval). */
export function interval(range: TimeRange, points: number, minimum: string, scrapeSeconds: number): Interval {
  const lowest = minimum ? rangeUtil.intervalToSeconds(minimum) : scrapeSeconds;
  const calculated = rangeUtil.calculateInterval(range, points, `${lowest}s`).intervalMs / 1000;
  const safe = (range.to.valueOf() - range.from.valueOf()) / 1000 / MOST_POINTS;
  const step = Math.max(calculated, Math.ceil(safe), 1);
  const rate = Math.max(step + lowest, 4 * lowest);
  return {
    step,
    scope: {
      __interval: rangeUtil.secondsToHms(step).replace(/ /g, ''),
      __interval_ms: String(step * 1000),
      __rate_interval: `${rate}s`,
      __rate_interval_ms: String(rate * 1000),
    },
  };
}
