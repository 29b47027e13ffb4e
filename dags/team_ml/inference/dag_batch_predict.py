"""
# Score all customers

Whenever a new churn model is published, every customer gets a score.

**What it shows**

- A run that is caused by **data**: the schedule is the asset of `ml_train_model`. Such a run has no logical
  date; the day is that of `run_after`.
- The event says which file the model is in (`extra`): training may publish elsewhere without a change here.
  The Param `model` is for a run by hand, which has no event.
- One output file per day, replaced as a whole when the last row is written.
- The scores are checked before anybody reads them: as many as there are customers.

**When to use it**

Scores that may be a day old.

**When not**

Scores while the customer waits: serve the model behind an API.

**What to change**

The Params `customers` and `scores_folder`; the model's module.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, Param, get_current_context, task

from airflow_usecases import churn_model
from airflow_usecases.run_dates import run_day

MODEL = Asset(name="ml_churn_model", uri="file:///data/models/churn.json")


@task(multiple_outputs=False)
def score_customers() -> dict[str, Any]:
    """Write the scores of the day, by the newest model published; returns their path and number."""
    context = get_current_context()
    params = context["params"]
    published = churn_model.published(context["triggering_asset_events"].get(MODEL, ()), params["model"])
    target = Path(params["scores_folder"]) / f"{run_day(context['dag_run'])}.csv"
    model = churn_model.Model.load(published)
    return {"path": str(target), "rows": churn_model.predict_file(model, Path(params["customers"]), target)}


@task
def check_scores(scored: dict[str, Any]) -> int:
    """Fail unless there is a score for each customer."""
    params = get_current_context()["params"]
    customers = len(churn_model.read_rows(Path(params["customers"])))
    scores = len(churn_model.read_rows(Path(scored["path"])))
    if scores != customers:
        raise ValueError(f"{scores} scores for {customers} customers")
    return scores


with DAG(
    dag_id="ml_batch_predict",
    description="Scores every customer whenever a new churn model is published",
    doc_md=__doc__,
    schedule=[MODEL],
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    default_args={
        "owner": "ml",
        "retries": 2,
        "retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(hours=1),
    },
    params={
        "customers": Param("/data/customers/latest.csv", type="string"),
        "model": Param("/data/models/churn.json", type="string", description="Used when no event names one"),
        "scores_folder": Param("/data/scores", type="string"),
    },
    tags=["ml", "inference"],
):
    check_scores(score_customers())
