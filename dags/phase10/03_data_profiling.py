"""
# Profiles and drift

A model was trained on last quarter's orders. Each day's orders are profiled and compared with that
baseline; a shift is told to the team before the model's predictions go wrong.

**What it shows**

- A statistical profile (count, nulls, mean, deviation, quartiles) as the XCom of a task: small for any file.
- `measure_drift` reads both files by path, since the values themselves are no XCom, and pushes
  `drift_score`, the highest PSI of all columns, beside the figures of each column. The same figures leave
  as metrics (`drift.psi`, `drift.ks`, `drift.psi_limit`), so that a dashboard shows how a column moved.
- Two measures: the *population stability index* says how much of the data sits elsewhere,
  *Kolmogorov-Smirnov* whether that is beyond chance for samples of this size. Both must agree, so that a
  small file raises no alarm.
- `choose_outcome` branches: an alert is an HTTP POST to the team's channel, by a connection, with the
  run as idempotency key. Drift is news, not a failure: the run is green.

**When to use it**

Data that changes slowly while nobody looks: features of a model, prices, sensor values.

**When not**

Rules that always hold (no nulls, a range): use expectations, they need no baseline. Categories: compare
shares.

**What to change**

The paths, `columns` and `psi_limit` in the params (0.1 look at it, 0.25 shifted), and the connection
`data_quality_alerts`.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task
from airflow.sdk.observability import stats

from airflow_usecases import drift

log = logging.getLogger(__name__)


@task(multiple_outputs=False)
def profile_file(path: str) -> dict[str, drift.Profile]:
    """Profile the columns of one file."""
    columns = get_current_context()["params"]["columns"]
    return {name: drift.profile(values) for name, values in drift.read_columns(path, columns).items()}


@task(multiple_outputs=False)
def measure_drift(baseline: str, current: str) -> dict[str, drift.Drift]:
    """Compare the files column by column; XCom `drift_score` is the highest PSI."""
    context = get_current_context()
    params = context["params"]
    found = drift.compare(
        drift.read_columns(baseline, params["columns"]),
        drift.read_columns(current, params["columns"]),
        params["psi_limit"],
    )
    context["ti"].xcom_push("drift_score", max(item["psi"] for item in found.values()))
    dataset = Path(current).stem
    stats.gauge("drift.psi_limit", params["psi_limit"], tags={"dataset": dataset})
    for name, item in found.items():
        tags = {"dataset": dataset, "column": name}
        stats.gauge("drift.psi", item["psi"], tags=tags)
        stats.gauge("drift.ks", item["ks"], tags=tags)
    return found


@task.branch
def choose_outcome(found: dict[str, drift.Drift]) -> str:
    """Alert when a column has drifted."""
    return "send_alert" if any(item["drifted"] for item in found.values()) else "accept_data"


@task
def send_alert(
    found: dict[str, drift.Drift], before: dict[str, drift.Profile], after: dict[str, drift.Profile]
) -> list[str]:
    """POST the drifted columns with their old and new mean; their names."""
    from airflow.providers.http.hooks.http import HttpHook

    context = get_current_context()
    columns = [name for name, item in found.items() if item["drifted"]]
    alert: dict[str, Any] = {
        "dag_id": context["dag"].dag_id,
        "run_id": context["run_id"],
        "columns": {
            name: {**found[name], "mean_before": before[name]["mean"], "mean_after": after[name]["mean"]}
            for name in columns
        },
    }
    hook = HttpHook(method="POST", http_conn_id="data_quality_alerts")
    # one key per run and not per try: a retry after a lost answer is the same alert
    headers = {"Idempotency-Key": context["run_id"]}
    hook.run("alerts", json=alert, headers=headers, extra_options={"timeout": 10})
    return columns


@task
def accept_data() -> None:
    """The place of what follows on data that looks like before."""
    log.info("no drift")


with DAG(
    dag_id="phase10_03_data_profiling",
    description="Profiles a file and tells the team when its distribution has moved",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "platform",
        "retries": 2,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(minutes=10),
    },
    params={
        "baseline_path": Param("/data/orders_baseline.csv", type="string"),
        "current_path": Param("/data/orders.csv", type="string"),
        "columns": Param(["amount", "items"], type="array", items={"type": "string"}, minItems=1),
        "psi_limit": Param(0.25, type="number", exclusiveMinimum=0),
    },
    tags=["phase10", "profiling"],
):
    before = profile_file.override(task_id="profile_baseline")("{{ params.baseline_path }}")
    after = profile_file.override(task_id="profile_current")("{{ params.current_path }}")
    measured = measure_drift("{{ params.baseline_path }}", "{{ params.current_path }}")
    [before, after] >> measured
    choose_outcome(measured) >> [send_alert(measured, before, after), accept_data()]
