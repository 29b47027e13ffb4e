"""
# Stop quietly when there is nothing to do

A partner delivers `/data/input.csv` on some days. Without the file the rest of the run is skipped, not
failed.

**What it shows**

`@task.short_circuit`: a false result skips what follows. Two variants beside each other:

- `check_file_exists`, the default: *every* task downstream is skipped, whatever its trigger rule. So is
  `report_delivery`, although its rule is `none_failed`.
- `check_file_softly`, with `ignore_downstream_trigger_rules=False`: only the *direct* successors are
  skipped; the others decide by their rule. `report_delivery_softly` runs and says "no delivery".

**When to use it**

"Nothing to do today" is a normal outcome.

**When not**

The file *must* come, only later: use a sensor with a timeout. The file's absence is an error: fail.

**What to change**

The path is the param `input_path`; `process_file` is the place of the real work. On Kubernetes the path must
be a volume that every task's pod mounts.
"""

from __future__ import annotations

import csv
import logging
from datetime import timedelta
from pathlib import Path

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task

log = logging.getLogger(__name__)


def _input() -> Path:
    return Path(get_current_context()["params"]["input_path"])


def _file_exists() -> bool:
    return _input().is_file()


@task
def process_file() -> int:
    """Count the rows below the header."""
    with _input().open(newline="", encoding="utf-8") as lines:
        return sum(1 for _ in csv.DictReader(lines))


@task(trigger_rule="none_failed")
def report_delivery() -> str:
    """Say whether there was a delivery."""
    outcome = "delivered" if _input().is_file() else "no delivery"
    log.info("%s: %s", outcome, _input())
    return outcome


with DAG(
    dag_id="platform_short_circuit_file",
    description="A missing input file skips the rest of the run, in a strict and in a soft way",
    doc_md=__doc__,
    schedule="@daily",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "platform",
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=5),
    },
    params={"input_path": Param("/data/input.csv", type="string", description="File of the partner")},
    tags=["platform", "patterns", "short-circuit"],
):
    task.short_circuit(task_id="check_file_exists")(_file_exists)() >> process_file() >> report_delivery()

    (
        task.short_circuit(task_id="check_file_softly", ignore_downstream_trigger_rules=False)(_file_exists)()
        >> process_file.override(task_id="process_file_softly")()
        >> report_delivery.override(task_id="report_delivery_softly")()
    )
