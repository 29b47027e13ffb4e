# ruff: noqa: S311 - the dice of a play
"""DAGs of the payments team that run every minute or two."""

from __future__ import annotations

import random
import time
from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync
from airflow.sdk import DAG, Asset, task

DEFAULTS = {"owner": "payments", "retries": 0}
START = pendulum.datetime(2024, 1, 1, tz="UTC")
RATES = Asset("s3://payments/exchange_rates")


def team_dag(dag_id: str, schedule: object, **more: object) -> DAG:
    """A DAG of the team."""
    return DAG(
        dag_id=dag_id,
        schedule=schedule,
        start_date=START,
        catchup=False,
        default_args=DEFAULTS,
        tags=["payments"],
        **{"max_active_runs": 1, **more},
    )


def tell_the_bank(_: object) -> None:
    """A callback with a mistake of its own."""
    raise ConnectionError("the bank's mail server does not answer")


with team_dag("card_authorisations", "* * * * *"):

    @task(retries=3, retry_delay=timedelta(seconds=3))
    def fetch() -> int:
        """A queue that is sometimes empty."""
        time.sleep(random.uniform(0.2, 1.0))
        if random.random() < 0.2:
            raise TimeoutError("the queue does not answer")
        return random.randrange(1000)

    @task
    def store(count: int) -> int:
        """Keep them."""
        time.sleep(random.uniform(0.1, 0.5))
        return count

    store(fetch())

with team_dag("ledger_export", "*/3 * * * *", on_failure_callback=tell_the_bank):

    @task
    def export() -> None:
        """The bank's folder is full every second time."""
        time.sleep(1)
        if random.random() < 0.5:
            raise OSError("no space left in the bank's folder")

    BashOperator(task_id="prepare", bash_command="sleep 1") >> export()

with team_dag("fraud_scores", "*/4 * * * *"):
    [
        DateTimeSensorAsync(
            task_id=f"wait_for_partner_{number}",
            target_time="{{ macros.datetime.now(macros.dateutil.tz.UTC) + macros.timedelta(seconds="
            f"{25 + 15 * number}) }}}}",
        )
        for number in range(3)
    ] >> BashOperator(task_id="score", bash_command="sleep 2")

with team_dag("exchange_rates", "*/2 * * * *"):

    @task(outlets=[RATES])
    def download() -> None:
        """The central bank's rates."""
        time.sleep(0.5)

    download()

with team_dag("revaluation", [RATES]):

    @task
    def revalue() -> None:
        """Positions at the new rates."""
        time.sleep(1)

    revalue()

with team_dag("backfill_accounts", None, max_active_tasks=16):

    @task
    def account(number: int) -> int:
        """One of many, so that the executor is full."""
        time.sleep(6)
        return number

    account.expand(number=list(range(14)))
