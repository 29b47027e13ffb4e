"""Run a DAG of the library by `dag.test()` and see what it did.

    done = run("phase4_04_dynamic_tasks", conf={"files": ["a", "b"]})
    assert done.state == "success"
    assert done.states == {"list_files": "success", "load_file[0]": "success", "load_file[1]": "success"}
    assert done.xcom("list_files") == ["a", "b"]

The real task runner, the real Execution API (in process) and a real database; no scheduler: pools, priority,
deadlines, DAG callbacks and asset-triggered runs need the `live` fixture. Triggers of deferred tasks run in
line. Tasks run in this process: monkeypatch, caplog and environment variables (AIRFLOW_CONN_*, AIRFLOW_VAR_*)
reach them.
"""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.dags import library
from tests.dags.home import LIBRARY

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.sdk import DAG

SOON = datetime.timedelta(seconds=0)
PAUSE = 0.05  # seconds between two pokes


@dataclass(frozen=True)
class Task:
    """One task instance after the run."""

    state: str
    tries: int
    started: datetime.datetime | None
    ended: datetime.datetime | None
    rendered_map_index: str | None


class Run:
    """What a finished run left behind."""

    def __init__(self, dag_run: DagRun) -> None:
        self.dag_id: str = dag_run.dag_id
        self.run_id: str = dag_run.run_id
        self.state: str = str(dag_run.state.value)
        self.conf: Mapping[str, Any] = dag_run.conf or {}
        self.logical_date: datetime.datetime | None = dag_run.logical_date
        self.tasks: dict[str, Task] = {}
        for ti in sorted(dag_run.get_task_instances(), key=lambda ti: (ti.task_id, ti.map_index)):
            name = ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]"
            self.tasks[name] = Task(
                state=str(ti.state),
                tries=ti.try_number,
                started=ti.start_date,
                ended=ti.end_date,
                rendered_map_index=ti.rendered_map_index,
            )

    @property
    def states(self) -> dict[str, str]:
        """Task -> state; mapped ones as `task[0]`, `task[1]`."""
        return {name: task.state for name, task in self.tasks.items()}

    def of(self, state: str) -> set[str]:
        """The tasks that ended in `state`."""
        return {name for name, task in self.tasks.items() if task.state == state}

    def tries(self, task: str) -> int:
        """How often a task was tried."""
        return self.tasks[task].tries

    def mapped(self, task_id: str) -> int:
        """Into how many instances a mapped task expanded."""
        return sum(name.startswith(f"{task_id}[") for name in self.tasks)

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """The value that a task pushed. Raises KeyError when there is none."""
        from airflow.models.xcom import XComModel
        from airflow.sdk.bases.xcom import BaseXCom
        from airflow.utils.session import create_session

        with create_session() as session:
            query = XComModel.get_many(
                run_id=self.run_id, key=key, dag_ids=self.dag_id, task_ids=task_id, map_indexes=map_index
            )
            row = session.scalars(query).first()
            if row is None:
                raise KeyError(f"{self.dag_id}.{task_id} pushed no {key!r}")
            return BaseXCom.deserialize_value(row)

    def xcoms(self, task_id: str) -> dict[str, Any]:
        """All keys that an unmapped task pushed."""
        from airflow.models.xcom import XComModel
        from airflow.sdk.bases.xcom import BaseXCom
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            of_task = select(XComModel).where(
                XComModel.run_id == self.run_id,
                XComModel.dag_id == self.dag_id,
                XComModel.task_id == task_id,
            )
            return {row.key: BaseXCom.deserialize_value(row) for row in session.scalars(of_task)}


_NOW: Any = object()


def run(
    dag_id: str,
    *,
    conf: Mapping[str, Any] | None = None,
    logical_date: datetime.datetime | None = _NOW,
    run_after: datetime.datetime | None = None,
    change: Callable[[DAG], None] | None = None,
    quick: bool = True,
) -> Run:
    """Run one DAG to its end.

    `logical_date=None` is a run without one. `change` edits the DAG before it runs. `quick` makes retries and
    pokes follow at once; it changes delays only, never their number. The neighbours in the DAG's folder are
    in the bundle too, so that a DAG may trigger them.
    """
    with _in_bundle(library.file_of(dag_id)) as file:
        dag = library.parse(file, _bundle()).dags[dag_id]
        if quick:
            hurry(dag)
        if change is not None:
            change(dag)
        # dag.test() of 3.3.2 takes the alerts' definitions for their ids and stops; `live` has deadlines
        dag.deadline = None
        dates: dict[str, Any] = {} if logical_date is _NOW else {"logical_date": logical_date}
        done = dag.test(run_conf=dict(conf or {}), run_after=run_after, **dates)
        return Run(done)


def hurry(dag: DAG) -> None:
    """Set every delay between tries and pokes to (nearly) nothing."""
    for task in dag.task_dict.values():
        delays = {"retry_delay": SOON}
        if task.max_retry_delay is not None:
            delays["max_retry_delay"] = SOON
        partial: dict[str, Any] | None = getattr(task, "partial_kwargs", None)
        if partial is not None:
            partial.update(delays)
            continue
        for name, value in delays.items():
            setattr(task, name, value)
        if hasattr(task, "poke_interval"):
            task.poke_interval = PAUSE


def _bundle() -> Path:
    from airflow.configuration import conf

    return Path(conf.get_mandatory_value("core", "dags_folder"))


@contextmanager
def _in_bundle(file: Path) -> Iterator[Path]:
    """The bundle holds the folder of `file` and nothing else: `dag.test()` parses all of it each time."""
    bundle = _bundle()
    shutil.rmtree(bundle)
    folder = bundle / file.parent.relative_to(LIBRARY)
    shutil.copytree(file.parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    yield folder / file.name
