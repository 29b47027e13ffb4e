/**
 * Grafana's own types for a dashboard, closed: a key that Grafana does not have, or a value of the wrong type, is
 * a compile error in `const board: Board = {...}`.
 *
 * `Dashboard` of @grafana/schema leaves a panel's `options`, `fieldConfig.defaults.custom`, `overrides` and
 * `targets` open (`Record<string, unknown>`); here each panel type gets the options and the field options of its
 * own schema. Options are partial: Grafana fills what is left out with the panel's defaults.
 */
import type { AnnotationQuery, Dashboard, FieldConfig, MatcherConfig, Panel, RowPanel, VariableModel } from '@grafana/schema';
import type * as bargauge from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type * as heatmap from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as timeline from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as text from '@grafana/schema/dist/esm/raw/composable/text/panelcfg/x/TextPanelCfg_types.gen';
import type * as timeseries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

type IsAny<T> = 0 extends 1 & T ? true : false;

/** `T` as it stands in JSON: members of string enums are their values. */
type Json<T> =
  IsAny<T> extends true
    ? T
    : T extends string
      ? `${T}`
      : T extends Array<infer U>
        ? Array<Json<U>>
        : T extends object
          ? { [K in keyof T]: Json<T[K]> }
          : T;

/** The same with every key optional, at every depth. */
type Part<T> =
  IsAny<T> extends true ? T : T extends Array<infer U> ? Array<Part<U>> : T extends object ? { [K in keyof T]?: Part<T[K]> } : T;

/** The keys that a schema names, without index signatures. */
type Named<T> = { [K in keyof T as string extends K ? never : K]: T[K] };

type Standard = Omit<Named<FieldConfig>, 'custom'>;

type Property<Key extends string, Value> = { id: Key; value?: Part<Json<Value>> | null };
type StandardProperty = { [K in keyof Standard & string]-?: Property<K, NonNullable<Standard[K]>> }[keyof Standard & string];
type CustomProperty<C> = { [K in keyof C & string]-?: Property<`custom.${K}`, NonNullable<C[K]>> }[keyof C & string];

interface FieldSource<C> {
  defaults: Json<Standard> & { custom?: Part<Json<C>> };
  overrides: Array<{ matcher: Json<MatcherConfig>; properties: Array<StandardProperty | CustomProperty<C>> }>;
}

/** Not in @grafana/schema; as in packages/grafana-prometheus/src/dataquery.ts. */
interface PromQuery {
  refId: string;
  expr: string;
  datasource?: { type: 'prometheus'; uid: string };
  editorMode?: 'code' | 'builder';
  exemplar?: boolean;
  format?: 'time_series' | 'table' | 'heatmap';
  hide?: boolean;
  instant?: boolean;
  interval?: string;
  intervalFactor?: number;
  legendFormat?: string;
  range?: boolean;
}

type PanelOf<Type extends string, Options, Custom> = Omit<Json<Named<Panel>>, 'type' | 'options' | 'fieldConfig' | 'targets'> & {
  type: Type;
  options?: Part<Json<Options>>;
  fieldConfig?: FieldSource<Custom>;
  targets?: PromQuery[];
};

/** What the Prometheus data source keeps in an annotation, beside Grafana's own keys. */
interface PromAnnotation {
  expr?: string;
  step?: string;
  tagKeys?: string;
  textFormat?: string;
  titleFormat?: string;
  useValueForTime?: boolean;
}

/** Grafana saves the text of a variable's query a second time, for the list in its editor. */
interface QueryVariable {
  definition?: string;
}

type None = Record<never, never>;

export type BoardPanel =
  | PanelOf<'bargauge', bargauge.Options, None>
  | PanelOf<'heatmap', heatmap.Options, heatmap.FieldConfig>
  | PanelOf<'stat', stat.Options, None>
  | PanelOf<'state-timeline', timeline.Options, timeline.FieldConfig>
  | PanelOf<'table', table.Options, table.FieldConfig>
  | PanelOf<'text', text.Options, None>
  | PanelOf<'timeseries', timeseries.Options, timeseries.FieldConfig>;

type Row = Omit<Json<Named<RowPanel>>, 'panels' | 'type'> & { type: 'row'; panels: BoardPanel[] };

export type Board = Omit<Json<Named<Dashboard>>, 'panels' | 'templating' | 'annotations'> & {
  panels: Array<BoardPanel | Row>;
  templating: { list: Array<Json<Named<VariableModel>> & QueryVariable> };
  annotations: { list: Array<Json<Named<AnnotationQuery>> & PromAnnotation> };
};
