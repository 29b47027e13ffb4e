/**
 * `${__data.fields...}`, `${__value...}`, `${__field...}` and `${__series.name}` in data links and column titles.
 * https://grafana.com/docs/grafana/latest/panels-visualizations/configure-data-links/#data-link-variables
 */
import {
  type DataFrame,
  type Field,
  formattedValueToString,
  getFieldDisplayName,
  getFieldDisplayValuesProxy,
  type InterpolateFunction,
  type ScopedVars,
} from '@grafana/data';
import { problem } from './problems';
import type { Scope, Variables } from './variables';

interface DataContext {
  data: DataFrame[];
  frame: DataFrame;
  field: Field;
  rowIndex?: number;
  calculatedValue?: { text: string; numeric: number };
}

const MACRO = /\$\{(__data|__value|__field|__series)\.([^:}]+)(?::([^}]+))?\}/g;

function path(root: unknown, keys: string): unknown {
  const steps = [...keys.matchAll(/\["([^"]+)"\]|\[(\d+)\]|([^.[\]]+)/g)].map((found) => found[1] ?? found[2] ?? found[3]!);
  return steps.reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], root);
}

function valueMacro(context: DataContext, what: string): unknown {
  const { field, rowIndex, calculatedValue } = context;
  if (rowIndex === undefined) {
    return what === 'text' ? calculatedValue?.text : calculatedValue?.numeric;
  }
  const value: unknown = field.values[rowIndex];
  return what === 'text' && field.display ? formattedValueToString(field.display(value)) : value;
}

function macro(context: DataContext, kind: string, keys: string): unknown {
  const { frame, field, data, rowIndex } = context;
  switch (kind) {
    case '__value':
      return valueMacro(context, keys);
    case '__field':
      return keys.startsWith('labels') ? path(field, keys) : getFieldDisplayName(field, frame, data);
    case '__series':
      return frame.name ?? getFieldDisplayName(field, frame, data);
    default: {
      const fields = getFieldDisplayValuesProxy({ frame, rowIndex: rowIndex ?? 0 });
      return path(fields, keys.replace(/^fields\.?/, ''));
    }
  }
}

/** Grafana's `replaceVariables` for one panel: the data's macros first, then the dashboard's variables. */
export function replacer(variables: Variables, scope: Scope, where: string): InterpolateFunction {
  return (text, scopedVars) => {
    const context = (scopedVars as ScopedVars | undefined)?.['__dataContext']?.value as DataContext | undefined;
    const own: Scope = { ...scope };
    for (const [name, entry] of Object.entries(scopedVars ?? {})) {
      if (name !== '__dataContext' && entry && ['string', 'number'].includes(typeof entry.value)) {
        own[name] = String(entry.value);
      }
    }
    const filled = (text ?? '').replace(MACRO, (match, kind: string, keys: string, format?: string) => {
      const value = context ? macro(context, kind, keys) : undefined;
      if (value === undefined) {
        if (context && kind !== '__value') {
          problem(where, `"${match}" has no value`);
        }
        return context ? '' : match;
      }
      return format === 'percentencode' ? encodeURIComponent(String(value)) : String(value);
    });
    return variables.replace(filled, own);
  };
}
