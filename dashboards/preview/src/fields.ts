/**
 * The field options ("Standard options" and each panel type's own) that a Grafana server registers, so that
 * `applyFieldOverrides` of @grafana/data applies defaults and overrides as Grafana does.
 */
import {
  applyFieldOverrides,
  type DataFrame,
  dataLinksOverrideProcessor,
  displayNameOverrideProcessor,
  type FieldConfigPropertyItem,
  FieldConfigOptionsRegistry,
  type FieldConfigSource,
  type GrafanaTheme2,
  identityOverrideProcessor,
  type InterpolateFunction,
  numberOverrideProcessor,
  thresholdsOverrideProcessor,
  ThresholdsMode,
  unitOverrideProcessor,
  valueMappingsOverrideProcessor,
} from '@grafana/data';
import {
  AxisPlacement,
  BarAlignment,
  GraphDrawStyle,
  GraphGradientMode,
  LineInterpolation,
  StackingMode,
  VisibilityMode,
} from '@grafana/schema';
import { problem } from './problems';

type Processor = FieldConfigPropertyItem['process'];

const identity: Processor = identityOverrideProcessor;

const STANDARD: Record<string, Processor> = {
  unit: unitOverrideProcessor,
  min: numberOverrideProcessor,
  max: numberOverrideProcessor,
  decimals: numberOverrideProcessor,
  displayName: displayNameOverrideProcessor,
  noValue: identity,
  thresholds: thresholdsOverrideProcessor,
  mappings: valueMappingsOverrideProcessor,
  links: dataLinksOverrideProcessor,
  color: identity,
  filterable: identity,
  fieldMinMax: identity,
  description: identity,
};

/** Each panel type's own options with Grafana's defaults; `undefined` = known, without a default. */
const GRAPH: Record<string, unknown> = {
  drawStyle: GraphDrawStyle.Line,
  lineInterpolation: LineInterpolation.Linear,
  lineWidth: 1,
  lineStyle: undefined,
  fillOpacity: 0,
  fillBelowTo: undefined,
  gradientMode: GraphGradientMode.None,
  barAlignment: BarAlignment.Center,
  barWidthFactor: 0.6,
  showPoints: VisibilityMode.Auto,
  showValues: undefined,
  pointSize: 5,
  spanNulls: false,
  insertNulls: undefined,
  stacking: { mode: StackingMode.None, group: 'A' },
  axisPlacement: AxisPlacement.Auto,
  axisLabel: '',
  axisWidth: undefined,
  axisColorMode: undefined,
  axisGridShow: true,
  axisBorderShow: false,
  axisCenteredZero: false,
  axisSoftMin: undefined,
  axisSoftMax: undefined,
  scaleDistribution: undefined,
  thresholdsStyle: undefined,
  hideFrom: { tooltip: false, viz: false, legend: false },
  lineColor: undefined,
};

const TABLE: Record<string, unknown> = {
  width: undefined,
  minWidth: undefined,
  align: 'auto',
  cellOptions: { type: 'auto' },
  filterable: false,
  hidden: false,
  hideFrom: undefined,
  inspect: false,
  hideHeader: undefined,
  wrapText: undefined,
  wrapHeaderText: undefined,
  footer: undefined,
  tooltip: undefined,
};

const TIMELINE: Record<string, unknown> = {
  lineWidth: 0,
  fillOpacity: 70,
  hideFrom: undefined,
  axisPlacement: undefined,
  insertNulls: undefined,
  spanNulls: undefined,
};

const BAR_CHART: Record<string, unknown> = { ...GRAPH, lineWidth: 1, fillOpacity: 80 };

export const CUSTOM: Record<string, Record<string, unknown>> = {
  timeseries: GRAPH,
  table: TABLE,
  'state-timeline': TIMELINE,
  barchart: BAR_CHART,
  piechart: { hideFrom: { tooltip: false, viz: false, legend: false } },
  stat: {},
  gauge: {},
  bargauge: {},
};

/** The colour mode that a panel type has when its JSON sets none. */
const COLOR_MODE: Record<string, string> = {
  timeseries: 'palette-classic',
  barchart: 'palette-classic',
  piechart: 'palette-classic',
  'state-timeline': 'continuous-GrYlRd',
};

const DEFAULT_THRESHOLDS = {
  mode: ThresholdsMode.Absolute,
  steps: [
    { value: -Infinity, color: 'green' },
    { value: 80, color: 'red' },
  ],
};

function item(id: string, path: string, process: Processor, isCustom: boolean): FieldConfigPropertyItem {
  const nothing = (): null => null;
  return { id, path, name: id, isCustom, process, shouldApply: () => true, editor: nothing, override: nothing };
}

function registry(panelType: string): FieldConfigOptionsRegistry {
  const own = Object.keys(CUSTOM[panelType] ?? {});
  return new FieldConfigOptionsRegistry(() => [
    ...Object.entries(STANDARD).map(([id, process]) => item(id, id, process, false)),
    ...own.map((path) => item(`custom.${path}`, path, identity, true)),
  ]);
}

function checkKnown(where: string, panelType: string, source: FieldConfigSource): void {
  const known = registry(panelType);
  const check = (id: string): void => {
    if (!known.getIfExists(id)) {
      problem(where, `field option "${id}" is not supported by the preview for ${panelType}`);
    }
  };
  const { custom, ...standard } = source.defaults;
  Object.keys(standard).forEach(check);
  Object.keys(custom ?? {}).forEach((key) => check(`custom.${key}`));
  for (const rule of source.overrides) {
    rule.properties.forEach(({ id }) => check(id));
  }
}

/** The panel's field options with Grafana's defaults under them. */
export function completeFieldConfig(panelType: string, source: FieldConfigSource | undefined): FieldConfigSource {
  const defaults = structuredClone(source?.defaults ?? {});
  const custom = { ...CUSTOM[panelType], ...(defaults.custom as object | undefined) };
  const thresholds = defaults.thresholds ?? structuredClone(DEFAULT_THRESHOLDS);
  thresholds.steps = thresholds.steps.map((step) => ({ ...step, value: step.value ?? -Infinity }));
  return {
    defaults: {
      ...defaults,
      thresholds,
      mappings: defaults.mappings ?? [],
      color: defaults.color ?? { mode: COLOR_MODE[panelType] ?? 'thresholds' },
      custom: Object.fromEntries(Object.entries(custom).filter(([, value]) => value !== undefined)),
    },
    overrides: source?.overrides ?? [],
  };
}

export interface FieldContext {
  where: string;
  panelType: string;
  source: FieldConfigSource;
  replace: InterpolateFunction;
  theme: GrafanaTheme2;
  timeZone: string;
}

export function withFieldConfig(data: DataFrame[], context: FieldContext): DataFrame[] {
  checkKnown(context.where, context.panelType, context.source);
  return applyFieldOverrides({
    data,
    fieldConfig: context.source,
    fieldConfigRegistry: registry(context.panelType),
    replaceVariables: context.replace,
    theme: context.theme,
    timeZone: context.timeZone,
  });
}
