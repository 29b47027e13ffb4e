import { css, cx } from '@emotion/css';
import { dateTime, dateTimeFormat, type GrafanaTheme2, type TimeRange } from '@grafana/data';
import { Icon, type IconName, useStyles2, useTheme2 } from '@grafana/ui';
import { useEffect, useMemo, useRef, useState } from 'react';
import { loadMarks, type Mark } from './annotations';
import { type Placed, place } from './layout';
import type { BoardJson, Settings } from './model';
import { Panel } from './Panel';
import type { Prometheus } from './prometheus';
import type { Variables } from './variables';

// Grafana's grid: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/#panel-size-and-position
const CELL_HEIGHT = 30;
const GAP = 8;
const COLUMNS = 24;
const MARGIN = 16;

const styles = (theme: GrafanaTheme2) => ({
  page: css({ background: theme.colors.background.canvas, minHeight: '100vh', paddingBottom: theme.spacing(2) }),
  bar: css({
    display: 'flex',
    alignItems: 'center',
    gap: theme.spacing(1),
    padding: theme.spacing(0, 2),
    height: 48,
    background: theme.colors.background.primary,
    borderBottom: `1px solid ${theme.colors.border.weak}`,
    color: theme.colors.text.secondary,
  }),
  title: css({ color: theme.colors.text.primary, fontWeight: theme.typography.fontWeightMedium }),
  controls: css({ display: 'flex', flexWrap: 'wrap', gap: theme.spacing(1), padding: theme.spacing(2, 2, 1) }),
  grow: css({ flexGrow: 1 }),
  links: css({ display: 'flex', flexGrow: 1, flexWrap: 'wrap', justifyContent: 'flex-end', gap: theme.spacing(1) }),
  control: css({ display: 'flex', height: 32 }),
  label: css({
    display: 'flex',
    alignItems: 'center',
    padding: theme.spacing(0, 1),
    fontSize: theme.typography.size.sm,
    fontWeight: theme.typography.fontWeightMedium,
    color: theme.colors.text.primary,
    background: theme.colors.background.primary,
    border: `1px solid ${theme.colors.border.weak}`,
    borderRadius: theme.shape.radius.default,
  }),
  value: css({
    display: 'flex',
    alignItems: 'center',
    gap: theme.spacing(1),
    padding: theme.spacing(0, 1),
    maxWidth: 320,
    color: theme.colors.text.primary,
    background: theme.components.input.background,
    border: `1px solid ${theme.components.input.borderColor}`,
    borderRadius: theme.shape.radius.default,
    whiteSpace: 'nowrap',
  }),
  dot: css({ width: 8, height: 8, borderRadius: 4 }),
  grid: css({ position: 'relative', margin: `0 ${MARGIN}px` }),
  cell: css({ position: 'absolute' }),
  row: css({
    display: 'flex',
    alignItems: 'center',
    gap: theme.spacing(1),
    height: '100%',
    fontSize: theme.typography.h5.fontSize,
    fontWeight: theme.typography.fontWeightMedium,
    color: theme.colors.text.primary,
  }),
});

interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

function box({ at }: Placed, pageWidth: number): Box {
  const column = (pageWidth - 2 * MARGIN - GAP * (COLUMNS - 1)) / COLUMNS;
  return {
    left: Math.round(at.x * (column + GAP)),
    top: at.y * (CELL_HEIGHT + GAP),
    width: Math.round(at.w * column + (at.w - 1) * GAP),
    height: at.h * CELL_HEIGHT + (at.h - 1) * GAP,
  };
}

function Head({ board, settings, variables, range }: Omit<BoardProps, 'prometheus' | 'range' | 'onDone'> & { range: TimeRange }): React.JSX.Element {
  const s = useStyles2(styles);
  const theme = useTheme2();
  const time = (at: TimeRange['from']): string => dateTimeFormat(at, { timeZone: 'utc', format: 'YYYY-MM-DD HH:mm:ss' });
  const shown = (board.annotations?.list ?? []).filter(({ hide, builtIn }) => !hide && !builtIn);
  return (
    <>
      <div className={s.bar}>
        <span>Dashboards</span>
        <Icon name="angle-right" />
        <span>{settings.folder}</span>
        <Icon name="angle-right" />
        <span className={s.title}>{board.title}</span>
        <div className={s.grow} />
        <div className={s.control}>
          <span className={s.value} style={{ maxWidth: 'none' }}>
            <Icon name="clock-nine" /> {time(range.from)} to {time(range.to)} UTC
          </span>
        </div>
      </div>
      <div className={s.controls}>
        {variables
          .list()
          .filter(({ hidden, type }) => !hidden && type !== 'constant')
          .map(({ name, label, text }) => (
            <div className={s.control} key={name}>
              <span className={s.label}>{label}</span>
              <span className={s.value}>
                {text} <Icon name="angle-down" />
              </span>
            </div>
          ))}
        {shown.map(({ name, iconColor }) => (
          <div className={s.control} key={name}>
            <span className={cx(s.label)} style={{ gap: 6 }}>
              <span className={s.dot} style={{ background: theme.visualization.getColorByName(iconColor ?? 'blue') }} /> {name}
            </span>
          </div>
        ))}
        <div className={s.links}>
          {(board.links ?? []).map(({ title, icon }) => (
            <div className={s.control} key={title}>
              <span className={s.label} style={{ gap: 6 }}>
                <Icon name={(icon === 'external link' ? 'external-link-alt' : 'apps') as IconName} /> {title}
              </span>
            </div>
          ))}
        </div>
      </div>
    </>
  );
}

export interface BoardProps {
  board: BoardJson;
  settings: Settings;
  variables: Variables;
  prometheus: Prometheus;
  onDone: () => void;
}

export function Board({ board, settings, variables, prometheus, onDone }: BoardProps): React.JSX.Element {
  const s = useStyles2(styles);
  const [marks, setMarks] = useState<Mark[]>();
  const range = useMemo<TimeRange>(() => {
    const [from, to] = [dateTime(settings.from), dateTime(settings.to)];
    return { from, to, raw: { from, to } };
  }, [settings]);
  const placed = useMemo(() => place(board.panels ?? [], variables), [board, variables]);
  const waiting = useRef(placed.filter(({ panel }) => panel.type !== 'row').length);

  useEffect(() => {
    void loadMarks(board.annotations?.list ?? [], prometheus, range, variables).then(setMarks);
  }, [board, prometheus, range, variables]);

  const panelDone = (): void => {
    waiting.current -= 1;
    if (waiting.current === 0) {
      onDone();
    }
  };
  const boxes = placed.map((one) => box(one, document.documentElement.clientWidth));
  const height = Math.max(0, ...boxes.map(({ top, height: h }) => top + h));
  return (
    <div className={s.page}>
      <Head board={board} settings={settings} variables={variables} range={range} />
      <div className={s.grid} style={{ height }}>
        {marks &&
          placed.map((one, index) => (
            <div className={s.cell} style={boxes[index]} key={`${one.panel.id} ${one.key}`}>
              {one.panel.type === 'row' ? (
                <div className={s.row}>
                  <Icon name="angle-down" /> {variables.replace(one.panel.title, one.scope)}
                </div>
              ) : (
                <Panel
                  placed={one}
                  width={boxes[index]!.width}
                  height={boxes[index]!.height}
                  settings={settings}
                  variables={variables}
                  prometheus={prometheus}
                  range={range}
                  timeZone="utc"
                  marks={marks}
                  onDone={panelDone}
                />
              )}
            </div>
          ))}
      </div>
    </div>
  );
}
