/**
 * What Grafana writes for a value, and in which colour.
 * stdin: {"cases": [{"type": panel type, "fieldConfig": {...}, "column": name or null, "value": ...}]}
 * stdout: {"units": [every unit id], "palette": {name: hex}, "shown": [{"text", "color"}]}
 */
import './dom';
import { text } from 'node:stream/consumers';
import {
  createDataFrame,
  createTheme,
  type FieldConfigSource,
  FieldType,
  formattedValueToString,
  getValueFormats,
} from '@grafana/data';
import { completeFieldConfig, withFieldConfig } from '../src/fields';

interface Case {
  type: string;
  fieldConfig: FieldConfigSource;
  column: string | null;
  value: number | string | null;
}

const theme = createTheme({ colors: { mode: 'dark' } });

function show({ type, fieldConfig, column, value }: Case): { text: string; color: string | undefined } {
  const frame = createDataFrame({
    refId: 'A',
    fields: [
      {
        name: column ?? 'Value',
        type: typeof value === 'string' ? FieldType.string : FieldType.number,
        config: {},
        values: [value],
      },
    ],
  });
  const source = completeFieldConfig(type, fieldConfig);
  const [made] = withFieldConfig([frame], {
    where: 'formats',
    panelType: type,
    source,
    replace: (given) => given,
    theme,
    timeZone: 'utc',
  });
  const display = made!.fields[0]!.display!(value);
  return { text: formattedValueToString(display), color: display.color?.toLowerCase() };
}

const { cases } = JSON.parse(await text(process.stdin)) as { cases: Case[] };
const names = ['green', 'yellow', 'orange', 'red', 'blue', 'purple', 'text'];
process.stdout.write(
  JSON.stringify({
    units: getValueFormats().flatMap(({ submenu }) => submenu.map(({ value }) => value)),
    palette: Object.fromEntries(names.map((name) => [name, theme.visualization.getColorByName(name).toLowerCase()])),
    shown: cases.map(show),
  }),
);
