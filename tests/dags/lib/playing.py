"""Run a DAG that a test writes down, and the facts that every operator of the package must keep."""

from __future__ import annotations

import textwrap
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.dags import library
from tests.dags.runner import Run, hurry

_HEAD = """
from datetime import timedelta
import pendulum
from airflow.sdk import DAG, task
with DAG("{dag_id}", schedule=None, start_date=pendulum.datetime(2024, 1, 1, tz="UTC"), catchup=False):
"""


def parsed(dag_id: str, body: str, folder: Path) -> Any:
    """The DAG whose tasks `body` makes."""
    file = folder / f"{dag_id}.py"
    file.write_text(_HEAD.format(dag_id=dag_id) + textwrap.indent(textwrap.dedent(body), "    "))
    found = library.parse(file, folder)
    assert not found.import_errors, found.import_errors
    return found.dags[dag_id]


def play(dag_id: str, body: str, conf: Mapping[str, Any] | None = None) -> Run:
    """Run that DAG by `dag.test()`."""
    from airflow.configuration import conf as settings

    dag = parsed(dag_id, body, Path(settings.get_mandatory_value("core", "dags_folder")))
    hurry(dag)
    return Run(dag.test(run_conf=dict(conf or {})))


def round_trip(task: Any) -> Any:
    """What the scheduler gets to know of a task."""
    from airflow.sdk import DAG
    from airflow.serialization.serialized_objects import DagSerialization

    with DAG(f"round_trip_{task.task_id}", schedule=None) as dag:
        dag.add_task(task)
    return DagSerialization.from_dict(DagSerialization.to_dict(dag)).get_task(task.task_id)


def rendered(task: Any, **names: Any) -> Any:
    """The task after its templates were rendered, outside of a DAG."""
    task.render_template_fields(names)
    return task


def context(**more: Any) -> dict[str, Any]:
    """What an operator reads of a run; the state store is a dictionary."""
    import pendulum

    ti = types.SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, try_number=1)
    run = types.SimpleNamespace(run_after=pendulum.datetime(2024, 5, 6, 2, 30, tz="UTC"))
    return {"ti": ti, "dag_run": run, "task_state_store": Store()} | more


class Store(dict[str, Any]):
    """The task's state store."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)
