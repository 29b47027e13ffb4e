"""enterprise_ml_pipeline with a real MLflow server, a real mail server, real files; Kubeflow is a stub."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DeadlineReference
from tests.dags import library
from tests.dags.lib.kubeflow_stub import Kubeflow
from tests.dags.runner import Run, run
from tests.dags.services.mlflow import MLflow

from tenant_airflow_lib.hooks.mlflow import MLflowHook, aliases_of, get_run

DAG = "enterprise_ml_pipeline"
DEPLOYMENTS = {f"deployment.{name}" for name in ("deploy_production", "deploy_staging", "trigger_retraining")}


@pytest.fixture
def model(mlflow: MLflow, variable: Any) -> str:
    """The name of this test's model."""
    mlflow.connection()
    name = f"churn-{uuid.uuid4().hex[:8]}"
    variable("ml_pipeline_config", {"model_name": name, "accuracy_threshold": 0.85})
    return name


@pytest.fixture
def customers(tmp_path: Path) -> Path:
    file = tmp_path / "latest.csv"
    file.write_text("customer_id,tenure,churn\n" + "".join(f"{i},{i % 60},0\n" for i in range(1200)))
    return file


def played(customers: Path, accuracy: float) -> Run:
    return run(DAG, conf={"data_path": str(customers), "accuracy": accuracy})


@pytest.mark.covers("D002-8", "OP-1", "OP-2", "OP-4", "SE-4", "SE-5")
@pytest.mark.parametrize(
    ("accuracy", "action"),
    [(0.96, "deploy_production"), (0.90, "deploy_staging"), (0.80, "trigger_retraining")],
)
def test_the_accuracy_decides_what_happens(
    model: str, customers: Path, kubeflow: Kubeflow, smtp: Any, accuracy: float, action: str
) -> None:
    kubeflow.pipeline("churn-retraining")
    done = played(customers, accuracy)
    assert done.of("failed") == set()
    assert done.state == "success"
    assert done.of("skipped") == DEPLOYMENTS - {f"deployment.{action}"}
    assert done.of("success") == done.states.keys() - done.of("skipped")
    result = done.xcom(f"deployment.{action}")
    assert done.xcom("send_notification") == {"action": action, "result": result}
    (mail,) = smtp.messages
    assert (mail["Subject"], mail["To"]) == (f"{DAG}: {action}", "ml-platform@example.com")
    hook = MLflowHook()
    tracked = hook.run(get_run(done.xcom("training.log_metrics")))
    assert [(item["key"], item["value"]) for item in tracked["data"]["metrics"]] == [("accuracy", accuracy)]
    assert done.xcom("training.wait_for_metrics")["run_id"] == done.xcom("training.log_metrics")
    aliases = hook.run(aliases_of(model))
    if action == "trigger_retraining":
        assert aliases == {}
        (started,) = kubeflow.runs
        assert result == {"run_id": started["run_id"], "status": "PENDING"}
        assert started["runtime_config"]["parameters"] == {"model_name": model, "accuracy": "0.8"}
    else:
        stage = action.removeprefix("deploy_")
        assert aliases == {stage: "1"}
        assert (result["model_name"], result["version"], result["stage"]) == (model, "1", stage)
        assert kubeflow.runs == []


@pytest.mark.covers("D002-8", "SE-4")
@pytest.mark.parametrize(
    ("header", "rows", "nulls"),
    [
        ("customer_id,tenure,churn", 999, 0),
        ("customer_id,tenure,churn", 1000, 151),
        ("customer_id,tenure,x", 1000, 0),
    ],
    ids=["rows", "nulls", "columns"],
)
def test_bad_data_stops_the_run_before_anything_is_trained(
    model: str, customers: Path, smtp: Any, header: str, rows: int, nulls: int
) -> None:
    lines = [f"{i},{'' if i < nulls else i},0\n" for i in range(rows)]
    customers.write_text(f"{header}\n{''.join(lines)}")
    done = played(customers, 0.96)
    assert done.state == "failed"
    assert done.of("failed") == {"data_quality_check"}
    assert done.tries("data_quality_check") == 1
    assert done.states["training.train"] == "upstream_failed"
    (mail,) = smtp.messages
    assert mail["Subject"] == f"{DAG}.data_quality_check failed"


@pytest.mark.covers("D002-8")
def test_the_settings_are_those_of_the_enterprise() -> None:
    dag = library.bag().dags[DAG]
    assert (dag.schedule, dag.max_active_runs, dag.doc_md is not None) == ("0 2 * * *", 1, True)
    assert {"ml", "enterprise", "production"} <= set(dag.tags)
    (deadline,) = dag.deadline if isinstance(dag.deadline, list) else [dag.deadline]
    assert deadline.interval == timedelta(hours=4)
    # a run without a logical date has a deadline too
    assert deadline.reference == DeadlineReference.DAGRUN_QUEUED_AT
    for task in dag.tasks:
        assert (task.owner, task.retries, task.retry_delay) == ("ml-platform-team", 3, timedelta(minutes=5))
        assert (task.retry_exponential_backoff, task.max_retry_delay) == (2.0, timedelta(minutes=30))
        assert [notifier.to for notifier in task.on_failure_callback] == ["ml-platform@example.com"]
        assert not task.on_retry_callback
    pools = {task.task_id: task.pool for task in dag.tasks if task.pool != "default_pool"}
    assert pools == {
        "extraction.extract": "cpu_intensive",
        "extraction.preprocess": "cpu_intensive",
        "training.train": "gpu_pool",
    }
    assert dag.get_task("training.train").priority_weight == 10
    assert dag.params["accuracy"] == 0.92


@pytest.mark.covers("D002-8", "SE-4")
def test_the_file_is_checked_as_the_model_needs_it() -> None:
    sensor = library.bag().dags[DAG].get_task("data_quality_check")
    assert library.bag().dags[DAG].params["data_path"] == "/data/customers/latest.csv"
    assert (sensor.min_rows, sensor.max_null_percentage) == (1000, 0.05)
    assert sensor.required_columns == ["customer_id", "tenure", "churn"]
    assert (sensor.mode, sensor.poke_interval, sensor.timeout) == ("reschedule", 60, 1800)


@pytest.mark.covers("D002-8")
def test_the_order_of_the_tasks() -> None:
    dag = library.bag().dags[DAG]
    after = {task.task_id: set(task.downstream_task_ids) for task in dag.tasks}
    assert after["data_quality_check"] == {"extraction.extract"}
    assert "extraction.preprocess" in after["extraction.extract"]
    assert "training.train" in after["extraction.preprocess"]
    assert after["training.evaluate"] == DEPLOYMENTS
    assert all(after[name] == {"send_notification"} for name in DEPLOYMENTS)
    assert after["send_notification"] == {"end"}
