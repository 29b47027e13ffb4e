"""Sandboxed Jinja and ${...}: what they may do, what they may not, and which line a problem is in."""

from __future__ import annotations

import pytest

from tenant_airflow_lib.factory import DefinitionError, Policy, read_definitions, render_template

POLICY = Policy(environment_variables=("FACTORY_TEST_REGION",))
TASKS = "tasks: [{id: extract, operator: empty}]"


def rendered(tmp_path, text, **options):
    path = tmp_path / "dags.yaml.j2"
    path.write_text(text)
    return render_template(path, POLICY, name="dags.yaml.j2", **options)


def refused(tmp_path, text, **options):
    with pytest.raises(DefinitionError) as error:
        rendered(tmp_path, text, **options)
    [problem] = error.value.problems
    return problem.code, problem.mark.line


@pytest.mark.parametrize(
    "attack",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ ().__class__.__base__.__subclasses__() }}",
        "{{ runtime.__globals__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ env._values }}",
        "{{ env.__init__.__globals__ }}",
        "{{ range(1000000) }}",
        "{% include 'etc/passwd' %}",
        "{% import 'os' as os %}",
        "{{ vars.update({'a': 1}) }}",
        "{{ vars | attr('__class__') }}",
        "{{ [1, 2] | random }}",
        "{{ cycler }}",
        "{{ lipsum() }}",
        "{{ env.PATH }}",
        "{{ ('x' ~ (vars | length)) * 2000000 }}",
        "{{ 'a' * 10**9 }}",
        "{{ 10**9 * 'a' }}",
        "{{ [1] * 10**9 }}",
        "{{ 10**(10**8) }}",
        "{{ (10**1000) * (10**1000) }}",
    ],
)
def test_a_template_cannot_leave_the_sandbox(tmp_path, attack):
    code, line = refused(tmp_path, f"a: 1\nb: 2\nc: {attack}\n")
    assert code in {
        "template-error",
        "template-syntax",
        "undefined-variable",
        "environment-variable-not-allowed",
    }
    assert line == 3


def test_a_template_may_calculate(tmp_path):
    text = "{{ 2**10 * 3 }} {{ 'ab' * 2 }} {{ 2 * [1] }} {{ 1.5 * 2 }} {{ 2**-1 }}"
    assert rendered(tmp_path, text) == "3072 abab [1, 1] 3.0 0.5"


def test_an_undefined_name_is_an_error_and_no_empty_text(tmp_path):
    assert refused(tmp_path, "a: 1\nb: {{ vars.nothing }}\n") == ("undefined-variable", 2)


def test_a_template_that_is_no_template_names_the_line(tmp_path):
    assert refused(tmp_path, "a: 1\nb: 2\n{% for x in y %}\n") == ("template-syntax", 3)


def test_an_allowed_environment_variable_is_read_when_it_is_set(tmp_path, monkeypatch):
    text = "a: {{ env.FACTORY_TEST_REGION }}\n"
    assert refused(tmp_path, text) == ("missing-environment-variable", 1)
    monkeypatch.setenv("FACTORY_TEST_REGION", "eu-central-1")
    assert rendered(tmp_path, text) == "a: eu-central-1\n"


def test_what_airflow_renders_at_run_time_is_left_alone(tmp_path):
    assert rendered(tmp_path, 'a: "{{ runtime("ds") }}"\n') == 'a: "{{ ds }}"\n'


LOOP = """\
{# a comment
   of two lines #}
format: 1
dags:
{% for name in ["a", "b"] %}
  - dag_id: {{ name }}
    schedule: "@daily"
{% if name == "b" %}
    colour: red
{% endif %}
    tasks: [{id: extract, operator: empty}]
{% endfor %}
  - dag_id: c
    tasks: [{id: extract, operator: nothing}]
"""


def test_a_problem_in_a_template_is_in_the_line_of_the_template(tmp_path):
    path = tmp_path / "dags.yaml.j2"
    path.write_text(LOOP)
    problems = read_definitions(path, POLICY, name="dags.yaml.j2").problems
    assert [(problem.dag_id, problem.code, problem.mark.line) for problem in problems] == [
        ("b", "unknown-key", 9),
        ("c", "unknown-operator", 14),
    ]


VARIABLES = """\
default_environment: dev
vars: {size: 1, name: shared}
environments:
  dev: {}
  prod: {size: 9}
"""


@pytest.mark.parametrize(("environment", "size"), [(None, 1), ("dev", 1), ("prod", 9)])
def test_values_of_a_template_come_from_its_environment(tmp_path, environment, size):
    variables = tmp_path / "variables.yaml"
    variables.write_text(VARIABLES)
    text = rendered(tmp_path, "{{ vars.name }} {{ vars.size }}", environment=environment, variables=variables)
    assert text == f"shared {size}"


def definitions(tmp_path, text, policy=POLICY, **options):
    path = tmp_path / "dags.yaml"
    path.write_text(text)
    loaded = read_definitions(path, policy, name="dags.yaml", **options)
    assert loaded.problems == ()
    return [definition.dag for definition in loaded.definitions]


def test_a_value_that_is_only_a_reference_keeps_its_type(tmp_path):
    [dag] = definitions(
        tmp_path,
        f"format: 1\nvars: {{n: 4, team: ml}}\ndags:\n  - dag_id: ${{vars.team}}_a\n"
        f"    max_active_runs: ${{vars.n}}\n    description: n is ${{vars.n}}, $${{HOME}} stays\n    {TASKS}",
    )
    assert (dag.dag_id, dag.max_active_runs) == ("ml_a", 4)
    assert dag.description == "n is 4, ${HOME} stays"


def test_a_value_cannot_add_structure(tmp_path, monkeypatch):
    monkeypatch.setenv("FACTORY_TEST_REGION", 'x"\n    owner: root\n    #')
    [dag] = definitions(
        tmp_path,
        f"format: 1\ndags:\n  - dag_id: a\n    description: ${{env.FACTORY_TEST_REGION}}\n    {TASKS}",
    )
    assert dag.owner is None
    assert "owner: root" in dag.description


def test_a_reference_may_have_a_default(tmp_path):
    [dag] = definitions(
        tmp_path,
        "format: 1\ndags:\n  - dag_id: a\n"
        f"    description: ${{env.FACTORY_TEST_REGION:-eu}} ${{vars.x:-y}}\n    {TASKS}",
    )
    assert dag.description == "eu y"
