"""A run's model is registered once."""

from __future__ import annotations

import uuid

from tests.dags.services.mlflow import MLflow

from airflow_usecases.ml_registry import register_once
from tenant_airflow_lib.hooks import mlflow as api
from tenant_airflow_lib.hooks.mlflow import MLflowHook


def test_a_retry_finds_the_version_of_its_run_and_another_run_gets_the_next_one(mlflow: MLflow) -> None:
    mlflow.connection()
    hook, name = MLflowHook(), f"registry-{uuid.uuid4().hex[:8]}"
    experiment = hook.run(api.ensure_experiment(name))
    first, second = (hook.run(api.create_run(experiment)) for _ in range(2))
    assert hook.run(register_once(name, first, "s3://models/1")) == "1"
    assert hook.run(register_once(name, first, "s3://models/1")) == "1"
    assert hook.run(register_once(name, second, "s3://models/2")) == "2"
    assert hook.run(api.get_model_version(name, "2"))["run_id"] == second
