"""
# The same work for each city: a loop or a mapping

Delivery plans for New York, Los Angeles and San Francisco, made in two ways side by side.

**What it shows**

- A **loop** at parse time: `city_processing` holds one task per city, with an id of its own
  (`process_NYC`). The graph shows each city, and other tasks can depend on one of them.
- A **branch** over the loop: `choose_cities` returns the ids of the cities that have at least
  `minimum_orders` orders; the others are skipped. If none has, `report_no_orders` runs instead.
- A **mapping** at run time: `process_city.expand(city=...)`, one instance per element of `list_cities`,
  shown by its name through `map_index_template`.

**When to use it**

Loop: few elements that rarely change and that people want to see, pause or retry by name. Mapping: the list
is known only at run time, or is long.

**When not**

A loop over something read from a database or an API: parsing happens every minute and must not wait for
others.

**What to change**

`CITIES` and `plan_city` in `airflow_usecases/cities.py`; the orders come from the run's params here, in
your DAG from a query.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, TaskGroup, get_current_context, task

from airflow_usecases import cities

if TYPE_CHECKING:
    from airflow_usecases.cities import Plan

GROUP = "city_processing"


def _orders() -> dict[str, int]:
    return dict(get_current_context()["params"]["orders"])


@task.branch
def choose_cities(groups: dict[str, str]) -> list[str]:
    """The tasks of the cities that have enough orders, else the report that there are none."""
    minimum = get_current_context()["params"]["minimum_orders"]
    busy = cities.busy_cities(_orders(), minimum)
    return [groups[city] for city in busy] or ["report_no_orders"]


@task
def list_cities() -> list[str]:
    """The list that the mapping expands over."""
    return list(cities.CITIES)


@task
def plan_deliveries(city: str) -> Plan:
    """Plan one city."""
    return cities.plan_city(city, _orders())


@task(map_index_template="{{ city }}")
def process_city(city: str) -> Plan:
    """Plan one city, as a mapped task."""
    get_current_context()["city"] = city
    return cities.plan_city(city, _orders())


with DAG(
    dag_id="dynamic_parallel_tasks",
    description="One task per city: by a loop with a branch over it, and by task mapping",
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
        "execution_timeout": timedelta(minutes=5),
    },
    params={
        "orders": Param(
            {"NYC": 120, "LA": 80, "SF": 45},
            type="object",
            additionalProperties={"type": "integer", "minimum": 0},
            description="Orders of the day by city",
        ),
        "minimum_orders": Param(1, type="integer", minimum=1, description="Fewer orders: no plan"),
    },
    tags=["platform", "patterns", "dynamic-tasks"],
):
    start = EmptyOperator(task_id="start")
    end = EmptyOperator(task_id="end", trigger_rule="none_failed_min_one_success")

    with TaskGroup(GROUP):
        loop = [plan_deliveries.override(task_id=f"process_{city}")(city) for city in cities.CITIES]

    chosen = choose_cities({city: f"{GROUP}.process_{city}" for city in cities.CITIES})
    start >> chosen >> loop >> end
    chosen >> EmptyOperator(task_id="report_no_orders") >> end

    listed = list_cities()
    start >> listed
    process_city.expand(city=listed) >> end
