"""
# Lineage that draws itself

Orders come from a bucket, are priced, land in a table. With the OpenLineage provider each task run becomes a
START and a COMPLETE (or FAIL) event that names what it read and wrote; Marquez, DataHub or any other
receiver draws the graph of all DAGs.

**What it shows**

| task | how its lineage arises |
|---|---|
| `fetch_orders` | from the assets in `inlets` and `outlets`: no lineage code at all |
| `price_orders` | an operator of your own: `get_openlineage_facets_on_complete` |

- What you get without a line: Spark (Livy, Dataproc, EMR: parent run injected into the job), BigQuery and
  Snowflake operators, `SQLExecuteQueryOperator` (its SQL is parsed), S3 and GCS copies.
- Column lineage and a **custom facet**: `shop_quality` carries rows, revenue and rejected orders of this run.
- Opting in: with `[openlineage] selective_enable` only DAGs that say so send events.
- Marquez: transport `{"type": "http", "url": "https://marquez.example.com"}`; then *Jobs* shows
  `<namespace>/phase17_01_openlineage.price_orders` with its two datasets and the facet at each run.

**When to use it**

As soon as somebody asks where a figure comes from or who breaks when a table changes.

**When not**

- To transport data or to trigger: events may be lost, and a receiver that is down must not stop a task (the
  provider logs the error and goes on).
- Facets with rows or personal data: lineage is read by many.

**What to change**

`lineage.RAW`, `PRICED` and `DERIVED`. The provider is `apache-airflow-providers-openlineage`; the old package
`openlineage-airflow` works with Airflow 2 only. Without the provider this DAG runs as well, silently.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, BaseOperator, Context, task

from airflow_usecases import lineage, sales

RAW = Asset("shop_raw_orders", uri="s3://shop-raw/orders/orders.csv")
STAGED = Asset("shop_staged_orders", uri="s3://shop-stage/orders/orders.csv")


def opt_in(dag: DAG) -> DAG:
    """Let this DAG send lineage where only some do; nothing without the provider."""
    try:
        from airflow.providers.openlineage.utils.selective_enable import enable_lineage
    except ImportError:
        return dag
    return enable_lineage(dag)


@task(inlets=[RAW], outlets=[STAGED])
def fetch_orders() -> int:
    """Copy the orders of the day; returns how many there are."""
    return len(sales.ORDERS)


class PriceOrdersOperator(BaseOperator):
    """Prices the orders and tells lineage what it read, what it wrote and how good it was."""

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """The figures of the run."""
        return lineage.quality(sales.ORDERS)

    def get_openlineage_facets_on_start(self) -> Any:
        """Called before `execute`: what will be read and written is known already."""
        return lineage.describe(lineage.quality([]))

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002
        """Called after `execute`, with the task instance: now the figures exist, too."""
        return lineage.describe(lineage.quality(sales.ORDERS))


with DAG(
    dag_id="phase17_01_openlineage",
    description="Lineage from assets and from an operator, with a custom facet",
    doc_md=__doc__,
    schedule=None,
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
    tags=["phase17", "lineage"],
) as dag:
    fetch_orders() >> PriceOrdersOperator(task_id="price_orders")

opt_in(dag)
