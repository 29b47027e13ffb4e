"""The command `dag-factory`."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import jsonschema
import pytest
import yaml
from tests.dags.home import LIBRARY

from tenant_airflow_lib.factory import CODES, Policy, read_definitions, schema
from tenant_airflow_lib.factory.cli import main

CONFIGS = LIBRARY / "phase15" / "configs"
GOOD = str(CONFIGS / "dag_definitions.yaml")
ALLOW = ["--callables", "airflow_usecases"]


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("format: 1\ndags:\n  - dag_id: a\n    tasks: [{id: x, operator: nothing}]\n")
    return str(path)


def call(*arguments):
    out = io.StringIO()
    return main(arguments, out), out.getvalue()


def failing(*arguments):
    """What a command that prints YAML writes to standard error; nothing may be in its output."""
    out, err = io.StringIO(), io.StringIO()
    assert (main(arguments, out, err), out.getvalue()) == (1, "")
    return err.getvalue()


def test_files_without_problems_exit_with_0():
    code, out = call("validate", GOOD, str(CONFIGS / "tenants.yaml"), *ALLOW)
    assert (code, out) == (0, "2 files, 7 DAGs, no problems\n")


def test_every_environment_of_a_file_is_checked(tmp_path):
    path = tmp_path / "dags.yaml"
    path.write_text(
        "format: 1\ndefault_environment: a\nenvironments: {a: {}, b: {overrides: {schedule: never}}}\n"
        "dags:\n  - {dag_id: x, tasks: [{id: t, operator: empty}]}\n"
    )
    assert call("validate", str(path))[0] == 1
    assert call("validate", str(path), "--environment", "a")[0] == 0


def test_a_template_is_checked_in_the_environments_of_its_variables():
    variables = ["--variables", str(CONFIGS / "environments.yaml"), "--allow-env", "ORDER_EXPORT_TARGET"]
    code, out = call("validate", str(CONFIGS / "order_export.yaml.j2"), *variables, *ALLOW)
    assert (code, out) == (0, "1 file, 3 DAGs, no problems\n")


def test_problems_exit_with_1_and_one_line_each(bad):
    code, out = call("validate", bad, GOOD, *ALLOW)
    assert code == 1
    first, last = out.splitlines()
    assert first.startswith(f"{bad}:4:21: unknown-operator: a: tasks[0].operator: ")
    assert last == "2 files, 4 DAGs, 1 problem"
    assert call("validate", bad)[1].splitlines()[-1] == "1 file, no DAGs, 1 problem"


def test_problems_as_json(bad):
    code, out = call("validate", bad, "--format", "json")
    [problem] = json.loads(out)["problems"]
    assert code == 1
    assert problem.pop("message")
    assert problem == {
        "file": bad,
        "line": 4,
        "column": 21,
        "code": "unknown-operator",
        "dag_id": "a",
        "key": "tasks[0].operator",
    }


def test_what_only_airflow_finds_is_reported_too(tmp_path):
    path = tmp_path / "dags.yaml"
    path.write_text("format: 1\ndags:\n  - {dag_id: x, tasks: [{id: t, operator: bash}]}\n")
    code, out = call("validate", str(path), "--builtin", "bash")
    assert code == 1
    assert "wrong-arguments" in out


def test_a_file_that_does_not_exist_is_a_problem(tmp_path):
    code, out = call("validate", str(tmp_path / "none.yaml"))
    assert (code, "unreadable-file" in out) == (1, True)


def test_list_names_the_dags_with_their_places():
    code, out = call("list", str(CONFIGS / "tenants.yaml"), *ALLOW, "--format", "json")
    rows = json.loads(out)["dags"]
    assert code == 0
    assert [(row["dag_id"], row["tasks"]) for row in rows] == [
        ("acme_usage_report", 4),
        ("globex_usage_report", 4),
        ("initech_usage_report", 4),
    ]
    assert call("list", GOOD, *ALLOW, "--environment", "dev")[1].startswith(
        f"etl_customer_data\tby hand\t2 tasks\tdev\t{GOOD}:29\n"
    )


def test_list_tells_a_problem_once_for_all_environments(tmp_path):
    path = tmp_path / "dags.yaml"
    path.write_text(
        "format: 1\ndefault_environment: a\nenvironments: {a: {}, b: {}}\n"
        "dags:\n  - {dag_id: x, tasks: [{id: t, operator: nothing}]}\n"
    )
    code, out = call("list", str(path))
    assert (code, len(out.splitlines()), out.splitlines()[-1]) == (1, 2, "1 problem")


def test_render_prints_the_yaml_of_a_template():
    template = str(CONFIGS / "order_export.yaml.j2")
    options = ["--variables", str(CONFIGS / "environments.yaml"), "--allow-env", "ORDER_EXPORT_TARGET"]
    code, out = call("render", template, *options, "--environment", "prod")
    assert code == 0
    assert yaml.safe_load(out)["dags"][0]["schedule"] == "0 5 * * *"
    assert "environment-variable-not-allowed" in failing("render", template, "--environment", "prod")


def test_the_committed_schema_is_the_one_of_the_models():
    assert call("schema") == (0, schema.FILE.read_text())
    jsonschema.Draft202012Validator.check_schema(json.loads(schema.FILE.read_text()))


@pytest.mark.parametrize(
    "wrong",
    [
        {"format": 1, "dags": [{"dag_id": "a", "taks": []}]},
        {"format": 1, "dags": [{"schedule": "@daily"}]},
        {"format": 2, "dags": [{"dag_id": "a"}]},
        {"format": 1, "dags": [{"dag_id": "a", "dagrun_timeout": "soon"}]},
        {"format": 1, "dags": [{"dag_id": "a", "tasks": [{"id": "x", "retries": "3"}]}]},
        {"format": 1, "dags": []},
    ],
)
def test_an_editor_with_the_schema_marks_what_is_wrong(wrong):
    assert not jsonschema.Draft202012Validator(schema.json_schema()).is_valid(wrong)


def test_every_key_of_the_schema_is_described():
    whole = schema.json_schema()
    parts = {"the file": whole, **whole["$defs"]}
    bare = [
        f"{part}.{name}"
        for part, content in parts.items()
        for name, field in content.get("properties", {}).items()
        if not field.get("description")
    ]
    assert bare == []


def test_codes_lists_every_name():
    code, out = call("codes")
    assert code == 0
    assert [line for line in out.splitlines() if not line.startswith(" ")] == list(CODES)


@pytest.mark.parametrize("arguments", [[], ["explode"], ["validate"], ["validate", "x", "--format", "xml"]])
def test_a_wrong_command_line_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        call(*arguments)
    assert stopped.value.code == 2


@pytest.mark.parametrize("arguments", [["--help"], ["validate", "--help"], ["render", "--help"]])
def test_help_exits_with_0(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        call(*arguments)
    assert stopped.value.code == 0
    assert "usage: dag-factory" in capsys.readouterr().out


def test_the_module_runs_as_a_program(bad):
    done = subprocess.run(
        [sys.executable, "-m", "tenant_airflow_lib.factory.cli", "validate", bad],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "unknown-operator" in done.stdout


FOREIGN = """\
default:
  default_args: {owner: shop, start_date: 2024-01-01, retries: 1, retry_delay_sec: 300}
  schedule: "@daily"
