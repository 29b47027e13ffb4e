import './dom';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allProblems } from '../src/problems';
import { ALL, promqlFormat, type Variable, Variables } from '../src/variables';

const FROM = Date.UTC(2026, 10, 21, 12);
const HOUR = 3_600_000;

function variable(given: Partial<Variable> & { name: string }): Variable {
  const chosen = given.chosen ?? [];
  return {
    label: given.name,
    type: 'query',
    hidden: false,
    multi: false,
    includeAll: false,
    allValue: '',
    options: chosen,
    chosen,
    text: chosen.join(' + '),
    ...given,
  };
}

function variables(...all: Variable[]): Variables {
  const made = new Variables(FROM, FROM + 6 * HOUR);
  all.forEach((one) => made.set(one));
  return made;
}

const promql = (made: Variables, text: string, scope = {}): string => made.replace(text, scope, promqlFormat);

test('the three syntaxes name the same variable, and an unknown one stays', () => {
  const made = variables(variable({ name: 'tenant', chosen: ['payments'] }));
  assert.equal(promql(made, 'a{x=~"$tenant", y="${tenant}", z="[[tenant]]", u="$other"}'), 'a{x=~"payments", y="payments", z="payments", u="$other"}');
});

test('a name ends where its characters end', () => {
  const made = variables(variable({ name: 'tenant', chosen: ['payments'] }));
  assert.equal(promql(made, '$tenant-x $tenants ${tenant}s'), 'payments-x $tenants paymentss');
});

test('one value of a multi-value variable stands alone, several in brackets', () => {
  const one = variable({ name: 'tenant', multi: true, chosen: ['payments'] });
  const two = variable({ name: 'tenant', multi: true, chosen: ['payments', 'ml'] });
  assert.equal(promql(variables(one), '{tenant=~"$tenant"}'), '{tenant=~"payments"}');
  assert.equal(promql(variables(two), '{tenant=~"$tenant"}'), '{tenant=~"(payments|ml)"}');
});

test('regular expressions in multi-value variables are escaped for PromQL strings', () => {
  const made = variables(variable({ name: 'dag', multi: true, chosen: ['etl.v2', 'a+b'] }));
  assert.equal(promql(made, '"$dag"'), String.raw`"(etl\\.v2|a\\+b)"`);
});

test('All is the own value as it stands, or the list of everything', () => {
  const own = variable({ name: 'tenant', multi: true, includeAll: true, allValue: '.+', options: ['a', 'b'], chosen: [ALL] });
  const listed = variable({ name: 'namespace', multi: true, includeAll: true, options: ['airflow-a', 'airflow-b'], chosen: [ALL] });
  assert.equal(promql(variables(own), '{tenant=~"$tenant"}'), '{tenant=~".+"}');
  assert.equal(promql(variables(listed), '{namespace=~"$namespace"}'), '{namespace=~"(airflow-a|airflow-b)"}');
});

test('a repeated panel sees its own value only', () => {
  const made = variables(variable({ name: 'pool', multi: true, includeAll: true, allValue: '.+', options: ['a', 'b'], chosen: [ALL] }));
  assert.deepEqual(made.repeated('pool'), ['a', 'b']);
  assert.equal(promql(made, '{pool=~"$pool"} ${pool:text}', { pool: 'b' }), '{pool=~"b"} b');
});

test('the time range as Grafana gives it', () => {
  const made = variables();
  assert.equal(made.replace('[$__range] $__range_s ${__from} ${__to:date:seconds}'), `[21600s] 21600 ${FROM} ${FROM / 1000 + 21600}`);
  assert.equal(made.replace('${__from:date:iso}'), '2026-11-21T12:00:00.000Z');
});

test('links keep variables and time', () => {
  const made = variables(variable({ name: 'tenant', chosen: ['pay ments'] }), variable({ name: 'dag', chosen: ['a', 'b'], multi: true }));
  assert.equal(made.replace('/d/x?${tenant:queryparam}'), '/d/x?var-tenant=pay%20ments');
  assert.equal(made.replace('/d/x?$__all_variables'), '/d/x?var-tenant=pay%20ments&var-dag=a&var-dag=b');
  assert.equal(made.replace('/d/x?$__url_time_range'), `/d/x?from=${FROM}&to=${FROM + 6 * HOUR}`);
});

test('every format', () => {
  const made = variables(variable({ name: 'dag', chosen: ['a.b', 'c'], multi: true }));
  const formats = { csv: 'a.b,c', pipe: 'a.b|c', raw: 'a.b,c', glob: '{a.b,c}', regex: String.raw`(a\.b|c)`, json: '["a.b","c"]', text: 'a.b + c' };
  for (const [format, expected] of Object.entries(formats)) {
    assert.equal(made.replace(`\${dag:${format}}`), expected, format);
  }
  assert.equal(made.replace('${dag:doublequote}'), '"a.b","c"');
});

test('an unknown format is a problem, not a guess', () => {
  const made = variables(variable({ name: 'dag', chosen: ['a'] }));
  assert.equal(made.replace('${dag:lucene}'), '${dag:lucene}');
  assert.ok(allProblems().some((line) => line.includes('"lucene"')));
});
