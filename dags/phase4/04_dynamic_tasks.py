"""
# Dynamic task mapping: as many tasks as there is work

The shops' files of a day are listed at run time; every file is checked and loaded by its own task instance.

**What it shows**

- `load_file.expand(file=list_files())`: one instance per element, decided when `list_files` has finished.
- `.partial(...)`: arguments that are the same for all instances.
- `.expand_kwargs(...)`: several arguments per instance, as a list of dicts.
- `map_index_template`: the UI names an instance by its file instead of by a number.
- A mapped task group: each file has its own pair `parse_file >> store_file`, and a slow file holds up
  only its pair.
- What comes after (`sum_rows`) gets all results as one sequence.

**When to use it**

The number of parts is known only at run time, and each part shall be retried, timed and seen alone.

**When not**

- Thousands of tiny parts: map over batches. Airflow refuses more than `max_map_length` (1024) elements.
- The parts are always the same: a loop at parse time gives them names.

**What to change**

`list_files`. An empty list is no error: the mapped tasks are skipped. `max_active_tis_per_dagrun` bounds
how many instances of a run work at once.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task, task_group

from airflow_usecases import shop_files

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_usecases.shop_files import LoadPlan


@task
def list_files() -> list[str]:
    """The files to load; a real one lists a bucket's keys."""
    return list(get_current_context()["params"]["files"])


@task(map_index_template="{{ file_name }}")
def check_file(file: str, *, suffix: str) -> str:
    """Check a file's name and give it on; the name is also what the UI shows for this instance."""
    context: Any = get_current_context()
    context["file_name"] = file
    return shop_files.checked(file, suffix)


@task
def plan_loads(files: Iterable[str]) -> list[LoadPlan]:
    """The arguments of each load: file, table and day."""
    return [shop_files.plan(file) for file in files]


@task(max_active_tis_per_dagrun=4)
def load_file(file: str, table: str, day: str) -> int:
    """Load one file into the table and day that its name says; returns the number of rows."""
    return shop_files.rows_of(file, table, day)


@task
def parse_file(file: str) -> str:
    """Read the shop's name out of a file's name."""
    return shop_files.plan(file)["table"]


@task
def store_file(table: str) -> str:
    """Where the file of this pair was put."""
    return f"archive/{table}"


@task_group
def archive_file(file: str) -> None:
    """One pair of tasks for each file."""
    store_file(parse_file(file))


@task
def sum_rows(rows: Iterable[int]) -> int:
    """All loaded rows."""
    return sum(rows)


with DAG(
    dag_id="phase4_04_dynamic_tasks",
    description="Task mapping over a list that is known only at run time",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args={
        "owner": "platform",
        "retries": 1,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=5),
    },
    params={
        "files": Param(
            ["orders_2026-03-02.csv", "returns_2026-03-02.csv", "stock_2026-03-02.csv"],
            type="array",
            items={"type": "string"},
            description="File names: <table>_<day>.csv",
        )
    },
    tags=["phase4", "mapping"],
):
    files = list_files()
    checked = check_file.partial(suffix=".csv").expand(file=files)
    rows = load_file.expand_kwargs(plan_loads(checked))
    archive_file.expand(file=checked)
    sum_rows(rows)
