import { TimeSeries, type UPlotConfigBuilder } from '@grafana/ui';
import { LegendDisplayMode, type VizLegendOptions } from '@grafana/schema';
import { useLayoutEffect, useMemo } from 'react';
import { drawMarks, type Mark } from '../annotations';
import { onlyKnown, problem } from '../problems';
import { graphable } from './graphable';
import { NoData } from './NoData';
import type { VizProps } from './props';

const SERIES_LIMIT = 30; // more lines than that nobody can tell apart

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
  const frames = useMemo(() => graphable(props.frames, range), [props.frames, range]);
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
