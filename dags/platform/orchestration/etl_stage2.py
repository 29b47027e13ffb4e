"""
# A split monolith, stage 2: verify and publish

The other half of `etl_stage1`, which starts it and waits for it.

**What it shows**

A DAG that is started by another one: no schedule, and a JSON schema on its params, so that a wrong
hand-over is refused when the run is created instead of failing in the middle of the work. `conf` overrides
the params' defaults.

**When to use it**

As the callee of a `TriggerDagRunOperator`; and by hand, to repeat the publication without the collection.

**When not**

If nobody else ever starts it, it is a task group of the other DAG, not a DAG.

**What to change**

`publish_files`: write where your consumers read. It must be repeatable for the same files.
"""

from __future__ import annotations

import logging
from datetime import timedelta

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from airflow_usecases import file_stages

log = logging.getLogger(__name__)


@task
def verify_checksums() -> list[str]:
    """The files whose checksums are right; a wrong one fails the run at once."""
    params = get_current_context()["params"]
    wrong = file_stages.mismatches(params["files"], params["checksums"])
    if wrong:
        raise AirflowFailException(f"wrong or missing checksum: {', '.join(wrong)}")
    return list(params["files"])


@task
def publish_files(files: list[str]) -> int:
    """Publish the files; returns how many."""
    for file in files:
        log.info("published %s", file)
    return len(files)


with DAG(
    dag_id="etl_stage2",
    description="Verifies and publishes what etl_stage1 hands over",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args={
        "owner": "platform",
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=10),
    },
    params={
        "files": Param([], type="array", items={"type": "string"}, description="Names from stage 1"),
        "checksums": Param({}, type="object", additionalProperties={"type": "string"}),
    },
    tags=["platform", "orchestration"],
):
    publish_files(verify_checksums())
