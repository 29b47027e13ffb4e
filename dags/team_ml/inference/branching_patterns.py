"""
# Where does this model go? Two kinds of branches

A model's accuracy decides its deployment, and, independently of that, how it is watched.

**What it shows**

- One of many: `evaluate_model` returns one task id. From .95 production, from .85 staging, from .75 more
  data, below that a person looks at it.
- Several of many: `choose_monitoring` returns a list. The metrics are always logged; a very good model (from
  .9) and a poor one (below .8) get a task more.
- A join after branches: `end` has `none_failed_min_one_success`. The default rule would skip it, because some
  of its upstream tasks are always skipped.

**When to use it**

Alternatives that differ in what they do, and that people want to see in the graph.

**When not**

- The alternatives differ in a value only: an `if` in one task.
- The rest of the DAG stops or goes on: `@task.short_circuit`.

**What to change**

The thresholds in `airflow_usecases/ml_decisions.py`. `accuracy` is a Param here, so that every branch can be
tried; take it from the XCom of your evaluation.
"""

from __future__ import annotations

import logging
from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, chain, get_current_context, task

from airflow_usecases import ml_decisions

log = logging.getLogger(__name__)

DEPLOYMENTS = ("deploy_to_production", "deploy_to_staging", "retrain_with_more_data", "investigate_model")
MONITORING = ("high_performance_path", "low_performance_alert", "log_metrics")


@task.branch
def evaluate_model() -> str:
    """Exactly one deployment."""
    return ml_decisions.deployment_for(get_current_context()["params"]["accuracy"])


@task.branch
def choose_monitoring() -> list[str]:
    """One or two ways to watch it."""
    return ml_decisions.monitoring_for(get_current_context()["params"]["accuracy"])


@task
def act_on_model() -> str:
    """Stands for what each branch does."""
    context = get_current_context()
    log.info("%s: accuracy %s", context["ti"].task_id, context["params"]["accuracy"])
    return str(context["ti"].task_id)


with DAG(
    dag_id="model_deployment_branching",
    description="One of four deployments, and one or two of three ways to watch the model",
    doc_md=__doc__,
    schedule="@daily",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args={
        "owner": "ml-team",
        "retries": 1,
        "retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(minutes=10),
    },
    params={
        "accuracy": Param(0.92, type="number", minimum=0, maximum=1, description="Accuracy of the new model")
    },
    tags=["ml", "branching"],
):
    start = EmptyOperator(task_id="start")
    end = EmptyOperator(task_id="end", trigger_rule="none_failed_min_one_success")
    for decide, names in ((evaluate_model, DEPLOYMENTS), (choose_monitoring, MONITORING)):
        chain(start, decide(), [act_on_model.override(task_id=name)() for name in names], end)
