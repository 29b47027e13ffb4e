"""Tasks behind the objectives: the slowest, the outliers, the repeated."""

from __future__ import annotations

from tenant_dashboards import expr
from tenant_dashboards import signals as s
from tenant_dashboards.boards.pieces import RANGE, TASK, only_row, row_key, sized
from tenant_dashboards.boards.slo_runs import DAG_ID, DAY
from tenant_dashboards.expr import TENANT
from tenant_dashboards.panels.model import Column, Kind, Panel, Row, Target, above

TASK_ID = 'task_id=~"$task_id"'
_WHICH = (TENANT, DAG_ID, TASK_ID)
_NEW = "a week of history is needed"


def tasks() -> Row:
    """Slow tasks, tasks slower than before, time spent waiting, repeated tries."""
    return Row("Tasks", (_table(), *sized(12, _trend(), _waiting()), *sized(24, _retries())))


def _p95(metric: s.Metric, window: str) -> str:
    buckets = expr.events(metric.bucket, *_WHICH, group=(*TASK, "le"), window=window)
    return f"histogram_quantile(0.95, {buckets}) >= 0"


def _mean(window: str) -> str:
    total = expr.events(s.TASK_DURATION.sum, *_WHICH, group=TASK, window=window)
    count = expr.events(s.TASK_DURATION.count, *_WHICH, group=TASK, window=window)
    return f"{total} / ({count} > 0)"


def _mean_before(window: str) -> str:
    total = f"sum {expr.by(TASK)} (increase({s.TASK_DURATION.sum(*_WHICH)}[{window}] offset 1w))"
    count = f"sum {expr.by(TASK)} (increase({s.TASK_DURATION.count(*_WHICH)}[{window}] offset 1w))"
    return f"{total} / ({count} > 0)"


def _table() -> Panel:
    p95 = _p95(s.TASK_DURATION, RANGE)
    return Panel(
        "Slowest tasks and outliers",
        Kind.TABLE,
        "Tasks by how long they take: mean of the time range, p95, how far p95 is from the mean (outliers: "
        "above 3 single tries hang), the change to a week before, and how long they wait in state "
        "scheduled. Slower than last week: data has grown or a resource is short.",
        (
            Target(row_key(_mean(RANGE), TASK)),
            Target(only_row(p95, TASK)),
            Target(only_row(f"({p95}) / ({_mean(RANGE)})", TASK)),
            Target(only_row(f"({_mean(RANGE)}) / ({_mean_before(RANGE)}) - 1", TASK), may_be_empty=_NEW),
            Target(only_row(_p95(s.TASK_SCHEDULED_DURATION, RANGE), TASK)),
        ),
        key="row",
        no_data="no task ended",
        width=24,
        height=9,
        columns=(
            Column("dag_id", "DAG"),
            Column("task_id", "Task"),
            Column("Value #A", "Mean", unit="s", width=110),
            Column("Value #B", "p95", unit="s", width=110),
            Column(
                "Value #C", "p95 / mean", decimals=1, thresholds=above(3, 10), cell="color-text", width=110
            ),
            Column(
                "Value #D",
                "Change to last week",
                unit="percentunit",
                thresholds=above(0.2, 0.5),
                cell="color-text",
                width=160,
            ),
            Column(
                "Value #E", "Waiting p95", unit="s", thresholds=above(60, 600), cell="color-text", width=120
            ),
        ),
        sort="Mean",
    )


def _trend() -> Panel:
    return Panel(
        "Task duration p95, 1 d",
        Kind.TIMESERIES,
        "The ten slowest tasks over time. A slope is growing data: it will meet the DAG's limit some day. A "
        "step is a release or a resource that got slower.",
        (Target(f"topk(10, {_p95(s.TASK_DURATION, DAY)})", "{{tenant}} {{dag_id}} {{task_id}}"),),
        unit="s",
        no_data="no task ended within a day",
        legend_table=True,
    )


def _waiting() -> Panel:
    return Panel(
        "Time in state scheduled p95, 1 d",
        Kind.TIMESERIES,
        "How long tasks wait for a slot before they are queued, the ten that wait longest. Airflow 3.3 "
        "sends no time in state queued. High for one pool: raise the pool; high for all: raise the "
        "executor's parallelism.",
        (Target(f"topk(10, {_p95(s.TASK_SCHEDULED_DURATION, DAY)})", "{{tenant}} {{dag_id}} {{task_id}}"),),
        unit="s",
        thresholds=above(60, 600),
        no_data="no task was scheduled within a day",
        legend_table=True,
    )


def _retries() -> Panel:
    again = expr.events(s.TI_FINISH, *_WHICH, 'state="up_for_retry"', group=("tenant", "dag_id"), window=DAY)
    all_of = expr.events(s.TI_FINISH, *_WHICH, group=("tenant", "dag_id"), window=DAY)
    return Panel(
        "Share of tries that are repeated, 1 d",
        Kind.TIMESERIES,
        "Tries that failed and will be repeated, of all that ended: the ten highest DAGs. Retries hide a "
        "broken dependency behind green runs and double the time.",
        (Target(f"topk(10, {again} / ({all_of} > 0))", "{{tenant}} {{dag_id}}"),),
        unit="percentunit",
        max=1,
        thresholds=above(0.05, 0.2),
        no_data="no try was repeated within a day",
        legend_table=True,
    )
