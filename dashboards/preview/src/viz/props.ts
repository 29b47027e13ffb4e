import type { DataFrame, FieldConfigSource, GrafanaTheme2, InterpolateFunction, TimeRange } from '@grafana/data';
import type { Mark } from '../annotations';
import type { TargetAnswer } from '../frames';
import type { PanelJson } from '../model';

/** What every visualization gets; sizes in pixels. */
export interface VizProps {
  panel: PanelJson;
  where: string;
  frames: DataFrame[];
  answers: TargetAnswer[];
  fieldConfig: FieldConfigSource;
  width: number;
  height: number;
  range: TimeRange;
  timeZone: string;
  theme: GrafanaTheme2;
  marks: Mark[];
  replace: InterpolateFunction;
}
