"""
# A split monolith, stage 1: collect and hand over

One DAG used to collect, clean and publish; a failed publication repeated the collection. Now there are two:
this one ends by starting `etl_stage2` for the same files.

**What it shows**

- `process_file.expand(file=...)`: one task per file, known only at run time.
- `checksum_chunks`: a thread pool of 4 inside *one* task, for many small calls that wait for the network.
  1,000 mapped tasks would spend more time starting than working.
- `trigger_etl_stage2`: `TriggerDagRunOperator` passes the results as `conf`, and waits for the run without
  holding a worker slot (`wait_for_completion`, `deferrable`). A failed stage 2 fails this run, and a paused
  one fails it at once instead of waiting for ever. The run id is made of this run's id: with
  `reset_dag_run` a retry repeats the run that it started instead of adding a second one.
- How long stage 1 waits is limited by `dagrun_timeout` (2 hours) alone: in Airflow 3.3.2 a deferred task has
  no `execution_timeout`, and this operator gives its wait no limit of its own.

**When to use it**

The stages have different owners, schedules or retry rules, and *each* run of stage 1 needs exactly one run
of stage 2.

**When not**

Stage 2 needs the *data*, whoever made it: publish an asset and schedule stage 2 on it.

**What to change**

`list_files`; the size of the pool follows what the other side allows.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Param, get_current_context, task

from airflow_usecases import file_stages

THREADS = 4


@task
def list_files() -> list[str]:
    """The files of this run."""
    return list(get_current_context()["params"]["files"])


@task(map_index_template="{{ file }}")
def process_file(file: str) -> str:
    """Normalise one name; the place of the real work per file."""
    get_current_context()["file"] = file
    return file_stages.normalise(file)


@task
def collect_names(names: list[str]) -> list[str]:
    """The results of all mapped tasks, as a plain list."""
    return sorted(names)


@task(multiple_outputs=False)
def checksum_chunks(names: list[str]) -> dict[str, str]:
    """A checksum for each name, computed by four threads."""
    return file_stages.checksums(names, THREADS)


with DAG(
    dag_id="etl_stage1",
    description="Processes files and hands them to etl_stage2, for whose end it waits without a worker slot",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    default_args={
        "owner": "platform",
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=10),
    },
    params={"files": Param(["A.txt", "B.txt"], type="array", items={"type": "string"}, minItems=1)},
    tags=["platform", "orchestration"],
):
    processed = collect_names(process_file.expand(file=list_files()))
    checked = checksum_chunks(processed)
    trigger_etl_stage2 = TriggerDagRunOperator(
        task_id="trigger_etl_stage2",
        trigger_dag_id="etl_stage2",
        trigger_run_id="stage1__{{ run_id }}",
        conf={"files": processed, "checksums": checked},
        reset_dag_run=True,
        fail_when_dag_is_paused=True,
        wait_for_completion=True,
        deferrable=True,
        poke_interval=15,
        allowed_states=["success"],
        failed_states=["failed"],
    )
