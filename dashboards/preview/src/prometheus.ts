/** The Prometheus HTTP API, as much as the page needs: https://prometheus.io/docs/prometheus/latest/querying/api/ */

export interface Series {
  metric: Record<string, string>;
  /** [unix seconds, value] */
  values: Array<[number, string]>;
}

interface Answer<T> {
  status: 'success' | 'error';
  data: T;
  error?: string;
}

interface QueryData {
  resultType: 'matrix' | 'vector' | 'scalar' | 'string';
  result: unknown;
}

export class Prometheus {
  constructor(private readonly url: string) {}

  private async get<T>(path: string, parameters: Record<string, string>): Promise<T> {
    const response = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const answer = (await response.json()) as Answer<T>;
    if (answer.status !== 'success') {
      throw new Error(answer.error ?? `HTTP ${response.status}`);
    }
    return answer.data;
  }

  /** `from` and `to` in milliseconds, `step` in seconds. */
  async range(expr: string, from: number, to: number, step: number): Promise<Series[]> {
    // Grafana aligns both ends to the step, so that a reload does not move the points.
    const align = (time: number): string => String(Math.floor(time / 1000 / step) * step);
    const data = await this.get<QueryData>('query_range', {
      query: expr,
      start: align(from),
      end: align(to),
      step: String(step),
    });
    return data.result as Series[];
  }

  async instant(expr: string, at: number): Promise<Series[]> {
    const data = await this.get<QueryData>('query', { query: expr, time: String(at / 1000) });
    if (data.resultType === 'scalar') {
      return [{ metric: {}, values: [data.result as [number, string]] }];
    }
    const vector = data.result as Array<{ metric: Record<string, string>; value: [number, string] }>;
    return vector.map(({ metric, value }) => ({ metric, values: [value] }));
  }

  async labelValues(label: string, match: string | undefined, from: number, to: number): Promise<string[]> {
    const window = { start: String(from / 1000), end: String(to / 1000) };
    return this.get<string[]>(
      `label/${encodeURIComponent(label)}/values`,
      match ? { ...window, 'match[]': match } : window,
    );
  }
}
