"""One template, three environments, and the same output every time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.dags.home import LIBRARY
from tests.dags.library import bag, parse
from tests.dags.runner import run

from tenant_airflow_lib.factory import DefinitionError, Policy, read_definitions, render_template

DAG_ID = "phase15_02_jinja_templates"
FILE = LIBRARY / "phase15" / "02_jinja_templates.py"
TEMPLATE = FILE.with_name("configs") / "order_export.yaml.j2"
VARIABLES = TEMPLATE.with_name("environments.yaml")
POLICY = Policy(callables=("airflow_usecases",), environment_variables=("ORDER_EXPORT_TARGET",))
GOLDEN = Path(__file__).with_name("golden")


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    monkeypatch.delenv("DAG_FACTORY_ENVIRONMENT", raising=False)
    monkeypatch.delenv("ORDER_EXPORT_TARGET", raising=False)


@pytest.mark.covers("P15.2")
@pytest.mark.parametrize("environment", ["dev", "stage", "prod"])
def test_the_template_renders_the_golden_file_of_an_environment(environment):
    text = render_template(TEMPLATE, POLICY, environment=environment, variables=VARIABLES)
    assert text == (GOLDEN / f"{environment}.yaml").read_text()


@pytest.mark.covers("P15.2")
@pytest.mark.parametrize(
    ("environment", "schedule", "retries", "tasks"),
    [
        ("dev", None, 1, ["export_orders", "export_customers"]),
        ("stage", "30 5 * * *", 2, ["export_orders", "export_customers"]),
        ("prod", "0 5 * * *", 4, ["export_orders", "export_customers", "export_refunds", "compare_counts"]),
    ],
)
def test_the_environment_of_the_airflow_decides_which_dag_it_is(
    monkeypatch, environment, schedule, retries, tasks
):
    monkeypatch.setenv("DAG_FACTORY_ENVIRONMENT", environment)
    dag = parse(FILE, LIBRARY).dags[DAG_ID]
    assert dag.schedule == schedule
    assert dag.task_ids == tasks
    assert {task.retries for task in dag.tasks} == {retries}
    assert environment in dag.tags


@pytest.mark.covers("P15.2")
@pytest.mark.parametrize("environment", ["dev", "stage", "prod"])
def test_two_parses_give_the_same_serialized_hash(monkeypatch, environment):
    monkeypatch.setenv("DAG_FACTORY_ENVIRONMENT", environment)
    assert hash_of(FILE) == hash_of(FILE)


def test_a_changed_value_gives_another_hash(monkeypatch):
    before = hash_of(FILE)
    monkeypatch.setenv("ORDER_EXPORT_TARGET", "file:///elsewhere")
    assert hash_of(FILE) != before


def hash_of(file):
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.serialization.serialized_objects import DagSerialization

    return SerializedDagModel.hash(DagSerialization.to_dict(parse(file, LIBRARY).dags[DAG_ID]))


@pytest.mark.covers("P15.2")
def test_an_allow_listed_environment_variable_is_substituted_and_the_export_goes_there(monkeypatch, tmp_path):
    monkeypatch.setenv("DAG_FACTORY_ENVIRONMENT", "prod")
    monkeypatch.setenv("ORDER_EXPORT_TARGET", f"file://{tmp_path}")
    done = run(DAG_ID)
    assert done.state == "success"
    assert done.xcom("compare_counts") == 5
    [written] = (tmp_path / "orders").iterdir()
    assert [json.loads(line)["order_id"] for line in written.read_text().splitlines()] == [1, 2]
    assert len(written.stem) == len("2026-01-01")  # Airflow rendered the day when the task ran


@pytest.mark.covers("P15.2")
def test_a_variable_that_is_not_on_the_allow_list_is_refused(monkeypatch):
    monkeypatch.setenv("ORDER_EXPORT_TARGET", "file:///somewhere")
    closed = Policy(callables=("airflow_usecases",))
    with pytest.raises(DefinitionError, match=r"environment-variable-not-allowed.*ORDER_EXPORT_TARGET"):
        render_template(TEMPLATE, closed, variables=VARIABLES)


@pytest.mark.covers("P15.2")
def test_an_environment_that_does_not_exist_is_refused():
    loaded = read_definitions(TEMPLATE, POLICY, environment="production", variables=VARIABLES)
    assert [problem.code for problem in loaded.problems] == ["unknown-environment"]
    assert "dev, stage, prod" in loaded.problems[0].message
    assert loaded.definitions == ()


def test_the_documentation_of_the_file_is_that_of_the_dag():
    assert bag().dags[DAG_ID].doc_md.startswith("# A DAG rendered for its environment")
