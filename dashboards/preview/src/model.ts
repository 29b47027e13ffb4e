import type { DataTransformerConfig, FieldConfigSource } from '@grafana/data';

/** The part of Grafana's classic dashboard JSON that the generated boards use. */
export interface BoardJson {
  uid: string;
  title: string;
  tags?: string[];
  time?: { from: string; to: string };
  timezone?: string;
  links?: LinkJson[];
  templating?: { list?: VariableJson[] };
  annotations?: { list?: AnnotationJson[] };
  panels?: PanelJson[];
}

export interface LinkJson {
  title: string;
  type: string;
  icon?: string;
  url?: string;
  tags?: string[];
  asDropdown?: boolean;
}

export interface VariableJson {
  name: string;
  type: string;
  label?: string | null;
  hide?: number;
  query?: string | { query?: string } | null;
  current?: { text?: string | string[]; value?: string | string[] };
  options?: Array<{ text?: string | string[]; value?: string | string[]; selected?: boolean }>;
  regex?: string;
  sort?: number;
  multi?: boolean;
  includeAll?: boolean;
  allValue?: string | null;
}

export interface AnnotationJson {
  name: string;
  enable?: boolean;
  hide?: boolean;
  iconColor?: string;
  expr?: string;
  step?: string;
  titleFormat?: string;
  textFormat?: string;
  tagKeys?: string;
  useValueForTime?: boolean | string;
  builtIn?: number;
  target?: { expr?: string; [key: string]: unknown };
}

export interface TargetJson {
  refId: string;
  expr?: string;
  legendFormat?: string;
  format?: string;
  instant?: boolean;
  range?: boolean;
  interval?: string;
  intervalFactor?: number;
  hide?: boolean;
  datasource?: { type?: string; uid?: string } | null;
}

export interface GridPos {
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface PanelJson {
  id: number;
  type: string;
  title?: string;
  description?: string;
  gridPos: GridPos;
  datasource?: { type?: string; uid?: string } | null;
  targets?: TargetJson[];
  fieldConfig?: FieldConfigSource;
  options?: Record<string, unknown>;
  transformations?: DataTransformerConfig[];
  links?: LinkJson[];
  interval?: string;
  maxDataPoints?: number;
  timeFrom?: string;
  timeShift?: string;
  hideTimeOverride?: boolean;
  transparent?: boolean;
  repeat?: string;
  repeatDirection?: 'h' | 'v';
  maxPerRow?: number;
  collapsed?: boolean;
  panels?: PanelJson[];
}

/** What the picture command tells the page. */
export interface Settings {
  board: string;
  prometheus: string;
  from: number;
  to: number;
  /** Seconds between scrapes, as set on the data source in Grafana ("Scrape interval"). */
  scrapeInterval: number;
  folder: string;
  /** Values of variables, as `var-<name>=` in Grafana's address. */
  variables: Record<string, string[]>;
}
