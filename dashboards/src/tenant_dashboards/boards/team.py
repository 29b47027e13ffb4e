"""The team's board: is my Airflow healthy, what fails, what waits for me; the first lines answer it."""

from __future__ import annotations

from tenant_dashboards import expr
from tenant_dashboards import signals as s
from tenant_dashboards.boards import firing, team_code, team_data, team_health, team_runs
from tenant_dashboards.boards.parts import Flavour, make_board
from tenant_dashboards.boards.pieces import (
    DAG,
    RANGE,
    for_flavour,
    link_to,
    only_row,
    row_key,
)
from tenant_dashboards.expr import TENANT
from tenant_dashboards.panels.model import (
    Board,
    Column,
    Kind,
    Panel,
    Row,
    Target,
)


def build(flavour: Flavour = Flavour.PLATFORM) -> Board:
    """The board of one team; the platform's has a tenant variable."""
    return make_board(
        "team",
        flavour,
        "Health, DAG runs, tasks, deadlines, DAG code, pools and quota of one Airflow tenant.",
        for_flavour(
            flavour,
            team_health.health(),
            team_health.counts(),
            _attention(flavour),
            team_runs.runs(),
            team_runs.tasks(),
            team_code.code(),
            team_code.capacity(flavour),
            team_data.row(),
        ),
        time_from="now-24h",
    )


def _attention(flavour: Flavour) -> Row:
    alerts = Panel(
        "Firing alerts",
        Kind.TABLE,
        "Alerts of this tenant that fire now, the most urgent first, then the oldest, with the time since "
        "the condition first held. A click on one opens its section of the runbook: meaning, impact, "
        "diagnosis, remedy.",
        (Target(firing.since(TENANT)),),
        no_data="no alert fires",
        width=12,
        height=8,
        columns=firing.columns(Column("tenant", "Tenant", width=95)),
        sort=firing.SORT,
        sort_up=True,
        then=firing.THEN,
    )
    return Row("What needs you", (alerts, _failing_dags(flavour)))


def _failing_dags(flavour: Flavour) -> Panel:
    failed = f"{expr.events(s.DAGRUN_FAILED.count, TENANT, group=(*DAG, 'team'), window=RANGE)} > 0.5"
    bad = expr.events(s.DAGRUN_FAILED.count, TENANT, group=DAG, window=RANGE)
    good = expr.events(s.DAGRUN_SUCCESS.count, TENANT, group=DAG, window=RANGE)
    tasks = expr.events(s.TI_FAILURES, TENANT, group=DAG, window=RANGE)
    some = f"({bad} > 0.5)"
    link = link_to("slo", flavour, "Success, durations and delays of this DAG", "dag_id")
    return Panel(
        "Failing DAGs",
        Kind.TABLE,
        "DAGs with failed runs in the time range, who owns them, and the share of failed runs. A click on a "
        "DAG opens its success ratio and durations; the failed task's log is in Airflow under the DAG's id.",
        (
            Target(row_key(failed, DAG)),
            Target(only_row(f"{bad} / ({bad} + ({good} or 0 * {bad})) and on (tenant, dag_id) {some}", DAG)),
            Target(only_row(f"{tasks} and on (tenant, dag_id) {some}", DAG)),
        ),
        key="row",
        no_data="no DAG run failed",
        width=12,
        height=8,
        columns=(
            Column(
                "dag_id",
                "DAG",
                links=(link,),
            ),
            Column("team", "Owner", width=130),
            Column("Value #A", "Failed runs", decimals=0, width=100),
            Column(
                "Value #B",
                "Share of runs",
                unit="percentunit",
                thresholds=team_runs.FAILURES,
                cell="gauge",
                max=1,
                width=150,
            ),
            Column("Value #C", "Failed task tries", decimals=0, width=130),
        ),
        sort="Failed runs",
    )
