"""
# MLflow: tracking and registry

A model of rents is trained; MLflow keeps how, how good, and which version somebody may use.

**What it shows**

- Tracking: an experiment, in it one run per DAG run, with parameters, metrics and the model's files. The
  server is the connection `mlflow_default`: no tracking URI in code, the password stays in the connection.
- The run is found again by a tag when a task is retried or cleared: there is one run, not one per try.
- Registry: the run's model becomes the next version of a registered model, once per run.
- Aliases say what a version is for: `challenger` here, `champion` after somebody compared them. A consumer
  asks for `models:/rents@champion`. Stages (Staging, Production) did this before; they are deprecated.
- `MLflowLoadModelOperator` looks whether the version can be loaded and declares its inputs.
- It talks to MLflow's REST API: MLflow's own client cannot be installed beside this Airflow (protobuf).

**When to use it**

Any training that somebody will ask about in half a year: which data, which parameters, which model?

**When not**

- Model files of gigabytes: let the training write to the artifact store (S3) itself, and register the URI.
- Autologging of a framework: run the training in an image that has the MLflow client.

**What to change**

`train_model`, and the Params `experiment` and `model_name`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypedDict

import pendulum
from airflow.sdk import Param, dag, get_current_context, task

from airflow_usecases import rent_model
from airflow_usecases.rent_model import Metrics, RentModel
from tenant_airflow_lib.operators.mlflow import MLflowLoadModelOperator, MLflowModelTransitionOperator

CONNECTION = "mlflow_default"
ALIAS = "challenger"


class Started(TypedDict):
    """Where the run is kept."""

    tracking_uri: str
    experiment_id: str
    run_id: str


class Registered(TypedDict):
    """The result: a run and the version that was made of it."""

    run_id: str
    version: str


@task(multiple_outputs=False)
def start_run() -> Started:
    """Find or begin the MLflow run of this DAG run."""
    from tenant_airflow_lib.hooks.mlflow import MLflowHook
    from tenant_airflow_lib.hooks.mlflow_runs import ensure_run

    context = get_current_context()
    hook = MLflowHook(CONNECTION)
    experiment_id, run_id = hook.run(
        ensure_run(context["params"]["experiment"], f"{context['dag'].dag_id}/{context['run_id']}")
    )
    return {"tracking_uri": hook.uri, "experiment_id": experiment_id, "run_id": run_id}


@task(multiple_outputs=False)
def train_model(started: Started) -> dict[str, float]:
    """Train, and log parameters and metrics; returns the two numbers that are the model."""
    from tenant_airflow_lib.hooks import mlflow

    through_origin = get_current_context()["params"]["through_origin"]
    training, kept_back = rent_model.split(rent_model.FLATS)
    model = rent_model.train(training, through_origin=through_origin)
    found: Metrics = rent_model.evaluate(model, kept_back)
    params: dict[str, Any] = {"through_origin": through_origin, "training_rows": len(training)}
    mlflow.MLflowHook(CONNECTION).run(
        mlflow.log_batch(
            started["run_id"], params=params, metrics={"r2": found["r2"], "mean_error": found["mean_error"]}
        )
    )
    return model.to_json()


@task
def log_model(started: Started, fitted: dict[str, float]) -> str:
    """Store the model's files with the run; returns the model's URI."""
    from tenant_airflow_lib.hooks.mlflow import MLflowHook
    from tenant_airflow_lib.hooks.mlflow_runs import upload_model

    files = rent_model.model_files(RentModel(**fitted), started["run_id"])
    return MLflowHook(CONNECTION).run(upload_model(started["run_id"], "model", files))


@task
def register_version(started: Started, model_uri: str) -> str:
    """Make the run's model the next version of the registered model; returns the version."""
    from tenant_airflow_lib.hooks.mlflow import MLflowHook, register_once

    name = get_current_context()["params"]["model_name"]
    return MLflowHook(CONNECTION).run(register_once(name, model_uri, started["run_id"]))


@task(multiple_outputs=False)
def end_run(started: Started, version: str) -> Registered:
    """Close the MLflow run; the result names the run and the version."""
    from tenant_airflow_lib.hooks import mlflow

    mlflow.MLflowHook(CONNECTION).run(mlflow.end_run(started["run_id"]))
    return {"run_id": started["run_id"], "version": version}


@dag(
    dag_id="phase6_01_mlflow_integration",
    description="Experiment, run, parameters, metrics, model, registered version and alias",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args={
        "owner": "platform",
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(minutes=10),
    },
    params={
        "experiment": Param("rents", type="string", minLength=1, description="Experiment in MLflow"),
        "model_name": Param("rents", type="string", minLength=1, description="Registered model in MLflow"),
        "through_origin": Param(False, type="boolean", description="A line without a base rent"),
    },
    tags=["phase6", "mlflow"],
)
def track_training() -> None:
    """Wire the tasks; runs at parse time."""
    started = start_run()
    version = register_version(started, log_model(started, train_model(started)))
    set_alias = MLflowModelTransitionOperator(
        task_id="set_alias",
        mlflow_conn_id=CONNECTION,
        model_name="{{ params.model_name }}",
        version="{{ ti.xcom_pull('register_version') }}",
        stage=ALIAS,
    )
    check_model = MLflowLoadModelOperator(
        task_id="check_model",
        mlflow_conn_id=CONNECTION,
        model_uri="models:/{{ params.model_name }}@" + ALIAS,
    )
    version >> set_alias >> check_model >> end_run(started, version)


track_training()
