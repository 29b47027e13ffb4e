"""What is wrong with a file, beyond the examples of phase 15: each problem has its name, place and key."""

from __future__ import annotations

import textwrap

import pytest

from tenant_airflow_lib.factory import CODES, Policy, load_dags, read_definitions

POLICY = Policy(
    builtins=("bash",),
    callables=("airflow_usecases",),
    operators={"start": "airflow.providers.standard.operators.empty.EmptyOperator"},
    operator_paths=("airflow.providers.standard",),
    environment_variables=("FACTORY_TEST_REGION", "FACTORY_TEST_ABSENT"),
)
ONE = "format: 1\ndags:\n  - dag_id: a\n"
CALL = ONE + "    tasks: [{id: x, callable: airflow_usecases."
USE = ONE + "    tasks: [{id: x, operator: "
TASKS = "tasks: [{id: extract, operator: empty}]"

# text -> (line, column, code, key)
CASES = {
    "nothing at all": ("", (1, 1, "yaml-syntax", "")),
    "no YAML": ("format: 1\ndags: [", (2, 8, "yaml-syntax", "")),
    "a Python object": ("format: 1\ndags: !!python/object:os.system []", (2, 7, "yaml-syntax", "")),
    "a merge key": ("a: &a {x: 1}\nb:\n  <<: *a", (3, 3, "yaml-syntax", "")),
    "a date that does not exist": ("format: 1\nvars: {day: 2024-02-30}", (2, 13, "yaml-syntax", "")),
    "a key twice": ("format: 1\ndags: []\nformat: 1", (3, 1, "duplicate-key", "format")),
    "a list": ("- format", (1, 1, "wrong-value", "")),
    "no format": (f"dags:\n  - dag_id: a\n    {TASKS}", (1, 1, "missing-key", "format")),
    "another format": (
        f"format: 2\ndags:\n  - dag_id: a\n    {TASKS}",
        (1, 1, "unsupported-format", "format"),
    ),
    "no DAGs": ("format: 1\ndags: []", (2, 1, "wrong-value", "dags")),
    "an unknown section": ("format: 1\ndag: []\ndags: [{dag_id: a}]", (2, 1, "unknown-key", "dag")),
    "an unknown key in a template that nobody uses": (
        f"format: 1\ntemplates:\n  t: {{retrys: 1}}\ndags:\n  - dag_id: a\n    {TASKS}",
        (3, 7, "unknown-key", "templates.t.retrys"),
    ),
    "a parent that does not exist": (
        ONE + f"    extends: b\n    {TASKS}",
        (4, 14, "unknown-template", "extends"),
    ),
    "templates in a circle": (
        "format: 1\ntemplates:\n  a: {extends: b}\n  b: {extends: a}\ndags:\n  - {dag_id: a, extends: a}",
        (4, 16, "inheritance-cycle", "extends"),
    ),
    "a block that does not exist": (
        "format: 1\ndags:\n  - dag_id: a\n    blocks: [checks]",
        (4, 14, "unknown-block", "blocks[0]"),
    ),
    "an override of nothing": (
        f"format: 1\ndefault_environment: d\nenvironments:\n  d: {{dags: {{b: {{}}}}}}\n"
        f"dags:\n  - dag_id: a\n    {TASKS}",
        (4, 14, "unknown-dag", "environments.d.dags.b"),
    ),
    "an environment that does not exist": (
        f"format: 1\ndefault_environment: x\nenvironments: {{d: {{}}}}\ndags:\n  - dag_id: a\n    {TASKS}",
        (3, 1, "unknown-environment", "environments"),
    ),
    "an undefined variable": (
        ONE + f"    description: in ${{vars.region}}\n    {TASKS}",
        (4, 18, "undefined-variable", "description"),
    ),
    "an environment variable that is not allowed": (
        ONE + f"    description: ${{env.HOME}}\n    {TASKS}",
        (4, 18, "environment-variable-not-allowed", "description"),
    ),
    "an environment variable that is not set": (
        ONE + f"    description: ${{env.FACTORY_TEST_ABSENT}}\n    {TASKS}",
        (4, 18, "missing-environment-variable", "description"),
    ),
    "all environment variables at once": (
        ONE + f"    description: ${{env}}\n    {TASKS}",
        (4, 18, "undefined-variable", "description"),
    ),
    "the same DAG twice": (
        ONE + f"    {TASKS}\n  - dag_id: a\n    {TASKS}",
        (5, 5, "duplicate-dag-id", "dag_id"),
    ),
    "a DAG without tasks": ("format: 1\ndags:\n  - dag_id: a", (3, 5, "missing-key", "tasks")),
    "a task that does nothing": (
        "format: 1\ndags:\n  - dag_id: a\n    tasks: [{id: extract}]",
        (4, 14, "missing-key", "tasks[0].id"),
    ),
    "a timezone that does not exist": (
        ONE + f"    timezone: Mars\n    {TASKS}",
        (4, 5, "wrong-value", "timezone"),
    ),
    "a duration without a unit": (
        ONE + f"    dagrun_timeout: 5\n    {TASKS}",
        (4, 5, "wrong-value", "dagrun_timeout"),
    ),
    "any and all assets": (
        ONE + f"    schedule: {{any: [x], all: [y]}}\n    {TASKS}",
        (4, 5, "bad-schedule", "schedule"),
    ),
    "a trigger rule that does not exist": (
        USE + "empty, trigger_rule: dummy}]",
        (4, 38, "wrong-value", "tasks[0].trigger_rule"),
    ),
    "a param whose default breaks its schema": (
        ONE + f"    params: {{n: {{type: integer, default: x}}}}\n    {TASKS}",
        (4, 33, "wrong-param", "params.n.default"),
    ),
    "a param with a schema that is none": (
        ONE + f"    params: {{n: {{type: int, default: 1}}}}\n    {TASKS}",
        (4, 14, "wrong-param", "params.n"),
    ),
    "a scheduled DAG that needs a param": (
        ONE + f"    schedule: '@daily'\n    params: {{n: {{type: integer}}}}\n    {TASKS}",
        (5, 14, "wrong-param", "params.n"),
    ),
    "an allowed path without an operator": (
        USE + "airflow.providers.standard.operators.empty.No}]",
        (4, 21, "operator-not-found", "tasks[0].operator"),
    ),
    "a class that is no operator": (
        USE + "airflow.providers.standard.hooks.subprocess.SubprocessHook}]",
        (4, 21, "operator-not-found", "tasks[0].operator"),
    ),
    "a function that does not exist": (
        CALL + "customers.no}]",
        (4, 21, "callable-not-found", "tasks[0].callable"),
    ),
    "a private function": (
        CALL + "model_pipeline._rows}]",
        (4, 21, "callable-not-found", "tasks[0].callable"),
    ),
    "a module that an allowed one imports": (
        CALL + "retraining.json.loads}]",
        (4, 21, "callable-not-found", "tasks[0].callable"),
    ),
    "a built-in operator that is not allowed": (
        USE + "http, arguments: {endpoint: x}}]",
        (4, 21, "operator-not-allowed", "tasks[0].operator"),
    ),
    "the same by the name of its class": (
        USE + "TriggerDagRunOperator, arguments: {trigger_dag_id: x}}]",
        (4, 21, "operator-not-allowed", "tasks[0].operator"),
    ),
    "a pool that replaces the template's": (
        USE + "bash, arguments: {bash_command: x, pool: other}}]",
        (4, 37, "wrong-arguments", "tasks[0].arguments"),
    ),
    "a callback as an argument": (
        USE + "empty, arguments: {on_failure_callback: x}}]",
        (4, 38, "wrong-arguments", "tasks[0].arguments"),
    ),
    "a queue for each mapped task": (
        USE + "bash, arguments: {bash_command: x}, expand: {queue: [a, b]}}]",
        (4, 67, "wrong-arguments", "tasks[0].expand"),
    ),
    "the result of a task as executor": (
        ONE + "    tasks: [{id: y, operator: empty}, {id: x, operator: empty, inputs: {executor: y}}]",
        (4, 64, "wrong-arguments", "tasks[1].inputs"),
    ),
    "an argument that the function does not have": (
        CALL + "customers.extract_data, arguments: {day: 1}}]",
        (4, 21, "wrong-arguments", "tasks[0].callable"),
    ),
    "an argument that is absent": (
        CALL + "customers.transform_data}]",
        (4, 21, "wrong-arguments", "tasks[0].callable"),
    ),
    "an operator without its callable": (
        USE + "branch}]",
        (4, 21, "missing-key", "tasks[0].operator"),
    ),
    "a callable that nothing runs": (
        USE + "empty, callable: airflow_usecases.customers.extract_data}]",
        (4, 38, "wrong-value", "tasks[0].callable"),
    ),
}  # fmt: skip


