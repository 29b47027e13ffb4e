import { type DataFrame, FieldType } from '@grafana/data';
import { TimeSeries, type UPlotConfigBuilder } from '@grafana/ui';
import { LegendDisplayMode, type VizLegendOptions } from '@grafana/schema';
import { useLayoutEffect } from 'react';
import { drawMarks, type Mark } from '../annotations';
import { onlyKnown, problem } from '../problems';
import { NoData } from './NoData';
import type { VizProps } from './props';

const SERIES_LIMIT = 30; // more lines than that nobody can tell apart

/** Frames with a time and a number field; NaN and infinity are gaps. */
function graphable(frames: DataFrame[]): DataFrame[] {
  return frames
    .filter(
      ({ fields }) => fields.some(({ type }) => type === FieldType.time) && fields.some(({ type }) => type === FieldType.number),
    )
    .map((frame) => ({
      ...frame,
      fields: frame.fields
        .filter(({ type }) => type === FieldType.time || type === FieldType.number)
        .map((field) =>
          field.type === FieldType.number
            ? { ...field, values: field.values.map((value: number | null) => (Number.isFinite(value) ? value : null)) }
            : field,
        ),
    }));
}

function Marks({ builder, marks, theme }: { builder: UPlotConfigBuilder; marks: Mark[]; theme: VizProps['theme'] }): null {
  useLayoutEffect(() => drawMarks(builder, marks, theme), [builder, marks, theme]);
  return null;
}

export const NO_LEGEND = {
  displayMode: LegendDisplayMode.List,
  placement: 'bottom',
  showLegend: false,
  calcs: [],
} as VizLegendOptions;

export function Graph(props: VizProps): React.JSX.Element {
  const { panel, where, width, height, range, timeZone, theme, marks } = props;
  const options = (panel.options ?? {}) as { legend?: VizLegendOptions };
  onlyKnown(where, options, ['legend', 'tooltip', 'timezone', 'annotations']);
  const frames = graphable(props.frames);
  if (!frames.length) {
    return <NoData {...props} />;
  }
  if (frames.length > SERIES_LIMIT) {
    problem(where, `${frames.length} series: more than ${SERIES_LIMIT} cannot be read`);
  }
  return (
    <TimeSeries
      frames={frames}
      structureRev={1}
      width={width}
      height={height}
      timeRange={range}
      timeZone={timeZone}
      legend={options.legend ?? NO_LEGEND}
    >
      {(builder) => <Marks builder={builder} marks={marks} theme={theme} />}
    </TimeSeries>
  );
}
