/** Everything a board needs before its panels: the JSON, and the values of its variables. */
import { stringToJsRegex } from '@grafana/data';
import type { BoardJson, Settings, VariableJson } from './model';
import { problem } from './problems';
import type { Prometheus } from './prometheus';
import { ALL, promqlFormat, type Variable, Variables } from './variables';

const LABEL_VALUES = /^label_values\((?:(.+),\s*)?([a-zA-Z_]\w*)\)\s*$/s;
const QUERY_RESULT = /^query_result\((.+)\)\s*$/s;

const list = (value: string | string[] | undefined): string[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];

async function queried(query: string, prometheus: Prometheus, settings: Settings): Promise<string[]> {
  const labels = LABEL_VALUES.exec(query);
  if (labels) {
    return prometheus.labelValues(labels[2]!, labels[1], settings.from, settings.to);
  }
  const result = QUERY_RESULT.exec(query);
  if (result) {
    const series = await prometheus.instant(result[1]!, settings.to);
    return series.map(({ metric, values }) => {
      const { __name__: name = '', ...rest } = metric;
      const inside = Object.entries(rest).map(([key, value]) => `${key}="${value}"`);
      return `${name}{${inside.join(',')}} ${values[0]![1]} ${values[0]![0] * 1000}`;
    });
  }
  throw new Error(`query "${query}" is not supported by the preview`);
}

function filtered(values: string[], regex: string | undefined): string[] {
  if (!regex) {
    return values;
  }
  const pattern = stringToJsRegex(regex);
  return values.flatMap((value) => {
    pattern.lastIndex = 0;
    const found = pattern.exec(value);
    return found ? [found.groups?.['value'] ?? found[1] ?? value] : [];
  });
}

function sorted(values: string[], sort: number | undefined): string[] {
  const unique = [...new Set(values)];
  switch (sort ?? 0) {
    case 0:
      return unique;
    case 1:
    case 5:
      return unique.sort((a, b) => a.toLowerCase().localeCompare(b.toLowerCase()));
    case 2:
    case 6:
      return unique.sort((a, b) => b.toLowerCase().localeCompare(a.toLowerCase()));
    case 3:
      return unique.sort((a, b) => parseFloat(a) - parseFloat(b));
    case 4:
      return unique.sort((a, b) => parseFloat(b) - parseFloat(a));
    default:
      throw new Error(`sort order ${sort} is not supported by the preview`);
  }
}

async function optionsOf(json: VariableJson, variables: Variables, prometheus: Prometheus, settings: Settings): Promise<string[]> {
  const query = typeof json.query === 'string' ? json.query : (json.query?.query ?? '');
  switch (json.type) {
    case 'datasource':
      return ['Prometheus'];
    case 'constant':
    case 'textbox':
      return [query];
    case 'custom':
      return query.split(',').map((one) => one.trim());
    case 'interval':
      return query.split(',').map((one) => one.trim());
    case 'query': {
      const filledIn = variables.replace(query, {}, promqlFormat);
      return sorted(filtered(await queried(filledIn, prometheus, settings), json.regex), json.sort);
    }
    default:
      throw new Error(`type "${json.type}" is not supported by the preview`);
  }
}

/** What is chosen: the address first, then what the board was saved with, then "All" or the first option. */
function choose(json: VariableJson, options: string[], asked: string[] | undefined): string[] {
  if (asked) {
    return asked;
  }
  const saved = list(json.current?.value).filter((value) => value === ALL || options.includes(value));
  if (saved.length) {
    return saved;
  }
  return json.includeAll ? [ALL] : options.slice(0, 1);
}

async function variable(json: VariableJson, variables: Variables, prometheus: Prometheus, settings: Settings): Promise<Variable> {
  const options = await optionsOf(json, variables, prometheus, settings);
  const chosen = choose(json, options, settings.variables[json.name]);
  if (!chosen.length) {
    problem(`variable ${json.name}`, 'has no value in this recording');
  }
  return {
    name: json.name,
    label: json.label || json.name,
    type: json.type,
    hidden: json.hide === 2,
    multi: json.multi ?? false,
    includeAll: json.includeAll ?? false,
    allValue: json.allValue ?? '',
    options,
    chosen,
    text: chosen.includes(ALL) ? 'All' : chosen.join(' + '),
  };
}

export async function loadBoard(settings: Settings): Promise<BoardJson> {
  const response = await fetch(settings.board);
  if (!response.ok) {
    throw new Error(`${settings.board}: HTTP ${response.status}`);
  }
  return (await response.json()) as BoardJson;
}

export async function loadVariables(board: BoardJson, prometheus: Prometheus, settings: Settings): Promise<Variables> {
  const variables = new Variables(settings.from, settings.to);
  // One after the other: a query may use the variables before it.
  for (const json of board.templating?.list ?? []) {
    try {
      variables.set(await variable(json, variables, prometheus, settings));
    } catch (error) {
      problem(`variable ${json.name}`, String(error));
    }
  }
  return variables;
}
