import './dom';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTheme, dateTime, formattedValueToString, getFieldDisplayName } from '@grafana/data';
import { replacer } from '../src/datalinks';
import { completeFieldConfig, withFieldConfig } from '../src/fields';
import { toFrames } from '../src/frames';
import { interval } from '../src/intervals';
import { place } from '../src/layout';
import type { PanelJson, TargetJson } from '../src/model';
import { allProblems } from '../src/problems';
import { ALL, Variables } from '../src/variables';
import { buckets } from '../src/viz/buckets';
import { graphable } from '../src/viz/graphable';

const theme = createTheme({ colors: { mode: 'dark' } });
const range = (hours: number) => {
  const [from, to] = [dateTime(0), dateTime(hours * 3_600_000)];
  return { from, to, raw: { from, to } };
};

test('$__rate_interval is four scrapes, or a step and one scrape when that is more', () => {
  assert.equal(interval(range(1), 500, '', 30).scope['__rate_interval'], '120s');
  const wide = interval(range(24), 500, '', 30);
  assert.equal(wide.step, 120);
  assert.equal(wide.scope['__rate_interval'], '150s');
  assert.equal(interval(range(1), 500, '1m', 30).step, 60);
});

const answer = (target: Partial<TargetJson>, metric: Record<string, string>) => ({
  target: { refId: 'A', ...target },
  expr: 'up',
  step: 60,
  series: [{ metric, values: [[60, '1'], [120, '2']] as Array<[number, string]> }],
});

test('a series is named by its legend', () => {
  const [frame] = toFrames([answer({ legendFormat: '{{pod}} of {{ tenant }}' }, { pod: 'a-0', tenant: 'ml' })]);
  assert.equal(getFieldDisplayName(frame!.fields[1]!, frame, [frame!]), 'a-0 of ml');
  assert.deepEqual(frame!.fields[0]!.values, [60_000, 120_000]);
});

test('a missing point of any series is a gap, and so is infinity', () => {
  const points = (...values: Array<[number, string]>) => ({ ...answer({}, {}), series: [{ metric: {}, values }] });
  const frames = toFrames([points([0, '1'], [60, '2']), points([0, '1'], [180, '4']), points([0, '+Inf'])]);
  const shown = graphable(frames, { ...range(0), to: dateTime(180_000) });
  const values = shown.map(({ fields }) => fields[0]!.values.map((time, i) => [time / 60_000, fields[1]!.values[i]]));
  assert.deepEqual(values[0], [[0, 1], [1, 2], [2, null]]);
  assert.deepEqual(values[1], [[0, 1], [1, null], [2, null], [3, 4]]);
  assert.equal(values[2]![0]![1], null);
});

test('several table queries have a value column each, one has "Value"', () => {
  const table = { format: 'table', instant: true };
  const names = (frames: ReturnType<typeof toFrames>) => frames.map((frame) => frame.fields.map(({ name }) => name));
  assert.deepEqual(names(toFrames([answer(table, { tenant: 'ml' })])), [['Time', 'tenant', 'Value']]);
  assert.deepEqual(names(toFrames([answer(table, { tenant: 'ml' }), answer({ ...table, refId: 'B' }, { tenant: 'ml' })])), [
    ['Time', 'tenant', 'Value #A'],
    ['Time', 'tenant', 'Value #B'],
  ]);
});

test('overrides win over defaults, and custom options reach the graph', () => {
  const [frame] = toFrames([answer({ legendFormat: 'wanted' }, {})]);
  const source = completeFieldConfig('timeseries', {
    defaults: { unit: 's', custom: { lineWidth: 2 } },
    overrides: [{ matcher: { id: 'byFrameRefID', options: 'A' }, properties: [{ id: 'custom.lineStyle', value: { fill: 'dash' } }, { id: 'unit', value: 'percentunit' }] }],
  });
  const context = { where: 'x', panelType: 'timeseries', source, replace: (text: string) => text, theme, timeZone: 'utc' };
  const value = withFieldConfig([frame!], context)[0]!.fields[1]!;
  assert.deepEqual(value.config.custom.lineStyle, { fill: 'dash' });
  assert.equal(value.config.custom.lineWidth, 2);
  assert.equal(value.config.custom.drawStyle, 'line');
  assert.equal(formattedValueToString(value.display!(0.5)), '50%');
});

test('a field option that the page does not know is a problem', () => {
  const source = completeFieldConfig('stat', { defaults: { custom: { sparkle: 1 } }, overrides: [] });
  withFieldConfig([], { where: 'odd panel', panelType: 'stat', source, replace: (text) => text, theme, timeZone: 'utc' });
  assert.ok(allProblems().some((line) => line.startsWith('odd panel: field option "custom.sparkle"')));
});

test('data links see the row, the field and the board', () => {
  const variables = new Variables(0, 1);
  variables.set({ name: 'tenant', label: '', type: 'query', hidden: false, multi: false, includeAll: false, allValue: '', options: [], chosen: ['ml'], text: 'ml' });
  const [frame] = toFrames([answer({ format: 'table' }, { dag_id: 'etl' })]);
  const source = completeFieldConfig('table', {
    defaults: { links: [{ title: 'open', url: '/d/x?var-dag=${__data.fields.dag_id:percentencode}&v=${__value.raw}&${tenant:queryparam}' }] },
    overrides: [],
  });
  const replace = replacer(variables, {}, 'links');
  const [made] = withFieldConfig([frame!], { where: 'links', panelType: 'table', source, replace, theme, timeZone: 'utc' });
  const [link] = made!.fields[2]!.getLinks!({ valueRowIndex: 1 });
  assert.equal(link!.href, '/d/x?var-dag=etl&v=2&var-tenant=ml');
});

test('cumulative buckets become counts of their own', () => {
  const series = (le: string, value: string) => ({ metric: { le }, values: [[60, value]] as Array<[number, string]> });
  const { bounds, counts } = buckets([series('+Inf', '7'), series('1', '2'), series('5', '6')]);
  assert.deepEqual(bounds, ['1', '5', '+Inf']);
  assert.deepEqual(counts, [[2], [4], [1]]);
});

const panel = (id: number, y: number, more: Partial<PanelJson> = {}): PanelJson => ({ id, type: 'stat', gridPos: { x: 0, y, w: 12, h: 4 }, ...more });

function pools(): Variables {
  const variables = new Variables(0, 1);
  variables.set({ name: 'pool', label: '', type: 'query', hidden: false, multi: true, includeAll: true, allValue: '.+', options: ['a', 'b'], chosen: [ALL], text: 'All' });
  return variables;
}

test('a repeated row stands once for each value, and pushes the rows below', () => {
  const row = panel(1, 0, { type: 'row', repeat: 'pool', title: '$pool' });
  const placed = place([row, panel(2, 1), panel(3, 5, { type: 'row' }), panel(4, 6)], pools());
  assert.deepEqual(placed.map(({ panel: { id }, at, scope }) => [id, at.y, scope['pool']]), [
    [1, 0, 'a'],
    [2, 1, 'a'],
    [1, 5, 'b'],
    [2, 6, 'b'],
    [3, 10, undefined],
    [4, 11, undefined],
  ]);
});

test('a collapsed row is drawn open', () => {
  const placed = place([panel(1, 0, { type: 'row', collapsed: true, panels: [panel(2, 1)] }), panel(3, 1, { type: 'row' })], pools());
  assert.deepEqual(placed.map(({ panel: { id }, at }) => [id, at.y]), [[1, 0], [2, 1], [3, 5]]);
});
