"""Three pipelines from one definition."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml
from tests.dags.home import LIBRARY
from tests.dags.library import bag, parse
from tests.dags.runner import run

from tenant_airflow_lib.factory import schema

FILE = LIBRARY / "team_ml" / "training" / "dynamic_dag_factory.py"
LINE = [
    "start", "load_data", "preprocess", "train_model", "evaluate_model", "deploy_model", "end",
]  # fmt: skip
PIPELINES = {
    "ml_pipeline_customer_churn_daily": (
        "0 2 * * *", "churn_classifier", "s3://data/customers/",
        ["tenure", "monthly_charges", "total_charges"],
    ),
    "ml_pipeline_fraud_detection_hourly": (
        "0 * * * *", "fraud_detector", "s3://data/transactions/",
        ["amount", "merchant_category", "time_since_last_txn"],
    ),
    "ml_pipeline_recommendation_weekly": (
        "0 0 * * 0", "recommender", "s3://data/interactions/", ["user_id", "item_id", "rating"],
    ),
}  # fmt: skip


@pytest.mark.covers("D002-2")
def test_the_file_makes_exactly_the_three_pipelines():
    found = parse(FILE, LIBRARY)
    assert found.import_errors == {}
    assert set(found.dags) == set(PIPELINES)


@pytest.mark.covers("D002-2")
@pytest.mark.parametrize("dag_id", PIPELINES)
def test_a_pipeline_has_its_schedule_its_tags_and_the_line_of_tasks(dag_id):
    dag = bag().dags[dag_id]
    schedule, model, source, features = PIPELINES[dag_id]
    assert dag.timetable.expression == schedule
    assert set(dag.tags) - {"config:1.0.0"} == {"ml", "dynamic", model}
    assert dag.get_task("load_data").op_kwargs == {"source": source, "features": features}
    assert {task.task_id: task.downstream_task_ids for task in dag.tasks} == {
        name: set(LINE[place + 1 : place + 2]) for place, name in enumerate(LINE)
    }
    assert {task.owner for task in dag.tasks} == {"ml-team"}
    assert not dag.catchup


@pytest.mark.covers("D002-2")
@pytest.mark.parametrize("dag_id", PIPELINES)
def test_a_run_deploys_the_pipelines_own_model(dag_id):
    done = run(dag_id)
    assert done.states == dict.fromkeys(LINE, "success")
    assert done.xcom("deploy_model")["model"] == PIPELINES[dag_id][1]
    assert done.xcom("deploy_model")["accuracy"] >= 0.5


@pytest.mark.covers("D002-2")
def test_the_definition_satisfies_the_committed_schema():
    definition = yaml.safe_load(FILE.with_suffix(".yaml").read_text())
    jsonschema.Draft202012Validator(json.loads(schema.FILE.read_text())).validate(definition)
