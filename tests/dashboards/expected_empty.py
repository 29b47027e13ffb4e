"""Why a query finds nothing in the recording. A reason for a query that finds something fails a test.

Reasons for queries of boards stand beside them, in `tenant_dashboards.boards`; those for rules are here.
"""

from __future__ import annotations

import functools

from tests.dashboards.grafana import Query

from tenant_dashboards.boards import boards
from tenant_dashboards.boards.parts import Flavour
from tenant_dashboards.panels.fields import ref_id

_JBUB = (  # https://github.com/jbub/pgbouncer_exporter
    "of jbub's exporter, the one in Airflow's own image; the written series are prometheus-community's"
)
#: Metric -> why no series of it is in the recording at all.
METRICS: dict[str, str] = {
    "airflow_task_instances_without_heartbeats_killed": (
        "a LocalExecutor takes the tasks of a lost scheduler for orphans and schedules them again"
    ),
    "pgbouncer_exporter_pools_waiting_clients": _JBUB,
    "pgbouncer_exporter_pools_active_clients": _JBUB,
}
_MET = "exchange_rates never fails: payments meets this objective"
#: (rule, metric) -> why the series with the labels that the rule wants are not there; a rule of one objective
#: may be "rule objective".
SELECTORS: dict[tuple[str, str], str] = {
    ("AirflowSLOSeriesAbsent", "airflow_tenant_info"): "no recorded tenant is suspended or at rest",
    **{
        (rule, "airflow_tenant_info"): "no recorded tenant is at rest, nor was before"
        for rule in (
            "tenant:airflow_tenant_info:active",
            "slo:sli_events:increase5m",
            "AirflowSLOBurnFast",
            "AirflowSLOBurnSlow",
            "AirflowTenantNotReady",
            "AirflowTenantNotObserved",
            "AirflowTenantNotAsleep",
        )
    },
    ("slo:sli_errors:increase5m rates", "airflow_dagrun_duration_failed_count"): _MET,
    ("slo:sli_events:increase5m rates", "airflow_dagrun_duration_failed_count"): _MET,
}
#: Recording rule -> why it makes nothing.
RECORDS: dict[str, str] = {}


@functools.cache
def of_boards() -> dict[tuple[str, str, str], str]:
    """(flavour and slug of a board, panel, reference of a query) -> reason, as the boards tell it."""
    found = {}
    for flavour in Flavour:
        for board in boards(flavour):
            name = f"{flavour.value}/{board.slug}"
            for panel in board.panels:
                for number, target in enumerate(panel.targets):
                    found[name, panel.title, ref_id(number)] = target.may_be_empty
            for mark in board.annotations:
                found[name, f"annotation {mark.name}", "A"] = mark.may_be_empty
    return found


def of_query(query: Query) -> str:
    """The reason, or an empty text. KeyError for a query that no board has."""
    board = query.board.partition(" of ")[0]
    return of_boards()[board, query.panel, query.reference]


def of_selector(rule: str, metric: str, slo: str = "") -> str:
    """The reason, or an empty text. `slo` is the objective that the rule is for."""
    found = SELECTORS.get((rule, metric), "") or SELECTORS.get((f"{rule} {slo}", metric), "")
    return found or METRICS.get(metric, "")


def of_record(name: str) -> str:
    """The reason, or an empty text."""
    return RECORDS.get(name, "")
