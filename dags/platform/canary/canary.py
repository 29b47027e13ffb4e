"""
# A canary

An empty task every five minutes. How late it starts is how late everybody's tasks start.

**What it shows**

- One measurement of the whole way: scheduler, executor, worker, API server and the metrics themselves. It
  leaves as the timer `canary.latency`: seconds from the moment the run was due to the moment its task ran.
- Silence is a finding as well: after twenty minutes without a sample `AirflowCanarySilent` fires: some part
  of the way is broken, whichever it is. `AirflowCanaryLate` fires when p90 is above two minutes.
- A folder of its own, so that a tenant can have the canary without the rest of the library:
  `image: {path: /opt/airflow/library/platform/canary}`.

**When to use it**

In every tenant that somebody relies on. It costs some 300 task instances a day.

**When not**

A tenant that is hibernated or paused on purpose: pause the DAG with it.

**What to change**

`schedule`, and with it the patience of the two alerts (20 and 15 minutes). Give it the pool or the queue of
your most important DAGs, and it measures that.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pendulum
from airflow.sdk import DAG, get_current_context, task
from airflow.sdk.observability import stats


@task
def measure_latency() -> float:
    """Seconds since the run was due."""
    run_after = get_current_context()["dag_run"].run_after
    latency = max((datetime.now(UTC) - run_after).total_seconds(), 0.0)
    stats.timing("canary.latency", timedelta(seconds=latency))
    return latency


with DAG(
    dag_id="platform_canary",
    description="Every five minutes: how late does a task start?",
    doc_md=__doc__,
    schedule="*/5 * * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "platform",
        "retries": 1,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=2),
    },
    tags=["platform", "canary", "observability"],
):
    measure_latency()