def problems_of(tmp_path, text, name="dags.yaml", **options):
    path = tmp_path / name
    path.write_text(text)
    return read_definitions(path, POLICY, name=name, **options).problems


@pytest.mark.parametrize("case", CASES)
def test_a_problem_has_its_name_its_place_and_its_key(tmp_path, case):
    text, (line, column, code, key) = CASES[case]
    found = [(*problem.mark, problem.code, problem.key) for problem in problems_of(tmp_path, text)]
    assert found == [("dags.yaml", line, column, code, key)]


def test_every_problem_has_a_documented_name(tmp_path):
    used = {expected[2] for _, expected in CASES.values()}
    assert used <= set(CODES)


def test_all_problems_of_a_file_are_told_at_once_in_the_order_of_the_file(tmp_path):
    text = textwrap.dedent(
        """
        format: 1
        dags:
          - dag_id: first
            schedule: sometimes
            tasks: [{id: x, operator: nothing}]
          - dag_id: second
            max_active_runs: 0
            tasks: [{id: x, operator: empty}]
        """
    )
    found = [(problem.mark.line, problem.code, problem.dag_id) for problem in problems_of(tmp_path, text)]
    assert found == [
        (5, "bad-schedule", "first"),
        (6, "unknown-operator", "first"),
        (8, "wrong-value", "second"),
    ]