load_shop:
  description: Loads the shop
  tasks:
    - task_id: list_files
      operator: airflow.providers.standard.operators.bash.BashOperator
      bash_command: ls
    - task_id: count_files
      operator: airflow.operators.python.PythonOperator
      python_callable: airflow_usecases.customers.extract_data
      dependencies: [list_files]
"""


def test_a_file_of_the_public_library_is_converted_to_one_that_loads(tmp_path):
    foreign, converted = tmp_path / "foreign.yaml", tmp_path / "converted.yaml"
    foreign.write_text(FOREIGN)
    code, out = call("convert", str(foreign))
    assert code == 0
    converted.write_text(out)
    policy = Policy(callables=("airflow_usecases",), builtins=("bash",))
    loaded = read_definitions(converted, policy)
    assert loaded.problems == ()
    [dag] = [definition.dag for definition in loaded.definitions]
    assert (dag.dag_id, dag.owner, dag.schedule, dag.task_defaults.retries) == (
        "load_shop",
        "shop",
        "@daily",
        1,
    )
    assert dag.task_defaults.retry_delay.total_seconds() == 300
    assert [(task.id, task.operator, task.dependencies) for task in dag.tasks] == [
        ("list_files", "bash", []),
        ("count_files", "python", ["list_files"]),
    ]
    assert dag.tasks[0].arguments == {"bash_command": "ls"}


def test_what_has_no_counterpart_is_told_and_not_dropped(tmp_path):
    foreign = tmp_path / "foreign.yaml"
    foreign.write_text(FOREIGN + "  task_groups: {a: {}}\n")
    err = failing("convert", str(foreign))
    assert f"{foreign}:14:3: unknown-key: load_shop.task_groups: has no counterpart" in err


def test_a_setting_that_definitions_cannot_have_is_told_and_not_made_an_argument(tmp_path):
    foreign = tmp_path / "foreign.yaml"
    foreign.write_text(FOREIGN.replace("bash_command: ls", "bash_command: ls\n      queue: fast"))
    assert f"{foreign}:10:7: unknown-key: load_shop.tasks[0].queue" in failing("convert", str(foreign))


def test_the_old_name_of_the_schedule_is_converted_too(tmp_path):
    foreign = tmp_path / "foreign.yaml"
    foreign.write_text(FOREIGN.replace("  schedule:", "  schedule_interval:"))
    assert yaml.safe_load(call("convert", str(foreign))[1])["dags"][0]["schedule"] == "@daily"


def test_a_definition_file_is_not_converted_again(tmp_path):
    assert "this is a definition file already" in failing("convert", GOOD)
    lacking = tmp_path / "lacking.yaml"
    lacking.write_text("dags: [{dag_id: a}]\n")
    assert "this is a definition file already" in failing("convert", str(lacking))
