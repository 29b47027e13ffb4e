"""What a real MLflow server holds after the run."""

from __future__ import annotations

import pytest
import requests
from tests.dags.runner import run

from airflow_usecases import rent_model

DAG_ID = "phase6_01_mlflow_integration"
TASKS = {
    "start_run",
    "train_model",
    "log_model",
    "register_version",
    "set_alias",
    "check_model",
    "end_run",
}


@pytest.fixture
def server(mlflow):
    """`server("runs/get", run_id=...)` asks MLflow."""
    mlflow.connection("mlflow_default")

    def ask(what, **params):
        answer = requests.get(f"{mlflow.url}/api/2.0/mlflow/{what}", params=params, timeout=10)
        answer.raise_for_status()
        return answer.json()

    ask.url = mlflow.url
    return ask


def pairs(items):
    return {item["key"]: item["value"] for item in items}


@pytest.mark.covers("P06.1")
def test_a_run_leaves_parameters_metrics_files_and_a_version_in_mlflow(server):
    done = run(DAG_ID, conf={"experiment": "rents-1", "model_name": "rents-1"})
    assert done.of("success") == TASKS
    result = done.xcom("end_run")
    assert set(result) == {"run_id", "version"}
    assert result["version"] == "1"

    kept = server("runs/get", run_id=result["run_id"])["run"]
    experiment = server("experiments/get-by-name", experiment_name="rents-1")["experiment"]
    assert kept["info"]["experiment_id"] == experiment["experiment_id"]
    assert kept["info"]["status"] == "FINISHED"
    assert pairs(kept["data"]["params"]) == {"through_origin": "False", "training_rows": "9"}
    training, kept_back = rent_model.split(rent_model.FLATS)
    expected = rent_model.evaluate(rent_model.train(training), kept_back)
    assert pairs(kept["data"]["metrics"]) == pytest.approx(expected)
    assert done.xcom("start_run")["tracking_uri"] == server.url

    files = server("artifacts/list", run_id=result["run_id"], path="model")["files"]
    assert {file["path"] for file in files} == {"model/MLmodel", "model/model.json"}
    version = server("model-versions/get", name="rents-1", version="1")["model_version"]
    assert (version["run_id"], version["source"]) == (result["run_id"], f"runs:/{result['run_id']}/model")
    assert done.xcom("check_model") == {"model_uri": "models:/rents-1@challenger", "has_signature": True}


@pytest.mark.covers("P06.1")
def test_each_run_adds_a_version_and_takes_the_alias_along(server):
    conf = {"experiment": "rents-2", "model_name": "rents-2"}
    first = run(DAG_ID, conf=conf).xcom("end_run")
    second = run(DAG_ID, conf=conf | {"through_origin": True}).xcom("end_run")
    assert (first["version"], second["version"]) == ("1", "2")
    assert first["run_id"] != second["run_id"]
    model = server("registered-models/get", name="rents-2")["registered_model"]
    assert [(item["alias"], item["version"]) for item in model["aliases"]] == [("challenger", "2")]


@pytest.mark.covers("P06.1")
def test_a_task_that_is_tried_again_goes_on_with_the_same_mlflow_run(server):
    from tenant_airflow_lib.hooks.mlflow import MLflowHook, register_once
    from tenant_airflow_lib.hooks.mlflow_runs import ensure_run

    hook = MLflowHook("mlflow_default")
    experiment_id, run_id = hook.run(ensure_run("rents-3", "dag/manual__2026-03-02T00:00:00+00:00"))
    again = hook.run(ensure_run("rents-3", "dag/manual__2026-03-02T00:00:00+00:00"))
    other = hook.run(ensure_run("rents-3", "dag/manual__2026-03-03T00:00:00+00:00"))
    assert again == (experiment_id, run_id)
    assert other[0] == experiment_id
    assert other[1] != run_id
    source = f"runs:/{run_id}/model"
    versions = [hook.run(register_once("rents-3", source, run_id)) for _ in range(2)]
    assert versions == ["1", "1"]


@pytest.mark.covers("P06.1")
def test_an_mlflow_that_is_down_is_tried_again_and_fails_the_run(connect):
    connect("mlflow_default", "http", host="http://127.0.0.1", port=9)
    done = run(DAG_ID)
    assert done.state == "failed"
    assert done.tries("start_run") == 3
    assert done.of("upstream_failed") == TASKS - {"start_run"}
