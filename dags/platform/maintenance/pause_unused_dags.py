"""
# Pause DAGs that nobody uses

A weekly audit: which active DAGs had no run for `unused_days` days? A forgotten DAG costs parsing time and
hides the ones that matter. By default the run only reports.

**What it shows**

- Airflow's own REST API from a task, with a user of its own: tasks have no access to the database. The
  connection `airflow_api` holds address, user and password; the token is asked for by each task and stored
  nowhere.
- A **dry run by default**: `pause_unused` is skipped unless the run is started with `dry_run: false`.
- **Protection**: DAGs tagged `production` or `critical`, those named in `protected_dag_ids`, and this one
  are never paused. A DAG that never ran counts from the day on which its first version appeared.
- `max_consecutive_failed_dag_runs=3`: Airflow pauses *this* DAG by itself when three runs in a row failed.
  For all DAGs there is the setting `[core] max_consecutive_failed_dag_runs_per_dag`; it handles DAGs that
  always fail, this audit handles those that never run.

**When to use it**

An Airflow with many authors.

**When not**

DAGs that wait for a rare event (an asset, a year-end trigger) look unused: tag or name them first.

**What to change**

`unused_days`, the protected tags and ids. To act every week, set the default of `dry_run` to `False` once
the reports are right.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task

from airflow_usecases import idle_dags

if TYPE_CHECKING:
    from airflow_usecases.airflow_rest import AirflowRest
    from airflow_usecases.idle_dags import IdleDag

log = logging.getLogger(__name__)


def _airflow() -> AirflowRest:
    import requests
    from airflow.sdk import Connection

    from airflow_usecases.airflow_rest import AirflowRest, base_url

    connection = Connection.get("airflow_api")
    return AirflowRest.login(
        base_url(connection), requests.Session(), connection.login or "", connection.password or ""
    )


@task
def find_unused() -> list[IdleDag]:
    """List the unused and unprotected DAGs, the longest unused first."""
    context = get_current_context()
    params = context["params"]
    found = idle_dags.find_idle(
        idle_dags.active_dags(_airflow()),
        pendulum.now("UTC"),
        params["unused_days"],
        idle_dags.Protection(
            tags=params["protected_tags"],
            dag_ids={*params["protected_dag_ids"], context["dag"].dag_id},
        ),
    )
    for dag in found:
        log.info("unused for %d days: %s", dag["idle_days"], dag["dag_id"])
    return found


@task.short_circuit
def confirm_pausing(unused: list[IdleDag]) -> bool:
    """Go on only if this is no dry run and there is something to pause."""
    dry_run = get_current_context()["params"]["dry_run"]
    log.info("%d unused DAGs%s", len(unused), ", dry run: nothing is paused" if dry_run else "")
    return bool(unused) and not dry_run


@task
def pause_unused(unused: list[IdleDag]) -> list[str]:
    """Pause them; returns their ids. Repeating it changes nothing more."""
    airflow = _airflow()
    for dag in unused:
        idle_dags.pause(airflow, dag["dag_id"])
        log.info("paused %s", dag["dag_id"])
    return [dag["dag_id"] for dag in unused]


with DAG(
    dag_id="platform_pause_unused_dags",
    description="Reports DAGs without runs for a long time and, if told so, pauses them",
    doc_md=__doc__,
    schedule="0 5 * * 1",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    max_consecutive_failed_dag_runs=3,
    dagrun_timeout=timedelta(hours=1),
    default_args={
        "owner": "platform",
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(minutes=10),
    },
    params={
        "unused_days": Param(90, type="integer", minimum=1, description="Days without a run"),
        "dry_run": Param(True, type="boolean", description="Only report"),
        "protected_tags": Param(["production", "critical"], type="array", items={"type": "string"}),
        "protected_dag_ids": Param([], type="array", items={"type": "string"}),
    },
    tags=["platform", "maintenance"],
):
    idle = find_unused()
    confirm_pausing(idle) >> pause_unused(idle)
