"""YAML becomes DAGs; what is wrong with it is named, and nothing is half built."""

from __future__ import annotations

import json
import textwrap

import jsonschema
import pytest
import yaml
from tests.dags.home import LIBRARY
from tests.dags.library import bag, parse
from tests.dags.runner import run

from tenant_airflow_lib.factory import Policy, load_dags, read_definitions, schema

FILE = LIBRARY / "phase15" / "01_yaml_dag_factory.py"
DEFINITIONS = FILE.with_name("configs") / "dag_definitions.yaml"
POLICY = Policy(callables=("airflow_usecases",), builtins=("bash",))

GOOD = """
  - dag_id: good
    tasks:
      - id: extract
        operator: empty
"""
# name -> (definition, line, code, key)
BAD = {
    "a misspelt key": (
        """
        - dag_id: bad
          shedule: "@daily"
          tasks: [{id: extract, operator: empty}]
        """,
        8,
        "unknown-key",
        "shedule",
    ),
    "a missing dag_id": (
        """
        - schedule: "@daily"
          tasks: [{id: extract, operator: empty}]
        """,
        7,
        "missing-key",
        "dag_id",
    ),
    "a schedule that is none": (
        """
        - dag_id: bad
          schedule: every morning
          tasks: [{id: extract, operator: empty}]
        """,
        8,
        "bad-schedule",
        "schedule",
    ),
    "a dependency that does not exist": (
        """
        - dag_id: bad
          tasks:
            - {id: extract, operator: empty}
            - id: transform
              operator: empty
              dependencies: [extrakt]
        """,
        12,
        "unknown-dependency",
        "tasks[1].dependencies[0]",
    ),
    "tasks in a circle": (
        """
        - dag_id: bad
          tasks:
            - {id: extract, operator: empty, dependencies: [transform]}
            - {id: transform, operator: empty, dependencies: [extract]}
        """,
        9,
        "dependency-cycle",
        "tasks[0].dependencies",
    ),
    "an operator nobody registered": (
        """
        - dag_id: bad
          tasks:
            - {id: extract, operator: SparkSubmit}
        """,
        9,
        "unknown-operator",
        "tasks[0].operator",
    ),
    "a callable that is not allowed": (
        """
        - dag_id: bad
          tasks:
            - {id: extract, callable: os.system, arguments: {command: "true"}}
        """,
        9,
        "callable-not-allowed",
        "tasks[0].callable",
    ),
    "the same task twice": (
        """
        - dag_id: bad
          tasks:
            - {id: extract, operator: empty}
            - {id: extract, operator: empty}
        """,
        10,
        "duplicate-task-id",
        "tasks[1].id",
    ),
    "a number as text": (
        """
        - dag_id: bad
          max_active_runs: "1"
          tasks: [{id: extract, operator: empty}]
        """,
        8,
        "wrong-value",
        "max_active_runs",
    ),
    "an argument that the operator refuses": (
        """
        - dag_id: bad
          tasks:
            - {id: extract, operator: bash, arguments: {comand: "true"}}
        """,
        9,
        "wrong-arguments",
        "tasks[0]",
    ),
}


def written(tmp_path, definition):
    path = tmp_path / "configs" / "definitions.yaml"
    path.parent.mkdir()
    path.write_text(
        "format: 1\ndags:" + GOOD + textwrap.indent(textwrap.dedent(definition), "  ").strip("\n")
    )
    return path


@pytest.mark.covers("P15.1")
def test_the_sample_gives_that_dag():
    dag = bag().dags["etl_customer_data"]
    assert dag.schedule == "@daily"
    assert dag.task_ids == ["extract", "transform"]
    assert dag.get_task("extract").downstream_task_ids == {"transform"}
    assert dag.get_task("extract").python_callable.__name__ == "extract_data"
    assert dag.get_task("transform").python_callable.__name__ == "transform_data"
    assert "config:1.1.0" in dag.tags
    assert "`configs/dag_definitions.yaml` (version 1.1.0, environment prod)" in dag.doc_md


@pytest.mark.covers("P15.1")
def test_the_file_gives_its_dag_and_those_of_its_definitions():
    found = parse(FILE, LIBRARY)
    assert found.import_errors == {}
    assert set(found.dags) == {"phase15_01_yaml_dag_factory", "etl_customer_data", "etl_customer_segments"}


@pytest.mark.covers("P15.1")
def test_a_run_of_the_sample_transforms_what_was_extracted():
    done = run("etl_customer_data")
    assert done.states == {"extract": "success", "transform": "success"}
    assert (
        done.xcom("transform")["rows"] == 3
    )  # the template replaced ${vars.minimum_rows} by 3, which is enough
    assert done.xcom("transform")["dropped"] == 1


def test_the_mapped_definition_has_a_task_for_each_country():
    done = run("etl_customer_segments")
    assert done.mapped("summarise") == 3
    assert {done.xcom("summarise", map_index=index) for index in range(3)} == {"DE: 1", "FI: 1", "US: 2"}


@pytest.mark.covers("P15.1")
@pytest.mark.parametrize("name", BAD)
def test_a_bad_config_is_a_named_error_and_no_half_built_dag(tmp_path, name):
    definition, line, code, key = BAD[name]
    path = written(tmp_path, definition)
    namespace = {}
    dags = load_dags(path, namespace, policy=POLICY)
    assert set(dags) == {"good"}
    assert [value.dag_id for value in namespace.values() if getattr(value, "tasks", None)] == ["good"]
    [broken] = [value for name, value in namespace.items() if name.startswith("definition_errors")]
    with pytest.raises(Exception, match=code) as refused:
        broken.validate()
    [problem] = refused.value.problems
    assert (problem.code, problem.key) == (code, key)
    assert (problem.mark.file, problem.mark.line) == ("configs/definitions.yaml", line)
    assert str(problem).startswith(f"configs/definitions.yaml:{line}:")


@pytest.mark.covers("P15.1")
def test_the_definitions_satisfy_the_schema_that_editors_use():
    checker = jsonschema.Draft202012Validator(json.loads(schema.FILE.read_text()))
    checker.validate(yaml.safe_load(DEFINITIONS.read_text()))
    [line] = [line for line in DEFINITIONS.read_text().splitlines() if "yaml-language-server" in line]
    assert (DEFINITIONS.parent / line.partition("$schema=")[2]).resolve() == schema.FILE.resolve()


def test_the_dag_reports_the_version_of_every_file():
    done = run("phase15_01_yaml_dag_factory")
    assert done.state == "success"
    assert done.xcom("report_versions") == {"dag_definitions.yaml": "1.1.0"}
    report = done.xcom("check_file", map_index=0)
    ids = ["etl_customer_data", "etl_customer_segments"]
    assert report["dags"] == {"dev": ids, "prod": ids}
    assert done.tasks["check_file[0]"].rendered_map_index == "dag_definitions.yaml"


@pytest.mark.covers("P15.1")
def test_an_environment_changes_what_it_overrides_only():
    [dev, _] = read_definitions(DEFINITIONS, POLICY, environment="dev").definitions
    [prod, _] = read_definitions(DEFINITIONS, POLICY, environment="prod").definitions
    assert (dev.dag.schedule, prod.dag.schedule) == (None, "@daily")
    assert dev.dag.tags == [*prod.dag.tags, "dev"]
    assert dev.dag.tasks == prod.dag.tasks
