/**
 * Variables as Grafana substitutes them: the syntaxes, formats and the escaping of its Prometheus data source.
 * https://grafana.com/docs/grafana/latest/dashboards/variables/variable-syntax/
 */
import { problem } from './problems';

export const ALL = '$__all';

export interface Variable {
  name: string;
  label: string;
  type: string;
  hidden: boolean;
  multi: boolean;
  includeAll: boolean;
  allValue: string;
  /** Everything that can be chosen, without "All". */
  options: string[];
  /** What is chosen; `[ALL]` for "All". */
  chosen: string[];
  text: string;
}

/** Extra values for one panel (repeats, `$__interval`); they win over the dashboard's variables. */
export type Scope = Record<string, string>;

type Value = string | string[];
type Formatter = (value: Value, variable: Variable | undefined) => string;

// $name, [[name:format]], ${name.path:format}
const SYNTAX = /\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?:\.([^:^}]+))?(?::([^}]+))?\}/g;

const escapeRegex = (text: string): string => text.replace(/[\\^$*+?.()|[\]{}/]/g, '\\$&');
const many = (value: Value): string[] => (Array.isArray(value) ? value : [value]);

/** Backslashes and quotes of a plain string inside PromQL's double quotes. */
const escapePromString = (text: string): string => text.replace(/\\/g, '\\\\').replace(/'/g, "\\\\'");
/** The same inside a regular expression. */
const escapePromRegex = (text: string): string =>
  text.replace(/\\/g, '\\\\\\\\').replace(/[$^*{}[\]+?.()|]/g, '\\\\$&');

/** The Prometheus data source's way with a variable that has no format of its own. */
export const promqlFormat: Formatter = (value, variable) => {
  if (!variable || (!variable.multi && !variable.includeAll)) {
    return escapePromString(many(value)[0] ?? '');
  }
  if (typeof value === 'string') {
    return escapePromRegex(value);
  }
  const escaped = value.map(escapePromRegex);
  return escaped.length === 1 ? escaped[0]! : `(${escaped.join('|')})`;
};

const FORMATS: Record<string, Formatter> = {
  raw: (value) => many(value).join(','),
  csv: (value) => many(value).join(','),
  pipe: (value) => many(value).join('|'),
  text: (value, variable) => variable?.text ?? many(value).join(' + '),
  json: (value) => JSON.stringify(value),
  glob: (value) => (many(value).length > 1 ? `{${many(value).join(',')}}` : (many(value)[0] ?? '')),
  regex: (value) => {
    const escaped = many(value).map(escapeRegex);
    return escaped.length === 1 ? escaped[0]! : `(${escaped.join('|')})`;
  },
  percentencode: (value) => encodeURIComponent(many(value).length > 1 ? `{${many(value).join(',')}}` : many(value)[0]!),
  singlequote: (value) => many(value).map((one) => `'${one.replace(/'/g, "\\'")}'`).join(','),
  doublequote: (value) => many(value).map((one) => `"${one.replace(/"/g, '\\"')}"`).join(','),
};

function urlParameter(variable: Variable): string {
  return variable.chosen.map((one) => `var-${variable.name}=${encodeURIComponent(one)}`).join('&');
}

/** The current values of a dashboard and everything that substitutes them. */
export class Variables {
  private readonly byName = new Map<string, Variable>();

  constructor(
    readonly from: number,
    readonly to: number,
  ) {}

  set(variable: Variable): void {
    this.byName.set(variable.name, variable);
  }

  get(name: string): Variable | undefined {
    return this.byName.get(name);
  }

  list(): Variable[] {
    return [...this.byName.values()];
  }

  /** The values that "repeat by this variable" walks over. */
  repeated(name: string): string[] {
    const variable = this.byName.get(name);
    if (!variable) {
      return [];
    }
    return variable.chosen.includes(ALL) ? variable.options : variable.chosen;
  }

  private valueOf(variable: Variable): { value: Value; literal: boolean } {
    if (!variable.chosen.includes(ALL)) {
      return { value: variable.multi ? variable.chosen : (variable.chosen[0] ?? ''), literal: false };
    }
    // Grafana puts an own "All" value in as it stands, without any escaping.
    return variable.allValue ? { value: variable.allValue, literal: true } : { value: variable.options, literal: false };
  }

  private global(name: string, format: string | undefined): string | undefined {
    switch (name) {
      case '__from':
      case '__to': {
        const time = name === '__from' ? this.from : this.to;
        if (!format || format === 'raw') {
          return String(time);
        }
        if (format === 'date' || format === 'date:iso') {
          return new Date(time).toISOString();
        }
        return format === 'date:seconds' ? String(Math.floor(time / 1000)) : undefined;
      }
      case '__range':
        return `${Math.round((this.to - this.from) / 1000)}s`;
      case '__range_s':
        return String(Math.round((this.to - this.from) / 1000));
      case '__range_ms':
        return String(this.to - this.from);
      case '__all_variables':
        return this.list().map(urlParameter).filter(Boolean).join('&');
      case '__url_time_range':
        return `from=${this.from}&to=${this.to}`;
      default:
        return undefined;
    }
  }

  /** `text` with every known variable replaced; an unknown one stays, as in Grafana. */
  replace = (text: string | undefined, scope: Scope = {}, plain: Formatter = FORMATS.glob!): string => {
    if (!text) {
      return text ?? '';
    }
    return text.replace(SYNTAX, (match, simple, bracket, bracketFormat, braced, path, bracedFormat) => {
      const name: string = simple ?? bracket ?? braced;
      const format: string | undefined = bracketFormat ?? bracedFormat;
      if (path !== undefined) {
        return match; // ${__data.fields.x} and its like belong to the data link, not to the dashboard
      }
      const fixed = scope[name] ?? this.global(name, format);
      const variable = this.byName.get(name);
      if (fixed !== undefined && !variable) {
        return fixed;
      }
      if (!variable) {
        return match;
      }
      const { value, literal } = fixed === undefined ? this.valueOf(variable) : { value: fixed, literal: false };
      if (format === 'queryparam') {
        return fixed === undefined ? urlParameter(variable) : `var-${name}=${encodeURIComponent(fixed)}`;
      }
      if (literal && format !== 'text') {
        return value as string;
      }
      const formatter = format ? FORMATS[format] : plain;
      if (!formatter) {
        problem(`$${name}`, `format "${format}" is not supported by the preview`);
        return match;
      }
      return formatter(value, format === 'text' && fixed !== undefined ? undefined : variable);
    });
  };
}
