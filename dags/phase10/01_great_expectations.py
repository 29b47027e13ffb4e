"""
# A quality gate of expectations

A shop delivers its orders as a CSV file. Five expectations say what "good" means; only a file that meets
all of them is loaded.

**What it shows**

- A *suite* is data: the four kinds `expect_column_to_exist`, `expect_column_values_to_not_be_null`,
  `expect_column_values_to_be_between`, `expect_table_row_count_to_be_between`, with the names and the JSON of
  Great Expectations 1.x.
- Three tasks: `validate_orders` always succeeds and leaves the report as its XCom, `require_quality` is the
  gate, `load_orders` runs only behind it. So the report can be read when the gate is closed.
- The gate fails *at once*: wrong data stays wrong, and retries would only delay the news. A file that is not
  there yet is another matter: there the retries of `validate_orders` apply.
- The report has counts and row numbers, no values: an XCom is no place for personal data.
- The param `engine`: `own` reads the file as a stream in constant memory and needs no package;
  `great_expectations` runs the same suite by the package, if it is installed.

**When to use it**

In front of each load whose source is not yours.

**When not**

The data is in a database already: select what is wrong in SQL (`check_sql` of the same package) instead of
reading the table out.

**What to change**

`SUITE`, the paths in the params, and `load_orders` as the place of the real load. It overwrites the partition
of the run's day, so a second run of the same day changes nothing.
"""

from __future__ import annotations

import logging
import shutil
from datetime import timedelta
from pathlib import Path

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task

from airflow_usecases.run_dates import run_day
from tenant_airflow_lib import checks
from tenant_airflow_lib.checks.tasks import require_success, validate_file

log = logging.getLogger(__name__)

SUITE = checks.Suite(
    name="orders",
    expectations=[
        checks.ColumnExists(column="order_id"),
        checks.NotNull(column="order_id"),
        checks.NotNull(column="email", mostly=0.9),
        checks.Between(column="amount", min_value=0, max_value=10_000),
        checks.RowCount(min_value=1, max_value=1_000_000),
    ],
)


@task
def load_orders(source: str, target: str) -> str:
    """Put the file in the partition of the run's day; the partition's path."""
    day = run_day(get_current_context()["dag_run"])
    partition = Path(target) / f"day={day}" / "orders.csv"
    partition.parent.mkdir(parents=True, exist_ok=True)
    incomplete = partition.with_suffix(".part")
    shutil.copyfile(source, incomplete)
    incomplete.replace(partition)  # readers see the old or the new file, never half of one
    log.info("loaded %s", partition)
    return str(partition)


with DAG(
    dag_id="phase10_01_great_expectations",
    description="A suite of expectations guards the load of a CSV file",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "platform",
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=10),
    },
    params={
        "orders_path": Param("/data/orders.csv", type="string", description="The delivered file"),
        "target_path": Param("/data/warehouse/orders", type="string", description="Folder of the partitions"),
        "engine": Param("own", type="string", enum=["own", "great_expectations"]),
    },
    tags=["phase10", "data-quality"],
):
    report = validate_file.override(task_id="validate_orders")(
        "{{ params.orders_path }}", SUITE.to_dict(), "{{ params.engine }}"
    )
    require_success.override(task_id="require_quality")(report) >> load_orders(
        "{{ params.orders_path }}", "{{ params.target_path }}"
    )
