"""
# DAGs from YAML

`configs/dag_definitions.yaml` defines `etl_customer_data` and `etl_customer_segments`. The call of
`load_dags` below makes them. This DAG checks the definitions every morning, in all of their environments.

**What it shows**

- A definition: `dag_id`, `schedule`, and `tasks` with `id`, `operator`, `callable`, `dependencies`.
  `templates` hold what several DAGs have in common, `${vars.minimum_rows}` is replaced when the file is
  parsed.
- Validation against a JSON schema that editors know, too (first line of the YAML file), and against what no
  schema can say: ids that exist, no circles, functions of allow-listed modules only. A problem names file,
  line and key.
- One broken definition makes an import error; the other DAGs of the file go on.
- Versions: `version` of the file becomes a tag of each DAG, so the list of DAGs shows which definitions are
  live.

**When to use it**

Many DAGs of one shape, written by people who know the data and not Python; reviews of what changes, not how.

**When not**

- Three DAGs: write three Python files, they can be searched and debugged.
- Logic in YAML, with conditions and loops: that is a bad programming language. Write a function and name it.

**What to change**

Definitions in YAML; `POLICY`, when functions live in another package. Before a merge:

    dag-factory validate dags/phase15/configs/dag_definitions.yaml --callables airflow_usecases --path dags

`dag-factory` is also the name of a public library with a format of its own. `dag-factory convert FILE`
rewrites such a file; to run that library itself beside this one, set `DO_NOT_TRACK=1`, because it sends
usage data.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pendulum
from airflow.sdk import dag, task

from airflow_usecases import definition_report
from tenant_airflow_lib.factory import Policy, load_dags

if TYPE_CHECKING:
    from airflow_usecases.definition_report import FileReport

CONFIGS = Path(__file__).with_name("configs")
POLICY = Policy(callables=("airflow_usecases",))

load_dags(CONFIGS / "dag_definitions.yaml", globals(), policy=POLICY)


@task
def list_files() -> list[str]:
    """The definition files of this folder."""
    return sorted(str(path) for path in CONFIGS.glob("*definitions.yaml"))


@task(map_index_template="{{ task.op_kwargs['path'].rpartition('/')[2] }}")
def check_file(path: str) -> FileReport:
    """Check one file in every environment."""
    return definition_report.check_file(path, POLICY)


@task(multiple_outputs=False)
def report_versions(reports: list[FileReport]) -> dict[str, str]:
    """Fail with all problems, or say which version of each file is live."""
    return definition_report.summarise(reports)


@dag(
    dag_id="phase15_01_yaml_dag_factory",
    description="YAML definitions become DAGs; this one checks them every morning",
    doc_md=__doc__,
    schedule="0 6 * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "platform",
        "retries": 1,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=5),
    },
    tags=["phase15", "factory"],
)
def check_definitions() -> None:
    """Wire the tasks; runs at parse time."""
    report_versions(check_file.expand(path=list_files()))


check_definitions()
