"""
# A whole ML pipeline

Rents again, from the file to the deployed model: ingest, validate, train, evaluate, decide, deploy or reject.

**What it shows**

- Every step writes a file and returns its path: XComs carry paths and figures, never rows. The files of a run
  lie in a folder of its own, so a step can be repeated and a bad model can be looked at afterwards.
- Validation stands before training and fails without retries: bad data is as bad a minute later.
- The decision is a `@task.branch`: deploy when the model is good enough (`least_r2`) and not worse than the
  deployed one, else reject. Its logic is a plain function with a test per case; the branch only asks it.
- A rejected model is a result, not an error: the run is green, `reject_model` says why.

**When to use it**

As the skeleton of a pipeline that trains on a schedule and may deploy without a person.

**When not**

- Somebody has to approve: put an approval task between decision and deployment.
- Training takes hours on a GPU: start it as a job (Kubernetes, Batch) and wait for it deferred.

**What to change**

The Params: `source` is the file, `root` the folder of all runs (`s3://<connection>@<bucket>/...`; anything
that `ObjectStoragePath` reads). Then the functions in `airflow_usecases/rent_model.py`.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict

import pendulum
from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from airflow_usecases import rent_model
from airflow_usecases.rent_model import Metrics, RentModel

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)


class Trained(TypedDict):
    """Where the model lies, and the rows that it has not seen."""

    model: str
    kept_back: str
    training_rows: int


class Evaluated(TypedDict):
    """A model with its figures."""

    model: str
    metrics: Metrics


class Deployed(TypedDict):
    """What serves now."""

    path: str
    metrics: Metrics


def folder_of_run() -> ObjectStoragePath:
    """The folder of this run's files; a run id may hold what a path must not."""
    from airflow.sdk import ObjectStoragePath

    context = get_current_context()
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", context["run_id"])
    folder = ObjectStoragePath(context["params"]["root"]) / "runs" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def deployed_model() -> ObjectStoragePath:
    """The file that the serving side reads."""
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(get_current_context()["params"]["root"]) / "deployed" / "model.json"


def read_text(path: str) -> str:
    """A file that an earlier step wrote."""
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(path).read_text()


@task
def ingest_rents() -> str:
    """Copy the source into the run's folder: later steps all see the same rows; returns the path."""
    copy = folder_of_run() / "raw.csv"
    copy.write_text(read_text(get_current_context()["params"]["source"]))
    return str(copy)


@task
def validate_rents(raw: str) -> str:
    """Keep the valid rows; fails at once when the file is not good enough; returns the path."""
    try:
        flats, invalid = rent_model.read_flats(read_text(raw))
    except ValueError as error:
        raise AirflowFailException(f"{raw}: {error}") from error
    log.info("%d rows are valid, %d are not", len(flats), invalid)
    valid = folder_of_run() / "valid.csv"
    valid.write_text(rent_model.write_flats(flats))
    return str(valid)


@task(multiple_outputs=False)
def train_model(valid: str) -> Trained:
    """Train on three quarters of the rows."""
    flats, _ = rent_model.read_flats(read_text(valid))
    training, kept_back = rent_model.split(flats)
    folder = folder_of_run()
    model, rows = folder / "model.json", folder / "kept_back.csv"
    model.write_text(json.dumps(rent_model.train(training).to_json()))
    rows.write_text(rent_model.write_flats(kept_back))
    return {"model": str(model), "kept_back": str(rows), "training_rows": len(training)}


@task(multiple_outputs=False)
def evaluate_model(trained: Trained) -> Evaluated:
    """Measure the model on the rows that it has not seen."""
    model = RentModel(**json.loads(read_text(trained["model"])))
    kept_back, _ = rent_model.read_flats(read_text(trained["kept_back"]))
    return {"model": trained["model"], "metrics": rent_model.evaluate(model, kept_back)}


@task.branch
def decide_deployment(evaluated: Evaluated) -> str:
    """Deploy or reject; the reason is pushed as `reason`."""
    context = get_current_context()
    current = deployed_model()
    before = json.loads(current.read_text())["metrics"] if current.exists() else None
    deploy, reason = rent_model.decide(evaluated["metrics"], context["params"]["least_r2"], before)
    context["ti"].xcom_push(key="reason", value=reason)
    return "deploy_model" if deploy else "reject_model"


@task(multiple_outputs=False)
def deploy_model(evaluated: Evaluated) -> Deployed:
    """Make the model the one that serves: one file, replaced as a whole."""
    model = json.loads(read_text(evaluated["model"]))
    target = deployed_model()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"model": model, "metrics": evaluated["metrics"]}))
    return {"path": str(target), "metrics": evaluated["metrics"]}


@task
def reject_model() -> str:
    """Say why the model is not used; returns the reason."""
    reason = str(get_current_context()["ti"].xcom_pull(task_ids="decide_deployment", key="reason"))
    log.warning("the model is not deployed: %s", reason)
    return reason


@dag(
    dag_id="phase6_02_complete_ml_pipeline",
    description="Ingest, validate, train, evaluate, and deploy only what is good enough",
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
        "source": Param(
            "s3://aws_default@platform-lake/rents/flats.csv", type="string", description="CSV: flat,area,rent"
        ),
        "root": Param(
            "s3://aws_default@platform-lake/rents", type="string", description="Folder of runs and model"
        ),
        "least_r2": Param(0.9, type="number", maximum=1, description="A model below this is rejected"),
    },
    tags=["phase6", "ml-pipeline"],
)
def deploy_rent_model() -> None:
    """Wire the tasks; runs at parse time."""
    evaluated = evaluate_model(train_model(validate_rents(ingest_rents())))
    decide_deployment(evaluated) >> [deploy_model(evaluated), reject_model()]


deploy_rent_model()
