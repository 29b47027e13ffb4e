"""Registering a run's model in MLflow, once per run."""

from __future__ import annotations

from tenant_airflow_lib.hooks import mlflow
from tenant_airflow_lib.hooks.rest import Call


def register_once(model_name: str, run_id: str, source: str) -> Call[str]:
    """The version that holds this run, created when there is none; a retry adds no second one."""
    yield from mlflow.ensure_registered_model(model_name)
    newest = yield from mlflow.newest_model_version(model_name)
    if newest is not None and newest.get("run_id") == run_id:
        return str(newest["version"])
    return (yield from mlflow.create_model_version(model_name, source, run_id))
