# ruff: noqa: S311 - the dice of a play
"""The settlement of card payments: extract, three loads, a publication; sometimes late, sometimes wrong."""

from __future__ import annotations

import random
import time
from datetime import timedelta

import pendulum
from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference, dag, task
from recording_callbacks import note_late


@task(retries=2, retry_delay=timedelta(seconds=4))
def extract() -> list[str]:
    """Files of the acquirers; the second of them often refuses the first try."""
    time.sleep(random.uniform(0.5, 2.0))
    if random.random() < 0.25:
        raise ConnectionError("the acquirer's server does not answer")
    return ["visa", "mastercard", "amex"]


@task(pool="warehouse_writes")
def load(scheme: str) -> int:
    """One scheme's transactions."""
    time.sleep(random.uniform(0.5, 3.0) * (3 if scheme == "amex" else 1))
    return len(scheme)


@task
def publish(loaded: list[int]) -> int:
    """The day's sums."""
    if random.random() < 0.12:
        raise ValueError("the sums do not match")
    return sum(loaded)


@dag(
    schedule="*/2 * * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=2,
    default_args={"owner": "payments"},
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(seconds=45),
        callback=AsyncCallback(note_late),
        name="settlement_is_late",
    ),
    tags=["payments"],
)
def settlement() -> None:
    """Wire the tasks."""
    publish(load.expand(scheme=extract()))


settlement()
