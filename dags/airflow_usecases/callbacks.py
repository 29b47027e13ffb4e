"""Callbacks that write down what happened: one JSON object per line, or a log line where no folder is set.

They run in different processes: those of tasks in the worker, those of a run in the DAG processor; both find
the folder in the same Variable, which the DAG's notifier reads. A missed deadline's runs in the executor and
can only log.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = "callbacks.jsonl"
RUN_EVENTS = frozenset({"run_success", "run_failure"})
log = logging.getLogger(__name__)


def record_of(event: str, context: Mapping[str, Any]) -> dict[str, Any]:
    """What is known when a task or a run comes to `event`, a word of the DAG's choice.

    `context` is the one that Airflow gives to a callback. A task's event has its try number; a run's event
    (`RUN_EVENTS`) has neither task nor try, whatever the context names.
    """
    run = context["dag_run"]
    record: dict[str, Any] = {"event": event, "dag_id": run.dag_id, "run_id": run.run_id}
    ti = context.get("ti") if event not in RUN_EVENTS else None
    if ti is not None:
        record |= {"task_id": ti.task_id, "try_number": ti.try_number}
    return record


def record_missed_deadline(context: Mapping[str, Any]) -> None:
    """Log that a run was not done in time; `context` holds `dag_run` and `deadline` as plain dicts.

    A log line, not a file: Airflow 3.3.2 answers 403 when a callback in the executor asks for a Variable or a
    connection. The line is in the executor's logs, `executor_callbacks/<dag_id>/<run_id>/`.
    """
    run = context["dag_run"]
    record = {
        "dag_id": run["dag_id"],
        "run_id": run["dag_run_id"],
        "deadline": str(context["deadline"]["deadline_time"]),
    }
    log.warning("missed deadline: %s", json.dumps(record))


def write(record: Mapping[str, Any], folder: str) -> None:
    """Append a record to `callbacks.jsonl` in `folder`; log it when `folder` is empty.

    Makes the folder. Raises OSError when it cannot be written to.
    """
    if not folder:
        log.info("callback: %s", json.dumps(record))
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    with Path(folder, FILE).open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
