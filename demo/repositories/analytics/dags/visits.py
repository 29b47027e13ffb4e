"""Report the visits of each region.

Dynamic mapping with the KubernetesExecutor: one task, and so one pod, for every region of the tenant's
variable `report_regions`. The pods share nothing but what they return.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from airflow.sdk import Variable, dag, task
from analytics_lib import visits as lib

log = logging.getLogger(__name__)


@dag(
    schedule="0 6 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args={
        "owner": "analytics",
        "retries": 2,
        "retry_delay": timedelta(seconds=10),
        "execution_timeout": timedelta(minutes=5),
    },
    tags=["analytics", "report"],
    doc_md=__doc__,
)
def visits() -> None:
    """Regions, then one count each, then the report."""

    @task
    def regions() -> list[str]:
        """Read the regions from the tenant's variable."""
        return sorted(Variable.get("report_regions", deserialize_json=True))

    @task(pool="warehouse")
    def count(region: str, dag_run=None) -> dict[str, int]:
        """Count one region's visits; a real task would ask the warehouse."""
        return {region: lib.count(region, dag_run.run_after.date().isoformat())}

    @task
    def report(counts: list[dict[str, int]]) -> str:
        """Print the table that people look for in the log."""
        table = lib.as_table({region: number for part in counts for region, number in part.items()})
        log.info("visits\n%s", table)
        return table

    report(count.expand(region=regions()))


visits()
