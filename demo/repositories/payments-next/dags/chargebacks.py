"""Collect the day's chargebacks: the DAG that the demo's second commit adds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag, task


@dag(
    schedule=None,
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
    tags=["payments"],
    doc_md=__doc__,
)
def chargebacks() -> None:
    """Collect, then notify."""

    @task
    def collect() -> list[str]:
        """Return the disputed payments."""
        return ["P-1042", "P-2077"]

    @task
    def notify(disputes: list[str]) -> int:
        """Tell the team how many there are."""
        return len(disputes)

    notify(collect())


chargebacks()
