"""
# Scarce resources: GPUs, CPUs and an API's quota

Two datasets are prepared, two models trained on GPUs, five calls made to an API; pools bound all three.

**What it shows**

- A pool per resource, shared by all DAGs: `gpu_pool` has 2 slots, `cpu_intensive` 4, `api_calls` 10.
- `priority_weight`: with one free GPU the neural network (10) goes before the transformer (5).
  `weight_rule="absolute"` makes the number mean what it says; the default adds the weights downstream.
- `cross_downstream` joins each training with each call: `list >> list` is a TypeError.

**When to use it**

A limit over all DAGs: GPUs, licences, a quota, connections of a database.

**When not**

- A limit of this DAG alone: `max_active_tasks`, `max_active_tis_per_dag`.
- Memory or CPU of a pod: resource requests. A pool counts tasks and measures nothing.

**What to change**

The pools are declared for the tenant (`spec.pools`), not here; a task whose pool does not exist waits for
ever. Trigger with `{"work_seconds": 5}` and look at the Gantt view.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, cross_downstream, get_current_context, task

from airflow_usecases import ml_training

MODELS = {1: ("neural_network", 10), 2: ("transformer", 5)}
RESOURCES = range(1, 6)


def work() -> None:
    """Take the time that real work would take."""
    time.sleep(get_current_context()["params"]["work_seconds"])


@task(pool="cpu_intensive", pool_slots=1)
def preprocess_dataset(number: int) -> int:
    """Prepare one dataset."""
    work()
    return number


@task(pool="gpu_pool", pool_slots=1, weight_rule="absolute", multiple_outputs=False)
def gpu_train_model(model: str) -> ml_training.Trained:
    """Train one model on one GPU."""
    work()
    return ml_training.train(model)


@task(pool="api_calls", pool_slots=1, multiple_outputs=False)
def api_call(number: int) -> dict[str, Any]:
    """One call; the quota is what matters here, so nothing is sent."""
    work()
    return {"endpoint": f"/api/v1/resource/{number}", "slots": 1}


with DAG(
    dag_id="resource_managed_pipeline",
    description="Three pools bound GPUs, CPUs and calls of an API",
    doc_md=__doc__,
    schedule="@daily",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    default_args={
        "owner": "ml-team",
        "retries": 1,
        "retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(hours=2),
    },
    params={
        "work_seconds": Param(
            0, type="number", minimum=0, maximum=60, description="How long each piece of work takes"
        )
    },
    tags=["ml", "resources"],
):
    prepared = [
        preprocess_dataset.override(task_id=f"preprocess_dataset_{number}")(number) for number in MODELS
    ]
    trained = [
        # dag-lint: ignore[L-37] reason: the weights rank this pipeline's trainings in a pool of their own
        gpu_train_model.override(task_id=f"gpu_train_model_{number}", priority_weight=weight)(model)
        for number, (model, weight) in MODELS.items()
    ]
    called = [api_call.override(task_id=f"api_call_{number}")(number) for number in RESOURCES]
    for dataset, model in zip(prepared, trained, strict=True):
        dataset >> model
    cross_downstream(trained, called)
    called >> EmptyOperator(task_id="end")
