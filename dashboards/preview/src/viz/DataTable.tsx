import { type DataFrame, getFieldDisplayName } from '@grafana/data';
import { TableNG } from '@grafana/ui/unstable';
import type { TableCellHeight, TableSortByFieldState } from '@grafana/schema';
import { onlyKnown, problem } from '../problems';
import { NoData } from './NoData';
import type { VizProps } from './props';

interface TableOptions {
  showHeader?: boolean;
  cellHeight?: TableCellHeight;
  sortBy?: TableSortByFieldState[];
  frozenColumns?: { left?: number };
}

/** An override for a column that is not there does nothing in Grafana, silently; here it is an error. */
function checkColumns(props: VizProps, frame: DataFrame): void {
  const names = frame.fields.flatMap((field) => [field.name, getFieldDisplayName(field, frame, props.frames)]);
  for (const { matcher } of props.fieldConfig.overrides) {
    if (matcher.id === 'byName' && !names.includes(String(matcher.options))) {
      problem(props.where, `no column "${matcher.options}" (columns: ${names.join(', ')})`);
    }
  }
}

export function DataTable(props: VizProps): React.JSX.Element {
  const { panel, where, frames, width, height, range, fieldConfig } = props;
  const options = (panel.options ?? {}) as TableOptions;
  onlyKnown(where, options, ['showHeader', 'cellHeight', 'sortBy', 'frameIndex', 'footer', 'showTypeIcons', 'frozenColumns']);
  const [frame] = frames;
  if (!frame?.length) {
    return <NoData {...props} />;
  }
  if (frames.length > 1) {
    problem(where, `${frames.length} tables in one panel: a reader sees the first one only`);
  }
  checkColumns(props, frame);
  return (
    <TableNG
      data={frame}
      width={width}
      height={height}
      noHeader={!(options.showHeader ?? true)}
      cellHeight={options.cellHeight}
      sortBy={options.sortBy}
      frozenColumns={options.frozenColumns?.left}
      timeRange={range}
      fieldConfig={fieldConfig}
      enableVirtualization={false}
      noValue={fieldConfig.defaults.noValue}
      structureRev={1}
    />
  );
}
