"""Settle the day's card payments, merchant by merchant.

Shows how a DAG uses what the AirflowTenant declares: the pool `settlement_api` (two calls at the same time),
the variables `settlement_merchants` and `settlement_currency`, and the connection `acquirer_api`.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from airflow.sdk import Connection, Variable, dag, task
from payments_lib.settlement import Settlement, settle

log = logging.getLogger(__name__)


@dag(
    schedule="30 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args={
        "owner": "payments",
        "retries": 2,
        "retry_delay": timedelta(seconds=10),
        "execution_timeout": timedelta(minutes=5),
    },
    tags=["payments", "settlement"],
    doc_md=__doc__,
)
def settlement() -> None:
    """Merchants, then one settlement each, then the sum."""

    @task
    def merchants() -> list[str]:
        """Read the list from the tenant's variable: a new merchant needs no new code."""
        return sorted(Variable.get("settlement_merchants", deserialize_json=True))

    @task(pool="settlement_api")
    def settle_merchant(merchant: str, dag_run=None) -> Settlement:
        """Settle one merchant. The pool keeps us within what the acquirer allows."""
        acquirer = Connection.get("acquirer_api")
        # A real task would POST here. The password is masked wherever it might be logged.
        log.info("sending to %s://%s as %s", acquirer.schema, acquirer.host, acquirer.login)
        # run_after is always there; logical_date is not, for runs that were started by hand.
        return settle(merchant, dag_run.run_after.date().isoformat())

    @task
    def summary(settlements: list[Settlement]) -> str:
        """Add up."""
        total = sum(settlement["net"] for settlement in settlements)
        text = f"{len(settlements)} merchants, {total / 100:.2f} {Variable.get('settlement_currency')}"
        log.info("%s", text)
        return text

    summary(settle_merchant.expand(merchant=merchants()))


settlement()