HIDING = """
format: 1
dags:
  - dag_id: cyc
    catchup: "yes"
    task_defaults: {retry_delay: 5}
    tasks:
      - {id: a, operator: bash, arguments: {bash_comand: x}, dependencies: [b]}
      - {id: b, operator: bash, arguments: {bash_command: x}, dependencies: [a]}
      - {id: c, operator: bash, trigger_rule: all_good, execution_timeout: 1x}
      - {id: d, operatr: bash}
  - dag_id: cyc
    tasks: [{id: a, operator: empty}]
  - dag_id: lost
    description: ${vars.nope}
    tasks: [{id: a, operator: nothing}]
  - dag_id: lost
    tasks: [{id: a, operator: empty}]
  - dag_id: nightly load
    tasks: [{id: a, operator: nothing}]
"""


def test_a_problem_hides_no_other_one(tmp_path):
    found = [(problem.mark.line, problem.code, problem.key) for problem in problems_of(tmp_path, HIDING)]
    assert found == [
        (5, "wrong-value", "catchup"),
        (6, "wrong-value", "task_defaults.retry_delay"),
        (8, "wrong-arguments", "tasks[0]"),
        (8, "dependency-cycle", "tasks[0].dependencies"),
        (10, "wrong-arguments", "tasks[2]"),
        (10, "wrong-value", "tasks[2].trigger_rule"),
        (10, "wrong-value", "tasks[2].execution_timeout"),
        (11, "unknown-key", "tasks[3].operatr"),
        (12, "duplicate-dag-id", "dag_id"),
        (15, "undefined-variable", "description"),
        (17, "duplicate-dag-id", "dag_id"),
        (19, "wrong-value", "dag_id"),
    ]


def test_the_second_dag_with_the_id_of_a_broken_one_is_not_counted(tmp_path):
    path = tmp_path / "dags.yaml"
    path.write_text(HIDING)
    assert read_definitions(path, POLICY).definitions == ()


