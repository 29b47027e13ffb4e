"""
# Sales of the day: extract, transform, load

The smallest pipeline that is fit for production.

**What it shows**

- Three TaskFlow tasks that pass **metadata**: counts and paths, never rows. XComs live in Airflow's database.
- A repeatable day: each step replaces the files of *its* day. Running 2026-03-06 again gives the same
  partition, not a second copy.
- The day comes as the argument `ds`. A run without a logical date has no `ds`; then the day is that of
  `run_after`.
- Bounded in every direction: 3 retries, 5 minutes apart, one hour per try, one run at a time, no catch-up.

**When to use it**

As the first version of any daily load.

**When not**

Data that does not fit through a worker: let a database or Spark do the work, and let Airflow start it.

**What to change**

`sample_api` in `airflow_usecases/daily_sales.py`: call your source. `data_folder`: a volume that all tasks
see.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task

from airflow_usecases import daily_sales
from airflow_usecases.run_dates import run_day

if TYPE_CHECKING:
    from airflow_usecases.daily_sales import Extracted, Loaded, Processed

log = logging.getLogger(__name__)


def _folder(name: str) -> Path:
    return Path(get_current_context()["params"]["data_folder"]) / name


@task
def extract(ds: str | None = None) -> Extracted:
    """Fetch the sales of the day; returns their number and where they are."""
    day = ds or run_day(get_current_context()["dag_run"])
    return daily_sales.extract(_folder("staging"), day)


@task
def transform(extracted: Extracted) -> Processed:
    """Price them."""
    return daily_sales.transform(extracted)


@task
def load(processed: Processed) -> Loaded:
    """Replace the partition of the day."""
    loaded = daily_sales.load(processed, _folder("warehouse"))
    log.info("loaded %d of %d sales", loaded["loaded"], processed["processed"])
    return loaded


with DAG(
    dag_id="etl_daily_sales",
    description="Extract, transform and load the sales of a day, repeatable and bounded",
    doc_md=__doc__,
    schedule="0 6 * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=4),
    default_args={
        "owner": "data_engineering",
        "retries": 3,
        "retry_delay": timedelta(minutes=5),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=30),
        "execution_timeout": timedelta(hours=1),
    },
    params={"data_folder": Param("/data/sales", type="string", description="Staging and warehouse")},
    tags=["data_engineering", "transformation", "etl", "sales"],
):
    load(transform(extract()))
