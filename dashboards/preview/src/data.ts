/** From a panel's JSON to the data frames that its visualization draws. */
import {
  type DataFrame,
  type GrafanaTheme2,
  type InterpolateFunction,
  standardTransformers,
  standardTransformersRegistry,
  type TimeRange,
  transformDataFrame,
} from '@grafana/data';
import { firstValueFrom } from 'rxjs';
import { completeFieldConfig, withFieldConfig } from './fields';
import { type TargetAnswer, toFrames } from './frames';
import { interval } from './intervals';
import type { PanelJson, TargetJson } from './model';
import { problem } from './problems';
import type { Prometheus } from './prometheus';
import { promqlFormat, type Scope, type Variables } from './variables';

standardTransformersRegistry.setInit(() =>
  [...new Set(Object.values(standardTransformers))].map((transformation) => ({
    id: transformation.id,
    name: transformation.name,
    transformation: () => Promise.resolve(transformation),
    editor: () => null,
    imageDark: '',
    imageLight: '',
  })),
);

export interface PanelRequest {
  panel: PanelJson;
  where: string;
  scope: Scope;
  variables: Variables;
  prometheus: Prometheus;
  range: TimeRange;
  /** Of the panel, in pixels: as many points are asked for. */
  width: number;
  scrapeInterval: number;
  replace: InterpolateFunction;
  theme: GrafanaTheme2;
  timeZone: string;
}

export interface PanelFrames {
  frames: DataFrame[];
  answers: TargetAnswer[];
}

async function ask(target: TargetJson, request: PanelRequest): Promise<TargetAnswer> {
  const { panel, variables, scope, prometheus, range } = request;
  const minimum = variables.replace(target.interval || panel.interval || '', scope);
  const points = panel.maxDataPoints ?? Math.ceil(request.width);
  const { step, scope: steps } = interval(range, points, minimum, request.scrapeInterval);
  const expr = variables.replace(target.expr, { ...scope, ...steps }, promqlFormat);
  const [from, to] = [range.from.valueOf(), range.to.valueOf()];
  const series = target.instant ? await prometheus.instant(expr, to) : await prometheus.range(expr, from, to, step);
  return { target, expr, step, series };
}

async function transformed(frames: DataFrame[], request: PanelRequest): Promise<DataFrame[]> {
  const configs = (request.panel.transformations ?? []).filter(({ disabled }) => !disabled);
  for (const { id } of configs) {
    if (!standardTransformersRegistry.getIfExists(id)) {
      throw new Error(`transformation "${id}" is not supported by the preview`);
    }
  }
  if (!configs.length) {
    return frames;
  }
  return firstValueFrom(transformDataFrame(configs, frames, { interpolate: (text) => request.replace(text) }));
}

/** Runs the panel's queries. Throws what a reader of the panel would see as its error. */
export async function panelFrames(request: PanelRequest): Promise<PanelFrames> {
  const { panel, where, replace, theme, timeZone } = request;
  const targets = (panel.targets ?? []).filter(({ hide }) => !hide);
  for (const target of targets) {
    if (target.instant && target.range) {
      problem(where, `query ${target.refId} is both instant and range`);
    }
  }
  const answers = await Promise.all(targets.map((target) => ask(target, request)));
  const frames = await transformed(toFrames(answers), request);
  const source = completeFieldConfig(panel.type, panel.fieldConfig);
  return { answers, frames: withFieldConfig(frames, { where, panelType: panel.type, source, replace, theme, timeZone }) };
}
