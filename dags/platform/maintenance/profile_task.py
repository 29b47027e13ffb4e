"""
# Find out why a task is slow

A task that takes too long, under the profiler.

**What it shows**

- `profile_aggregation` runs the suspect under `cProfile` and writes `aggregation.prof`. The XCom carries
  the *path* and the names of the slowest functions, never the profile. Open it with `python -m pstats FILE`
  or `snakeviz FILE`.
- `log_sql` logs each SQL statement with its time. It listens to SQLAlchemy's events instead of `echo=True`,
  which would write the statements' parameters, and with them personal data, into the log.
- `report_slow_tasks` compares the measured times with a limit, logs a warning for each that is above, and
  writes `slow.txt` beside the profile.

**When to use it**

For one run by hand, when *this* task got slow and you do not know where.

**When not**

Always on: a profiled call takes up to twice as long. Which tasks are slow at all is a question to the
metrics or to `GET /api/v2/dags/~/dagRuns/~/taskInstances?duration_gte=60`.

**What to change**

Replace `running_totals` by your function; set `profile_folder` to a folder that outlives the task's pod.
"""

from __future__ import annotations

import functools
import logging
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task

from airflow_usecases import profiling

if TYPE_CHECKING:
    from airflow_usecases.profiling import Profile

log = logging.getLogger(__name__)


def _folder() -> Path:
    context = get_current_context()
    return Path(context["params"]["profile_folder"]) / context["run_id"].replace("/", "_")


@task
def profile_aggregation() -> Profile:
    """Run the suspect under cProfile; returns where the profile is."""
    rows = get_current_context()["params"]["rows"]
    work = functools.partial(profiling.running_totals, range(rows), 50)
    totals, profile = profiling.profile_call(_folder() / "aggregation.prof", work)
    log.info("%d totals in %.3f s, mostly in %s", len(totals), profile["seconds"], profile["top"][0])
    return profile


@task(multiple_outputs=False)
def log_sql() -> dict[str, Any]:
    """Run the queries with each statement and its time in the log; returns their number and time."""
    from sqlalchemy import create_engine, text

    engine = create_engine("sqlite://")
    with profiling.sql_echo(engine, log) as statements, engine.begin() as connection:
        connection.execute(text("CREATE TABLE sales (region TEXT, amount INTEGER)"))
        rows = [
            {"region": region, "amount": amount} for amount in range(500) for region in ("north", "south")
        ]
        connection.execute(text("INSERT INTO sales VALUES (:region, :amount)"), rows)
        connection.execute(text("SELECT region, SUM(amount) FROM sales GROUP BY region")).all()
    return {"statements": len(statements), "seconds": sum(one["seconds"] for one in statements)}


@task
def report_slow_tasks(profile: Profile, sql: dict[str, Any]) -> list[str]:
    """The tasks above the limit, the slowest first."""
    limit = get_current_context()["params"]["slow_after_seconds"]
    measured = {"profile_aggregation": profile["seconds"], "log_sql": sql["seconds"]}
    slow = profiling.slow_ones(measured, limit)
    for line in slow:
        log.warning("slow: %s", line)
    (_folder() / "slow.txt").write_text("".join(f"{line}\n" for line in slow), encoding="utf-8")
    return slow


with DAG(
    dag_id="platform_profile_task",
    description="cProfile to a file, SQL with times in the log, a report of what was slow",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "platform",
        "retries": 1,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=10),
    },
    params={
        "profile_folder": Param("/data/profiles", type="string", description="Where the profiles go"),
        "rows": Param(20_000, type="integer", minimum=1),
        "slow_after_seconds": Param(60.0, type="number", minimum=0),
    },
    tags=["platform", "maintenance", "performance"],
):
    report_slow_tasks(profile_aggregation(), log_sql())
