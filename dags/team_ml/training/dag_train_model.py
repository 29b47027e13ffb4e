"""
# Train a model

A churn model out of the customers' file; published only if it is good enough.

**What it shows**

- Train on four fifths, judge on the rest, publish above a limit: a model that is worse than
  `minimum_accuracy` fails the run and does not touch the one in use.
- The published model is an **asset**: `ml_batch_predict` is scheduled on it and scores with it at once.
- XComs hold the path and the accuracy; the model is a file.

**When to use it**

As the skeleton of a training DAG; the model itself is replaceable.

**When not**

When you need a registry with versions and approvals: see `phase6_01_mlflow_integration`.

**What to change**

`airflow_usecases/churn_model.py`, the paths and the limit.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from airflow_usecases import churn_model

MODEL = Asset(name="ml_churn_model", uri="file:///data/models/churn.json")


@task(multiple_outputs=False)
def train_model() -> dict[str, Any]:
    """Train and judge; returns the candidate's path and its accuracy."""
    params = get_current_context()["params"]
    train, judge = churn_model.split(churn_model.read_rows(Path(params["customers"])))
    model = churn_model.train(train)
    candidate = Path(params["model"]).with_suffix(".candidate.json")
    model.save(candidate)
    return {"path": str(candidate), "accuracy": churn_model.accuracy(model, judge), "rows": len(train)}


@task(outlets=[MODEL])
def publish_model(candidate: dict[str, Any]) -> str:
    """Put the candidate in the place of the model in use, if it is good enough."""
    context = get_current_context()
    params = context["params"]
    if candidate["accuracy"] < params["minimum_accuracy"]:
        raise AirflowFailException(f"accuracy {candidate['accuracy']:.3f} is too low")
    path = Path(params["model"])
    churn_model.Model.load(Path(candidate["path"])).save(path)
    context["outlet_events"][MODEL].extra = {"path": str(path), "accuracy": candidate["accuracy"]}
    return str(path)


with DAG(
    dag_id="ml_train_model",
    description="Trains a churn model and publishes it as an asset if it is good enough",
    doc_md=__doc__,
    schedule="@weekly",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    default_args={
        "owner": "ml",
        "retries": 1,
        "retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(hours=1),
    },
    params={
        "customers": Param("/data/customers/latest.csv", type="string"),
        "model": Param("/data/models/churn.json", type="string"),
        "minimum_accuracy": Param(0.8, type="number", minimum=0, maximum=1),
    },
    tags=["ml", "training"],
):
    publish_model(train_model())
