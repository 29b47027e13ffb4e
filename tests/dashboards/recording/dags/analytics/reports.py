# ruff: noqa: S311 - the dice of a play
"""DAGs of the analytics team."""

from __future__ import annotations

import random
import time
from datetime import timedelta

import pendulum
from airflow.sdk import DAG, task

START = pendulum.datetime(2024, 1, 1, tz="UTC")

for dag_id, schedule, seconds, failing in (
    ("daily_sales", "*/2 * * * *", 1.5, 0.0),
    ("experiment_scores", "*/3 * * * *", 3.0, 0.65),
    ("customer_segments", "*/4 * * * *", 5.0, 0.05),
):
    with DAG(
        dag_id=dag_id,
        schedule=schedule,
        start_date=START,
        catchup=False,
        max_active_runs=1,
        default_args={"owner": "analytics", "retries": 1, "retry_delay": timedelta(seconds=5)},
        tags=["analytics"],
    ):

        @task(pool="reporting")
        def read(seconds: float) -> float:
            """Rows of the warehouse."""
            time.sleep(random.uniform(0.5, 1.5) * seconds)
            return seconds

        @task
        def report(_: float, failing: float) -> None:
            """The table of the report."""
            if random.random() < failing:
                raise ValueError("a column is missing")

        report(read(seconds), failing)
