"""
# XComs: metrics, a quality gate, and a message that hides nothing

A model is trained, judged and registered; whatever happens, the team is told.

**What it shows**

- Two keys from one task: `train_model` pushes `model_metrics` and `model_uri`, and `evaluate_quality` pulls
  the metrics by key. An XCom holds facts about the model; the model stays in the registry.
- A gate that fails: `register_model` raises when accuracy, precision or recall is below 0.85.
- `send_notification` is a **teardown**: it runs when the others are done, failed or not, and does not count
  for the state of the run. As a plain task with `trigger_rule="all_done"` it would be the last one, succeed,
  and turn a failed run green.

**When to use it**

Small results that later tasks decide on, and a last word that must always be spoken.

**When not**

- Data frames, files, models: pass a path. Above 48 KB an XCom is a burden for the metadata database.
- Only failures are of interest: a notifier in `on_failure_callback`.

**What to change**

`MEASURED` stands for your evaluation. Trigger with `{"recall": 0.5}` to see the gate close and the run fail.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task

from airflow_usecases import ml_decisions

log = logging.getLogger(__name__)

MEASURED = {"accuracy": 0.95, "precision": 0.92, "recall": 0.89, "f1": 0.90}
MODEL_URI = "models:/churn-classifier/1"
TRAINING_SECONDS = 120.5


@task
def train_model() -> None:
    """Push what was measured and where the model is, under keys of their own."""
    context = get_current_context()
    metrics = MEASURED | {"recall": context["params"]["recall"]}
    facts = {"model_uri": MODEL_URI, "training_time": TRAINING_SECONDS}
    context["ti"].xcom_push(key="model_metrics", value=metrics | facts)
    context["ti"].xcom_push(key="model_uri", value=MODEL_URI)


@task
def evaluate_quality() -> None:
    """Judge the metrics."""
    ti = get_current_context()["ti"]
    metrics = ti.xcom_pull(task_ids="train_model", key="model_metrics")
    ti.xcom_push(key="evaluation_result", value=ml_decisions.judge(metrics))


@task
def register_model() -> None:
    """Register what passed. ValueError names what did not."""
    ti = get_current_context()["ti"]
    verdict = ti.xcom_pull(task_ids="evaluate_quality", key="evaluation_result")
    if not verdict["passed"]:
        raise ValueError(f"below {verdict['least']}: {', '.join(verdict['failed'])}")
    model_uri = ti.xcom_pull(task_ids="train_model", key="model_uri")
    ti.xcom_push(key="registered_version", value=ml_decisions.version_of(model_uri))


@task(multiple_outputs=False)
def send_notification() -> dict[str, Any]:
    """Say how it went, from whatever was pushed."""
    ti = get_current_context()["ti"]
    verdict = ti.xcom_pull(task_ids="evaluate_quality", key="evaluation_result")
    version = ti.xcom_pull(task_ids="register_model", key="registered_version")
    message = {"passed": bool(verdict and verdict["passed"]), "registered_version": version}
    log.info("training of %s: %s", MODEL_URI, message)
    return message


with DAG(
    dag_id="ml_xcom_patterns",
    description="Metrics by XCom, a quality gate, and a notification that does not hide a failure",
    doc_md=__doc__,
    schedule="@daily",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    default_args={
        "owner": "ml-team",
        "retries": 1,
        "retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(minutes=30),
    },
    params={
        "recall": Param(
            MEASURED["recall"], type="number", minimum=0, maximum=1, description="Recall that was measured"
        )
    },
    tags=["ml", "xcom"],
):
    train_model() >> evaluate_quality() >> register_model() >> send_notification().as_teardown()