def test_what_could_not_be_looked_at_is_told(tmp_path):
    messages = {problem.mark.line: problem.message for problem in problems_of(tmp_path, HIDING)}
    assert messages[11].endswith("; further checks of tasks[3] follow when this is repaired")
    assert messages[15].endswith("; further checks of lost follow when this is repaired")
    assert messages[19].endswith("; further checks of nightly load follow when this is repaired")
    [problem] = problems_of(tmp_path, USE + "http}]")
    assert problem.message.endswith("; the arguments are checked when this is repaired")
    [problem] = problems_of(tmp_path, f"format: 1\ndags:\n  - {TASKS}")
    assert problem.message.endswith("; further checks of this DAG follow when this is repaired")


@pytest.mark.parametrize(
    "task",
    [
        "operator: bash, arguments: {bash_comand: x}",
        "operator: bash, inputs: {bash_comand: y}",
        "operator: bash, expand: {bash_comand: [x, y]}",
        "operator: bash, expand: {bash_comand: y}",
        "operator: bash, arguments: {bash_command: x, bash_comand: x}",
    ],
)
def test_a_misspelt_argument_of_an_operator_comes_with_a_suggestion(tmp_path, task):
    text = ONE + f"    tasks: [{{id: y, operator: empty}}, {{id: x, {task}}}]"
    [problem] = problems_of(tmp_path, text)
    assert (problem.code, problem.key) == ("wrong-arguments", "tasks[1]")
    assert problem.message.startswith("task 'x': ")
    assert "trial" not in problem.message
    assert problem.message.endswith("'bash_comand' is no argument of it (did you mean 'bash_command'?)")


def test_a_misspelt_argument_of_a_function_comes_with_a_suggestion(tmp_path):
    text = CALL + "customers.transform_data, arguments: {customer: 1, shop: 2}}]"
    [problem] = problems_of(tmp_path, text)
    assert problem.message.endswith("not customer (did you mean 'customers'?), shop")


def test_inputs_of_every_kind_are_no_problem(tmp_path):
    text = ONE + (
        "    task_defaults: {pool: small}\n    tasks:\n      - {id: y, operator: empty}\n"
        "      - {id: one, operator: bash, inputs: {bash_command: y}, trigger_rule: all_done}\n"
        "      - {id: many, operator: bash, expand: {bash_command: y}}\n"
        "      - {id: trial, operator: bash, arguments: {bash_command: x}, dependencies: [many]}\n"
    )
    assert problems_of(tmp_path, text) == ()


def test_a_file_without_a_format_has_its_other_problems_told_and_makes_no_dag(tmp_path):
    path = tmp_path / "dags.yaml"
    path.write_text(
        "dags:\n  - {dag_id: a, tasks: [{id: x, operator: nothing}]}\n"
        "  - {dag_id: b, tasks: [{id: x, operator: empty}]}\n"
    )
    loaded = read_definitions(path, POLICY)
    assert [(problem.code, problem.mark.line) for problem in loaded.problems] == [
        ("missing-key", 1),
        ("unknown-operator", 2),
    ]
    assert loaded.definitions == ()
    assert load_dags(path, {}, policy=POLICY) == {}


@pytest.mark.parametrize(
    ("task", "remedy"),
    [
        ("callable: my_team.jobs.run", "allow it by `dag-factory ... --callables my_team.jobs` and"),
        ("callable: my_team.jobs.run", '`Policy(callables=("my_team.jobs",))` in Python'),
        ("operator: http", "allow it by `dag-factory ... --builtin http` and"),
        ("operator: spark", "`dag-factory ... --operator spark=PATH`"),
        ("operator: my_team.ops.Spark", "allow it by `dag-factory ... --operator-path my_team.ops` and"),
        ("operator: empty, doc: '${env.HOME}'", "allow it by `dag-factory ... --allow-env HOME` and"),
    ],
)
def test_what_is_not_allowed_comes_with_the_way_to_allow_it(tmp_path, task, remedy):
    [problem] = problems_of(tmp_path, ONE + f"    tasks: [{{id: x, {task}}}]\n")
    assert remedy in problem.message


