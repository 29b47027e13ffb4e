/** Annotation queries and their marks on graphs. */
import { type GrafanaTheme2, renderLegendFormat, type TimeRange } from '@grafana/data';
import { REGION_FILL_ALPHA, type UPlotConfigBuilder } from '@grafana/ui';
import type { AnnotationJson } from './model';
import { problem } from './problems';
import type { Prometheus } from './prometheus';
import { promqlFormat, type Variables } from './variables';

export interface Mark {
  /** Milliseconds. */
  time: number;
  end: number;
  color: string;
  title: string;
}

/**
 * Marks of one query: a run of points that are a step apart is one region, as in Grafana; with
 * `useValueForTime` each value is a time in milliseconds of its own.
 */
async function ask(json: AnnotationJson, prometheus: Prometheus, range: TimeRange, variables: Variables): Promise<Mark[]> {
  const step = Number((json.step ?? '60s').replace(/s$/, ''));
  if (!Number.isFinite(step)) {
    throw new Error(`step "${json.step}" is not in seconds`);
  }
  const expr = variables.replace(json.expr ?? json.target?.expr, { __interval: `${step}s` }, promqlFormat);
  const all = await prometheus.range(expr, range.from.valueOf(), range.to.valueOf(), step);
  const color = json.iconColor ?? 'blue';
  return all.flatMap(({ metric, values }) => {
    const title = renderLegendFormat(json.titleFormat ?? '', metric);
    if (json.useValueForTime === true || json.useValueForTime === 'on') {
      const times = [...new Set(values.map(([, value]) => Math.floor(Number(value))))];
      return times.map((time) => ({ time, end: time, color, title }));
    }
    const marks: Mark[] = [];
    for (const [seconds, value] of values) {
      const time = seconds * 1000;
      const last = marks[marks.length - 1];
      if (Number(value) === 0) {
        continue; // Grafana drops points of value 0
      }
      if (last && time - last.end <= step * 1000) {
        last.end = time;
      } else {
        marks.push({ time, end: time, color, title });
      }
    }
    return marks;
  });
}

export async function loadMarks(
  all: AnnotationJson[],
  prometheus: Prometheus,
  range: TimeRange,
  variables: Variables,
): Promise<Mark[]> {
  const wanted = all.filter((json) => json.enable && !json.builtIn);
  const found = await Promise.all(
    wanted.map((json) =>
      ask(json, prometheus, range, variables).catch((error: unknown) => {
        problem(`annotation ${json.name}`, String(error));
        return [];
      }),
    ),
  );
  return found.flat();
}

/** Dashed lines, tinted regions and the small triangles under the axis, as Grafana draws them. */
export function drawMarks(builder: UPlotConfigBuilder, marks: Mark[], theme: GrafanaTheme2): void {
  builder.addHook('draw', (plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height + 8);
    ctx.clip();
    for (const { time, end, color } of marks) {
      const shade = theme.visualization.getColorByName(color);
      const left = Math.round(plot.valToPos(time, 'x', true));
      const right = Math.round(plot.valToPos(end, 'x', true));
      ctx.lineWidth = 2;
      ctx.strokeStyle = shade;
      ctx.fillStyle = shade;
      ctx.setLineDash([5, 5]);
      for (const x of right > left ? [left, right] : [left]) {
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
      }
      if (right > left) {
        ctx.globalAlpha = REGION_FILL_ALPHA;
        ctx.fillRect(left, bbox.top, right - left, bbox.height);
        ctx.globalAlpha = 1;
        ctx.fillRect(left, bbox.top + bbox.height, right - left, 5);
      } else {
        ctx.beginPath();
        ctx.moveTo(left, bbox.top + bbox.height);
        ctx.lineTo(left - 4, bbox.top + bbox.height + 6);
        ctx.lineTo(left + 4, bbox.top + bbox.height + 6);
        ctx.fill();
      }
    }
    ctx.restore();
  });
}
