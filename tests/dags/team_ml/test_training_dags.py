"""Task groups, XCom patterns, pools and the configuration example."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.dags import library
from tests.dags.runner import run

MODELS = ("random_forest", "gradient_boosting", "neural_network")


def edges(dag: Any) -> set[tuple[str, str]]:
    return {(task.task_id, after) for task in dag.tasks for after in task.downstream_task_ids}


# --- ml_pipeline_with_taskgroups ----------------------------------------------------------------------


@pytest.mark.covers("D002-1")
def test_the_pipeline_has_14_tasks_in_nested_groups() -> None:
    dag = library.bag().dags["ml_pipeline_with_taskgroups"]
    sources = [f"data_extraction.extract_{name}_data" for name in ("customer", "transaction", "product")]
    steps = [
        f"data_transformation.transform_{step}" for step in ("clean", "normalize", "feature_engineering")
    ]
    models = [f"model_training.{model}_pipeline" for model in MODELS]
    ids = {"start", "end", *sources, *steps}
    ids |= {f"{model}.{step}" for model in models for step in ("train", "evaluate")}
    assert set(dag.task_ids) == ids
    assert len(dag.tasks) == 14
    expected = {("start", source) for source in sources} | {(source, steps[0]) for source in sources}
    expected |= {(steps[0], steps[1]), (steps[1], steps[2])}
    for model in models:
        expected |= {(steps[2], f"{model}.train"), (f"{model}.train", f"{model}.evaluate")}
        expected.add((f"{model}.evaluate", "end"))
    assert edges(dag) == expected


@pytest.mark.covers("D002-1")
def test_the_pipelines_settings() -> None:
    dag = library.bag().dags["ml_pipeline_with_taskgroups"]
    assert dag.schedule == "0 0 * * *"
    assert {"ml", "taskgroups"} <= set(dag.tags)
    for task in dag.tasks:
        assert (task.owner, task.retries, task.retry_delay.total_seconds()) == ("ml-team", 2, 300)
        assert [notifier.to for notifier in task.on_failure_callback] == ["ml-alerts@example.com"]


@pytest.mark.covers("D002-1")
def test_the_pipeline_runs() -> None:
    done = run("ml_pipeline_with_taskgroups", conf={"data_root": "s3://lake"})
    assert set(done.states.values()) == {"success"}
    assert len(done.states) == 14
    assert done.xcom("data_extraction.extract_customer_data")["path"] == "s3://lake/customer_data.parquet"
    assert done.xcom("data_transformation.transform_clean") == 6138
    assert done.xcom("data_transformation.transform_feature_engineering") == 6138
    for model in MODELS:
        assert done.xcom(f"model_training.{model}_pipeline.train")["model"] == model
        assert done.xcom(f"model_training.{model}_pipeline.evaluate") is True


# --- ml_xcom_patterns ---------------------------------------------------------------------------------


@pytest.mark.covers("D002-3")
def test_good_metrics_register_the_version() -> None:
    done = run("ml_xcom_patterns")
    assert done.state == "success"
    assert done.xcoms("train_model") == {
        "model_metrics": {
            "accuracy": 0.95,
            "precision": 0.92,
            "recall": 0.89,
            "f1": 0.90,
            "model_uri": "models:/churn-classifier/1",
            "training_time": 120.5,
        },
        "model_uri": "models:/churn-classifier/1",
    }
    assert done.xcom("evaluate_quality", key="evaluation_result")["passed"] is True
    assert done.xcom("register_model", key="registered_version") == "1"
    assert done.xcom("send_notification") == {"passed": True, "registered_version": "1"}
    sizes = [len(json.dumps(done.xcoms(task))) for task in done.tasks]
    assert max(sizes) < 49_152


@pytest.mark.covers("D002-3", "X-16")
def test_a_bad_recall_fails_the_run_although_the_notification_was_sent() -> None:
    done = run("ml_xcom_patterns", conf={"recall": 0.5})
    assert done.states == {
        "train_model": "success",
        "evaluate_quality": "success",
        "register_model": "failed",
        "send_notification": "success",
    }
    assert done.tries("register_model") == 2
    assert done.xcom("evaluate_quality", key="evaluation_result")["failed"] == ["recall"]
    assert done.xcom("send_notification") == {"passed": False, "registered_version": None}
    assert done.state == "failed"


@pytest.mark.covers("D002-3")
def test_the_pattern_runs_daily_and_retries_once() -> None:
    dag = library.bag().dags["ml_xcom_patterns"]
    assert dag.schedule == "@daily"
    assert {task.retries for task in dag.tasks} == {1}


# --- resource_managed_pipeline ------------------------------------------------------------------------


@pytest.mark.covers("D002-4", "X-15")
def test_pools_slots_weights_and_edges() -> None:
    dag = library.bag().dags["resource_managed_pipeline"]
    gpu, calls = [f"gpu_train_model_{i}" for i in (1, 2)], [f"api_call_{i}" for i in range(1, 6)]
    prepared = [f"preprocess_dataset_{i}" for i in (1, 2)]
    pools = dict.fromkeys(prepared, "cpu_intensive") | dict.fromkeys(gpu, "gpu_pool")
    pools |= dict.fromkeys(calls, "api_calls") | {"end": "default_pool"}
    assert {task.task_id: task.pool for task in dag.tasks} == pools
    assert {task.pool_slots for task in dag.tasks} == {1}
    assert [dag.get_task(task).priority_weight for task in gpu] == [10, 5]
    expected = {(train, call) for train in gpu for call in calls}
    assert len(expected) == 10
    expected |= set(zip(prepared, gpu, strict=True)) | {(call, "end") for call in calls}
    assert edges(dag) == expected
    assert (dag.schedule, {task.retries for task in dag.tasks}) == ("@daily", {1})


@pytest.mark.covers("D002-4")
def test_the_managed_pipeline_runs() -> None:
    done = run("resource_managed_pipeline")
    assert set(done.states.values()) == {"success"}
    assert [done.xcom(f"gpu_train_model_{i}")["model"] for i in (1, 2)] == ["neural_network", "transformer"]
    assert [done.xcom(f"api_call_{i}")["endpoint"] for i in range(1, 6)] == [
        f"/api/v1/resource/{i}" for i in range(1, 6)
    ]


# --- connection_usage_example -------------------------------------------------------------------------


@pytest.mark.covers("D002-6")
def test_connection_and_variables_are_read(connect: Any, variable: Any) -> None:
    connect("mlflow_default", "http", host="mlflow.mlflow.svc.cluster.local", port=5000, password="hidden")
    variable("ml_model_threshold", "0.85")
    variable("environment", "production")
    variable("ml_config", {"default_model": "gradient_boosting", "max_training_time": 60})
    done = run("connection_usage_example")
    assert done.state == "success"
    found = done.xcom("read_configuration")
    assert found == {
        "mlflow_uri": "http://mlflow.mlflow.svc.cluster.local:5000",
        "threshold": 0.85,
        "environment": "production",
        "config": {"default_model": "gradient_boosting", "max_training_time": 60},
    }
    assert "hidden" not in json.dumps(found)
    assert done.xcom("report_configuration") == "production: models below 0.85 are not deployed"


@pytest.mark.covers("D002-6")
def test_missing_variables_have_defaults(connect: Any) -> None:
    connect("mlflow_default", "http", host="https://mlflow.example.com")
    found = run("connection_usage_example").xcom("read_configuration")
    assert found == {
        "mlflow_uri": "https://mlflow.example.com",
        "threshold": 0.8,
        "environment": "development",
        "config": {"default_model": "random_forest", "max_training_time": 3600},
    }
    assert library.bag().dags["connection_usage_example"].schedule == "@daily"
