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

/** The name of a column before the transformation "organize" gave it its title. */
function sourceOf(title: string, { panel }: VizProps): string | undefined {
  const organize = (panel.transformations ?? []).filter(({ id }) => id === 'organize');
  const renames = organize.flatMap(({ options }) => Object.entries(options.renameByName as Record<string, string>));
  return renames.find(([, renamed]) => renamed === title)?.[0];
}

/**
 * An override for a column that cannot be there does nothing in Grafana, silently; here it is an error. A column is
 * rightly missing when its query has no data, or when no series has its label.
 */
function checkColumns(props: VizProps, frame: DataFrame): void {
  const names = frame.fields.flatMap((field) => [field.name, getFieldDisplayName(field, frame, props.frames)]);
  for (const { matcher } of props.fieldConfig.overrides) {
    const title = String(matcher.options);
    if (matcher.id !== 'byName' || names.includes(title)) {
      continue;
    }
    const source = sourceOf(title, props);
    const answer = props.answers.find(({ target }) => source === 'Value' || source === `Value #${target.refId}`);
    if (!source || answer?.series.length) {
      problem(props.where, `no column "${title}" (columns: ${names.join(', ')})`);
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
