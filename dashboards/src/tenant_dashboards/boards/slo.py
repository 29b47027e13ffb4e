"""Objectives: are they met, what burns the error budget, how DAGs and tasks compare with their last week."""

from __future__ import annotations

from tenant_dashboards import signals as s
from tenant_dashboards.boards import slo_runs, slo_tasks
from tenant_dashboards.boards.parts import Flavour, make_board
from tenant_dashboards.boards.pieces import BUDGET_GONE, budget_left, for_flavour, only_row, row_key, sized
from tenant_dashboards.expr import TENANT
from tenant_dashboards.panels.model import (
    BLUE,
    ORANGE,
    PURPLE,
    RED,
    YELLOW,
    Board,
    Column,
    Kind,
    Panel,
    Row,
    Step,
    Target,
    Variable,
    above,
    below,
)

_ROW = ("tenant", "sloth_slo")
_SLO = 'sloth_slo=~"$slo"'
_BY = "max by (tenant, sloth_slo)"
_NAME = "{{tenant}} {{sloth_slo}}"
_NONE = "the tenant's spec has no objective"
# Long windows and limits of the burn alerts: https://sre.google/workbook/alerting-on-slos/ (table 5-8)
_WINDOWS = {"1h": "1 h", "6h": "6 h", "1d": "1 d", "3d": "3 d"}
_LIMITS = (Step(None, BLUE), Step(1, YELLOW), Step(3, ORANGE), Step(6, RED), Step(14.4, PURPLE))


def build(flavour: Flavour = Flavour.PLATFORM) -> Board:
    """The board of objectives; the platform's has a tenant variable."""
    return make_board(
        "slo",
        flavour,
        "Service level objectives of a tenant, and the runs, delays and tasks behind them.",
        for_flavour(
            flavour,
            _objectives(),
            _burn(),
            slo_runs.dags(),
            slo_runs.durations(),
            slo_runs.delays(),
            slo_tasks.tasks(),
        ),
        variables=(
            Variable("slo", "Objective", query=f"label_values({s.SLO_OBJECTIVE(TENANT)}, sloth_slo)"),
            Variable("dag_id", "DAG", query=f"label_values({s.TI_START(TENANT)}, dag_id)"),
            Variable(
                "task_id", "Task", query=f"label_values({s.TI_START(TENANT, slo_runs.DAG_ID)}, task_id)"
            ),
        ),
        time_from="now-7d",
        refresh="5m",
    )


def _of(metric: s.Metric) -> str:
    return f"{_BY} ({metric(TENANT, _SLO)})"


def _budget() -> str:
    return _of(s.SLO_ERROR_BUDGET)


def _left() -> str:
    return budget_left(_of(s.SLO_BUDGET_LEFT))


def _objectives() -> Row:
    met = f"1 - {_BY} ({s.SLO_BURN_PERIOD(TENANT, _SLO)} * {s.SLO_ERROR_BUDGET(TENANT, _SLO)})"
    table = Panel(
        "Objectives",
        Kind.TABLE,
        "Each objective of the tenant's spec: what is asked, what was reached over its period, how much of "
        "the error budget is left, and how fast it burned in the last hour (1 uses it up exactly at the end "
        "of the period). At -100% it is used up twice, or more. Budget gone: stop releases of DAGs, repair "
        "first.",
        (
            Target(row_key(_of(s.SLO_OBJECTIVE), _ROW)),
            Target(only_row(met, _ROW)),
            Target(only_row(_left(), _ROW)),
            Target(only_row(f"{_of(s.slo_error_ratio('1h'))} / {_budget()}", _ROW)),
            Target(only_row(_of(s.SLO_PERIOD_DAYS), _ROW)),
        ),
        key="row",
        no_data=_NONE,
        width=14,
        height=8,
        columns=(
            Column("sloth_slo", "Objective"),
            Column("tenant", "Tenant", width=110),
            Column("Value #A", "Asked", unit="percentunit", decimals=2, width=80),
            Column("Value #B", "Reached", unit="percentunit", decimals=2, width=85),
            Column(
                "Value #C",
                "Budget left",
                unit="percentunit",
                thresholds=below(0.5, 0),
                texts=BUDGET_GONE,
                cell="gauge",
                max=1,
            ),
            Column(
                "Value #D", "Burn rate 1 h", decimals=1, thresholds=above(1, 6), cell="color-text", width=125
            ),
            Column("Value #E", "Days", decimals=0, width=60),
        ),
        sort="Burn rate 1 h",
    )
    left = Panel(
        "Error budget left",
        Kind.TIMESERIES,
        "Share of the error budget that is left over the objective's period. At 0 the objective is missed; "
        "a steep step down is one incident, a slope is a constant defect. The line ends at -100 %.",
        (Target(_left(), _NAME),),
        unit="percentunit",
        min=None,
        max=1,
        thresholds=below(0.25, 0),
        no_data=_NONE,
        width=10,
        height=8,
    )
    return Row("Objectives", (table, left))


def _burn() -> Row:
    budget = _budget()
    rates = Panel(
        "Burn rate by window",
        Kind.TIMESERIES,
        "How many times faster than allowed the error budget is used, per window. The alerts fire when a "
        "long and a short window agree: 14.4 over 1 h and 6 over 6 h page, 3 over 1 d and 1 over 3 d make a "
        "ticket.",
        tuple(
            Target(f"{_of(s.slo_error_ratio(window))} / {budget}", f"{_NAME} {words}")
            for window, words in _WINDOWS.items()
        ),
        unit="none",
        decimals=1,
        thresholds=_LIMITS,
        no_data=_NONE,
        legend_table=True,
    )
    ratio = Panel(
        "Errors against the objective",
        Kind.TIMESERIES,
        "Share of bad events in the hour and the day before, and the share that the objective allows "
        "(dashed). Above the line the budget shrinks.",
        (
            Target(_of(s.slo_error_ratio("1h")), f"{_NAME} 1 h"),
            Target(_of(s.slo_error_ratio("1d")), f"{_NAME} 1 d"),
            Target(budget, f"{_NAME} allowed", spec=True),
        ),
        unit="percentunit",
        decimals=1,
        no_data=_NONE,
        legend_table=True,
    )
    return Row("Budget", sized(12, rates, ratio))
