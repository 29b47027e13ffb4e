"""
# Read an A/B test

Does the new checkout sell more? Counts by variant from the warehouse, a significance test, a verdict.

**What it shows**

- The database counts; Airflow gets two rows and computes with them.
- A verdict of three: `treatment`, `control` or `undecided`. Too few users, or a difference that may be
  chance, is *undecided*, not a winner.
- `@task.branch`: a winner is announced in the task `announce_winner`; otherwise `continue_test`.

**When to use it**

Each morning while a test runs, with a sample size that was fixed before it began.

**When not**

Stopping on the first day with a small p value: looking every day makes chance finds more likely. Decide on
the planned last day.

**What to change**

The params; the table `experiment_users (experiment, user_id, variant, converted)`.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task

from airflow_usecases import experiments

if TYPE_CHECKING:
    from airflow_usecases.experiments import Counts

log = logging.getLogger(__name__)

QUERY = """
    SELECT variant, COUNT(*), COUNT(*) FILTER (WHERE converted)
    FROM experiment_users WHERE experiment = %(name)s GROUP BY variant
"""


@task(multiple_outputs=False)
def count_variants() -> dict[str, Counts]:
    """Users and conversions by variant."""
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    name = get_current_context()["params"]["experiment"]
    rows = PostgresHook(postgres_conn_id="warehouse").get_records(QUERY, parameters={"name": name})
    counts: dict[str, Counts] = {
        experiments.CONTROL: {"units": 0, "conversions": 0},
        experiments.TREATMENT: {"units": 0, "conversions": 0},
    }
    for variant, units, conversions in rows:
        counts[variant] = {"units": units, "conversions": conversions}
    return counts


@task(multiple_outputs=False)
def compare_variants(counts: dict[str, Counts]) -> dict[str, Any]:
    """The z test and the verdict."""
    params = get_current_context()["params"]
    experiment = experiments.Experiment(
        name=params["experiment"], alpha=params["alpha"], minimum_units=params["minimum_users"]
    )
    result = experiments.analyse(counts[experiments.CONTROL], counts[experiments.TREATMENT])
    winner = experiments.winner(experiment, counts, result)
    return {**result, "verdict": winner or "undecided"}


@task.branch
def choose_next_step(result: dict[str, Any]) -> str:
    """Announce a winner, or go on testing."""
    return "continue_test" if result["verdict"] == "undecided" else "announce_winner"


@task
def announce_winner(result: dict[str, Any]) -> str:
    """Say who won."""
    log.info("%s wins, p = %.5f", result["verdict"], result["p_value"])
    return str(result["verdict"])


@task
def continue_test(result: dict[str, Any]) -> None:
    """Say that nothing is decided."""
    log.info("undecided, p = %.5f", result["p_value"])


with DAG(
    dag_id="analytics_experiment_ab_test",
    description="Counts of an A/B test, a significance test and a verdict",
    doc_md=__doc__,
    schedule="0 8 * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args={
        "owner": "analytics",
        "retries": 2,
        "retry_delay": timedelta(minutes=5),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=20),
        "execution_timeout": timedelta(minutes=15),
    },
    params={
        "experiment": Param("new_checkout", type="string", minLength=1),
        "alpha": Param(0.01, type="number", exclusiveMinimum=0, exclusiveMaximum=1),
        "minimum_users": Param(1000, type="integer", minimum=1),
    },
    tags=["analytics", "experiments"],
):
    tested = compare_variants(count_variants())
    choose_next_step(tested) >> [announce_winner(tested), continue_test(tested)]