@pytest.mark.parametrize("failure", ["1 / 0", "import nothing_such", "def", "raise SystemExit(3)"])
def test_a_module_that_cannot_be_imported_is_a_problem_of_its_own_dag(tmp_path, monkeypatch, failure):
    (tmp_path / "factory_test_failing.py").write_text(failure)
    (tmp_path / "factory_test_working.py").write_text("def work(): pass")
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "dags.yaml"
    path.write_text(
        "format: 1\ndags:\n  - {dag_id: bad, tasks: [{id: x, callable: factory_test_failing.work}]}\n"
        "  - {dag_id: good, tasks: [{id: x, callable: factory_test_working.work}]}\n"
    )
    policy = Policy(callables=("factory_test_failing", "factory_test_working"))
    [problem] = read_definitions(path, policy).problems
    assert (problem.code, problem.mark.line, problem.dag_id) == ("callable-not-found", 3, "bad")
    assert "cannot import factory_test_failing: " in problem.message
    namespace = {}
    assert set(load_dags(path, namespace, policy=policy)) == {"good"}
    assert "definition_errors_dags.yaml" in namespace


def test_a_function_that_an_allowed_module_imported_is_refused(tmp_path, monkeypatch):
    (tmp_path / "factory_test_importing.py").write_text("from shutil import rmtree\n")
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "dags.yaml"
    path.write_text(ONE + "    tasks: [{id: x, callable: factory_test_importing.rmtree}]\n")
    [problem] = read_definitions(path, Policy(callables=("factory_test_importing",))).problems
    assert (problem.code, problem.key) == ("callable-not-allowed", "tasks[0].callable")


@pytest.mark.parametrize("name", ["bash", "email", "file_sensor", "http", "trigger_dag"])
def test_a_policy_without_a_word_on_it_allows_no_operator_that_reaches_out(tmp_path, name):
    path = tmp_path / "dags.yaml"
    path.write_text(ONE + f"    tasks: [{{id: x, operator: {name}}}]\n")
    [problem] = read_definitions(path, Policy()).problems
    assert problem.code == "operator-not-allowed"
    assert "operator-not-allowed" not in {
        problem.code for problem in read_definitions(path, Policy(builtins=(name,))).problems
    }


def test_a_policy_with_an_unknown_built_in_operator_is_refused():
    with pytest.raises(ValueError, match="no built-in operators: bsh"):
        Policy(builtins=("bsh",))


def test_a_misspelt_key_comes_with_a_suggestion(tmp_path):
    [problem] = problems_of(tmp_path, ONE + f"    sheduel: x\n    {TASKS}")
    assert "did you mean 'schedule'?" in problem.message


def test_a_file_that_is_not_there_is_a_problem_too(tmp_path):
    [problem] = read_definitions(tmp_path / "none.yaml", POLICY).problems
    assert problem.code == "unreadable-file"


def test_aliases_cannot_blow_a_file_up(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    [problem] = problems_of(tmp_path, "\n".join(lines))
    assert problem.code == "yaml-syntax"
    assert "values" in problem.message


def test_a_list_that_contains_itself_ends(tmp_path):
    [problem] = problems_of(tmp_path, "format: 1\ndags: &a [*a]")
    assert problem.code == "yaml-syntax"


def test_the_operator_refusing_its_arguments_names_the_task(tmp_path):
    path = tmp_path / "dags.yaml"
    path.write_text("format: 1\ndags:\n  - dag_id: a\n    tasks:\n      - {id: x, operator: bash}\n")
    namespace = {}
    assert load_dags(path, namespace, policy=POLICY) == {}
    [broken] = namespace.values()
    with pytest.raises(
        Exception, match=r"dags\.yaml:5:9: wrong-arguments: a: tasks\[0\]: task 'x'.*bash_command"
    ):
        broken.validate()


def test_no_code_runs_when_a_file_is_read(tmp_path):
    marker = tmp_path / "ran"
    text = ONE + f"    tasks: [{{id: x, callable: os.system, arguments: {{command: 'touch {marker}'}}}}]"
    assert [problem.code for problem in problems_of(tmp_path, text)] == ["callable-not-allowed"]
    assert not marker.exists()


def test_a_prefix_of_an_allowed_module_is_not_allowed(tmp_path):
    text = "format: 1\ndags:\n  - dag_id: a\n    tasks: [{id: x, callable: airflow_usecases_evil.run}]"
    assert [problem.code for problem in problems_of(tmp_path, text)] == ["callable-not-allowed"]
