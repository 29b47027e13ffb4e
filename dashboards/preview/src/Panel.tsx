import type { TimeRange } from '@grafana/data';
import { Alert, PanelChrome, useTheme2 } from '@grafana/ui';
import { Component, type ReactNode, useEffect, useMemo, useState } from 'react';
import type { Mark } from './annotations';
import { type PanelFrames, panelFrames } from './data';
import { replacer } from './datalinks';
import { completeFieldConfig } from './fields';
import type { Placed } from './layout';
import type { Settings } from './model';
import { onlyKnown, problem } from './problems';
import type { Prometheus } from './prometheus';
import type { Variables } from './variables';
import { DataTable } from './viz/DataTable';
import { Graph } from './viz/Graph';
import { Heat } from './viz/Heat';
import { Markdown } from './viz/Markdown';
import type { VizProps } from './viz/props';
import { Bars, Stat } from './viz/Stat';
import { Timeline } from './viz/Timeline';

const VIZ: Record<string, (props: VizProps) => React.JSX.Element> = {
  timeseries: Graph,
  stat: Stat,
  bargauge: Bars,
  table: DataTable,
  'state-timeline': Timeline,
  heatmap: Heat,
  text: Markdown,
};

const KNOWN = [
  ...['id', 'type', 'title', 'description', 'gridPos', 'datasource', 'targets', 'fieldConfig', 'options'],
  ...['transformations', 'links', 'interval', 'maxDataPoints', 'pluginVersion', 'transparent', 'repeat'],
  ...['repeatDirection', 'maxPerRow'],
];

const QUERY = [
  ...['refId', 'expr', 'legendFormat', 'format', 'instant', 'range', 'interval', 'hide', 'datasource'],
  ...['editorMode', 'exemplar'],
];

/** A loud box in place of the panel, and an entry in the list that makes the picture command fail. */
function Failure({ where, error }: { where: string; error: string }): React.JSX.Element {
  problem(where, error);
  return <Alert severity="error" title={error} />;
}

class Boundary extends Component<{ where: string; children: ReactNode }, { error?: string }> {
  override state: { error?: string } = {};

  static getDerivedStateFromError(error: unknown): { error: string } {
    return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }

  override render(): ReactNode {
    return this.state.error ? <Failure where={this.props.where} error={this.state.error} /> : this.props.children;
  }
}

export interface PanelProps {
  placed: Placed;
  width: number;
  height: number;
  settings: Settings;
  variables: Variables;
  prometheus: Prometheus;
  range: TimeRange;
  timeZone: string;
  marks: Mark[];
  onDone: () => void;
}

interface Outcome {
  data?: PanelFrames;
  error?: string;
}

function checkKnown(where: string, { panel }: Placed): void {
  onlyKnown(where, panel, KNOWN);
  for (const target of panel.targets ?? []) {
    onlyKnown(where, target, QUERY);
    const uid = target.datasource?.uid ?? panel.datasource?.uid;
    if (uid !== '${datasource}') {
      problem(where, `data source "${uid}" is not the board's`);
    }
  }
}

/** One panel: Grafana's frame around it, its data fetched once, its visualization or its error. */
export function Panel({ placed, width, height, settings, variables, prometheus, range, timeZone, marks, onDone }: PanelProps): React.JSX.Element {
  const { panel, scope, key } = placed;
  const theme = useTheme2();
  const where = [panel.title || `panel ${panel.id}`, key].filter((part) => part && part !== '/').join(' @ ');
  const replace = useMemo(() => replacer(variables, scope, where), [variables, scope, where]);
  const fieldConfig = useMemo(() => completeFieldConfig(panel.type, panel.fieldConfig), [panel]);
  const [outcome, setOutcome] = useState<Outcome>({});

  useEffect(() => {
    checkKnown(where, placed);
    const { scrapeInterval } = settings;
    panelFrames({ panel, where, scope, variables, prometheus, range, width, scrapeInterval, replace, theme, timeZone })
      .then(
        (data) => setOutcome({ data }),
        (error: unknown) => setOutcome({ error: String(error) }),
      )
      // One frame for React, one for the chart's canvas.
      .then(() => requestAnimationFrame(() => requestAnimationFrame(onDone)));
    // The data is fetched once: nothing on the page changes afterwards.
  }, []);

  const Viz = VIZ[panel.type];
  const content = (innerWidth: number, innerHeight: number): ReactNode => {
    if (!Viz) {
      return <Failure where={where} error={`Panel type "${panel.type}" is not supported by the preview`} />;
    }
    if (outcome.error) {
      return <Failure where={where} error={outcome.error} />;
    }
    const { data } = outcome;
    const sizes = { width: innerWidth, height: innerHeight };
    const rest = { panel, where, fieldConfig, range, timeZone, theme, marks, replace, ...sizes };
    return data ? <Viz {...rest} {...data} /> : null;
  };
  return (
    <PanelChrome
      title={replace(panel.title ?? '')}
      description={panel.description}
      width={width}
      height={height}
      displayMode={panel.transparent ? 'transparent' : 'default'}
      padding={panel.type === 'table' ? 'none' : 'md'}
    >
      {(innerWidth, innerHeight) => <Boundary where={where}>{content(innerWidth, innerHeight)}</Boundary>}
    </PanelChrome>
  );
}
