"""
# A training pipeline in task groups

Every night: three sources are extracted side by side, transformed in three steps, and three models are
trained and evaluated.

**What it shows**

- Groups that fold in the graph: `data_extraction` (parallel), `data_transformation` (a chain) and
  `model_training`, which holds one nested group per model.
- Group ids prefix task ids: `model_training.random_forest_pipeline.train`. The same two tasks, `train` and
  `evaluate`, exist three times without a clash.
- An edge to a group is an edge to all of its first tasks; an edge from it starts at all of its last ones.
- A mail to the team on the final failure of any task: a notifier object in `default_args`.

**When to use it**

More than a dozen tasks, or a sequence that repeats for each model, region or table.

**When not**

- The list is only known when the DAG runs: map a group with `expand`.
- The parts belong to different teams or schedules: separate DAGs, joined by assets.

**What to change**

`MODELS`, and the functions in `airflow_usecases/ml_training.py`. `data_root` is where the extracts go.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, chain, get_current_context, task, task_group

from airflow_usecases import ml_training
from tenant_airflow_lib.notifiers import MailFailureNotifier

MODELS = ("random_forest", "gradient_boosting", "neural_network")
LEAST_ACCURACY = 0.9


@task
def extract(source: str) -> ml_training.Extract:
    """One source; the XCom says where it lies, not what is in it."""
    return ml_training.extract_source(source, get_current_context()["params"]["data_root"])


@task
def transform(step: str) -> int:
    """One step; returns how many rows it left."""
    ti = get_current_context()["ti"]
    before = ti.xcom_pull(task_ids=sorted(ti.task.upstream_task_ids))
    # the first step gets the extracts, the others the rows of the step before
    rows = before[0] if isinstance(before[0], int) else ml_training.total_rows(list(before))
    return ml_training.rows_after(step, rows)


@task
def train(model: str) -> ml_training.Trained:
    """One model."""
    return ml_training.train(model)


@task
def evaluate(trained: ml_training.Trained) -> bool:
    """Whether it is good enough."""
    return ml_training.passes(trained, LEAST_ACCURACY)


@task_group
def data_extraction() -> None:
    """The sources, in parallel."""
    for source in ml_training.ROWS:
        extract.override(task_id=f"extract_{source}")(source)


@task_group
def data_transformation() -> None:
    """The steps, one after the other."""
    chain(*(transform.override(task_id=f"transform_{step}")(step) for step in ml_training.STEPS))


@task_group
def model_training() -> None:
    """One nested group per model."""
    for model in MODELS:
        train_and_evaluate.override(group_id=f"{model}_pipeline")(model)


@task_group
def train_and_evaluate(model: str) -> None:
    """Train, then evaluate."""
    evaluate(train(model))


with DAG(
    dag_id="ml_pipeline_with_taskgroups",
    description="Extraction, transformation and training, folded into task groups",
    doc_md=__doc__,
    schedule="0 0 * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    default_args={
        "owner": "ml-team",
        "retries": 2,
        "retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(hours=1),
        "on_failure_callback": [MailFailureNotifier(to="ml-alerts@example.com")],
    },
    params={"data_root": Param("/data/ml", type="string", description="Folder or bucket of the extracts")},
    tags=["ml", "taskgroups"],
):
    chain(
        EmptyOperator(task_id="start"),
        data_extraction(),
        data_transformation(),
        model_training(),
        EmptyOperator(task_id="end"),
    )
