"""
# Many DAGs from one definition, or many tasks in one DAG

`configs/tenants.yaml` has one definition and three tenants: it makes `acme_usage_report`,
`globex_usage_report` and `initech_usage_report`. This DAG does the same work for all of them with mapped
tasks, to compare.

**What it shows**

- `for_each`: one DAG for each tenant, with the tenant's name as prefix of the dag_id, a tag and a pool of
  its own.
- Inheritance: `usage_report` extends `tenant_dag` and adds tasks. Composition: the block `delivery` adds
  tasks that any DAG can take.
- Params with a JSON schema: `month` must be YYYY-MM. A trigger with anything else is refused with HTTP 400,
  before there is a run. Without a month a run reports the one before its own: the scheduled runs are on the
  first day of a month, so each month is invoiced once.

**When to use it**

| | one DAG for each tenant | one DAG, mapped tasks |
|---|---|---|
| the list is known | when the file is parsed | when the run starts |
| schedule, pool, permissions, pause | each tenant's own | shared |
| one tenant fails | its DAG is red | the run is red |
| a tenant more | a new DAG, after the next parse | one more task instance |
| cost | parse time and rows for each DAG | none between runs |

Tenants that must not see each other's runs need DAGs of their own; a mapped task isolates nothing.

**When not**

Hundreds of items, or items that come and go: map tasks. And never make DAGs from a database or an API at
parse time: an outage there would remove the DAGs.

**What to change**

`vars.tenants` in the YAML file; every pool named there must exist. `MONTH` is the schema that both kinds
share.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import Param, dag, get_current_context, task

from airflow_usecases import tenant_usage
from tenant_airflow_lib.factory import Policy, load_dags

if TYPE_CHECKING:
    from airflow_usecases.tenant_usage import Invoice

TENANTS = Path(__file__).with_name("configs") / "tenants.yaml"
MONTH = {"type": ["string", "null"], "pattern": "^20[0-9]{2}-(0[1-9]|1[0-2])$"}

load_dags(TENANTS, globals(), policy=Policy(callables=("airflow_usecases",)))


@task
def list_tenants() -> list[dict[str, Any]]:
    """The tenants, read when the run starts: a new one needs no new parse."""
    return tenant_usage.tenants_of(TENANTS)


@task(map_index_template="{{ tenant_name }}")
def report_usage(tenant: dict[str, Any]) -> Invoice:
    """Read, price and check the usage of one tenant."""
    context = get_current_context()
    context["tenant_name"] = tenant["tenant"]
    run = context["dag_run"]
    run_date = f"{run.data_interval_end or run.run_after:%Y-%m-%d}"
    usage = tenant_usage.read_usage(tenant["tenant"], context["params"]["month"] or "", run_date)
    return tenant_usage.check_invoice(tenant_usage.price_usage(usage, tenant["price"], tenant["currency"]))


@task
def count_invoices(invoices: list[Invoice]) -> int:
    """How many tenants used the service."""
    return sum(invoice["calls"] > 0 for invoice in invoices)


@dag(
    dag_id="phase15_03_dynamic_dag_patterns",
    description="One definition for many tenants: as DAGs, and as mapped tasks",
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
    params={"month": Param(None, description="Month to report, as YYYY-MM; else the one before", **MONTH)},
    tags=["phase15", "dynamic"],
)
def report_all_tenants() -> None:
    """Wire the tasks; runs at parse time."""
    count_invoices(report_usage.expand(tenant=list_tenants()))


report_all_tenants()
