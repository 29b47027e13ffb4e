# ruff: noqa: S311 - the dice of a play
"""Features and a model of the payments team, with the metrics that the library's DAGs send."""

from __future__ import annotations

import random
import time

import pendulum
from airflow.sdk import dag, task
from airflow.sdk.observability import stats


@task
def refresh() -> None:
    """New values; the second view is behind."""
    now = time.time()
    for view, age in (
        ("customer_orders", random.uniform(20, 90)),
        ("merchant_risk", random.uniform(3000, 5400)),
    ):
        stats.gauge("features.watermark_timestamp_seconds", now - age, tags={"view": view})
        stats.gauge("features.ttl_seconds", 3600, tags={"view": view})


@task
def measure() -> None:
    """Drift of two columns, and the model's figures."""
    for column, center in (("amount", 0.08), ("country", 0.22)):
        stats.gauge(
            "drift.psi", max(0.0, random.gauss(center, 0.02)), tags={"dataset": "payments", "column": column}
        )
        stats.gauge(
            "drift.ks",
            max(0.0, random.gauss(center / 2, 0.01)),
            tags={"dataset": "payments", "column": column},
        )
    stats.gauge("drift.psi_limit", 0.2, tags={"dataset": "payments"})
    model = {"model": "fraud"}
    stats.gauge("model.accuracy", random.gauss(0.91, 0.005), tags=model)
    stats.gauge("model.accuracy_baseline", 0.93, tags=model)
    stats.gauge("model.drift_psi", random.gauss(0.12, 0.02), tags=model)
    stats.gauge("model.bias", random.gauss(0.04, 0.005), tags=model)
    stats.gauge("model.bias_limit", 0.05, tags=model)


@dag(
    schedule="*/2 * * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "payments-ml"},
    tags=["payments", "ml"],
)
def feature_store() -> None:
    """Wire the tasks."""
    refresh() >> measure()


feature_store()
