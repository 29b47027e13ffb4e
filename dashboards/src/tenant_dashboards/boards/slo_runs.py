"""DAG runs behind the objectives: success, durations against last week and the spec's limits, delays."""

from __future__ import annotations

from tenant_dashboards import expr
from tenant_dashboards import signals as s
from tenant_dashboards.boards.pieces import DAG, RANGE, only_row, row_key, sized
from tenant_dashboards.expr import TENANT
from tenant_dashboards.panels.model import Column, Kind, Panel, Row, Target, above, below

DAG_ID = 'dag_id=~"$dag_id"'
# DAG runs are rare: a quantile of a few minutes would most often be one of nothing
DAY = "1d"
_WEEK_AGO = "offset 1w"
_NEW = "a week of history is needed"


def then(query: str) -> str:
    """The same selector a week before."""
    return f"{query} {_WEEK_AGO}"


def quantile(q: float, metric: s.Metric, *labels: str, before: bool = False, window: str = DAY) -> str:
    """The quantile over the window, now or a week before; no value where nothing was measured."""
    selector = metric.bucket(TENANT, DAG_ID)
    grown = f"increase({selector}[{window}] {_WEEK_AGO})" if before else s.grown(selector, window)
    return f"histogram_quantile({q}, sum {expr.by((*labels, 'le'))} ({grown})) >= 0"


def dags() -> Row:
    """Every DAG in one line, and the success ratio over time."""
    return Row("DAGs", (_table(), _success(), _share()))


def _counts(window: str) -> tuple[str, str]:
    good = expr.events(s.DAGRUN_SUCCESS.count, TENANT, DAG_ID, group=DAG, window=window)
    bad = expr.events(s.DAGRUN_FAILED.count, TENANT, DAG_ID, group=DAG, window=window)
    return good, bad


def _table() -> Panel:
    good, bad = _counts(RANGE)
    runs = f"(({good} or 0 * {bad}) + ({bad} or 0 * {good}))"
    p95 = quantile(0.95, s.DAGRUN_SUCCESS, *DAG, window=RANGE)
    before = quantile(0.95, s.DAGRUN_SUCCESS, *DAG, before=True, window=RANGE)
    limit = f"max {expr.by(DAG)} ({s.TENANT_DURATION_LIMIT(TENANT, DAG_ID)})"
    return Panel(
        "DAGs: success and duration",
        Kind.TABLE,
        "Runs of each DAG in the time range, the share that succeeded, and how long 95 % of them took at "
        "most: now, a week before, and the limit of the tenant's spec. Longer than last week and near the "
        "limit: look at the tasks below before the alert rings.",
        (
            Target(row_key(runs, DAG)),
            Target(only_row(f"({good} or 0 * {bad}) / {runs}", DAG)),
            Target(only_row(p95, DAG)),
            Target(only_row(before, DAG), may_be_empty=_NEW),
            Target(only_row(limit, DAG)),
        ),
        key="row",
        no_data="no DAG run ended",
        width=24,
        height=10,
        columns=(
            Column("tenant", "Tenant", width=130),
            Column("dag_id", "DAG"),
            Column("Value #A", "Runs", decimals=0, width=90),
            Column(
                "Value #B", "Succeeded", unit="percentunit", thresholds=below(0.99, 0.95), cell="gauge", max=1
            ),
            Column("Value #C", "p95", unit="s", width=110),
            Column("Value #D", "p95 a week before", unit="s", width=150),
            Column("Value #E", "Limit", unit="s", width=110),
        ),
        sort="Runs",
    )


def _success() -> Panel:
    good, bad = _counts(DAY)
    runs = f"(({good} or 0 * {bad}) + ({bad} or 0 * {good}))"
    return Panel(
        "Success ratio by DAG, 1 d",
        Kind.TIMESERIES,
        "Share of the DAG runs of the day before that succeeded, the ten worst DAGs. Which line falls first "
        "tells which DAG burns the budget.",
        (Target(f"bottomk(10, ({good} or 0 * {bad}) / {runs})", "{{tenant}} {{dag_id}}"),),
        unit="percentunit",
        max=1,
        thresholds=below(0.95, 0.8),
        no_data="no DAG run ended within a day",
        legend_table=True,
        legend_up=True,
        legend_calcs=("lastNotNull", "min"),
        width=12,
    )


def _share() -> Panel:
    _, bad = _counts(RANGE)
    return Panel(
        "Who burns the budget",
        Kind.BAR_GAUGE,
        "Share of all failed DAG runs of the time range that each DAG has, the ten first. Repair from the "
        "top.",
        (
            Target(
                f"topk(10, {bad} / on (tenant) group_left () (sum by (tenant) ({bad}) > 0))",
                "{{tenant}} {{dag_id}}",
                True,
            ),
        ),
        unit="percentunit",
        max=1,
        thresholds=above(0.25, 0.5),
        no_data="no DAG run failed",
        width=12,
    )


def durations() -> Row:
    """p50 and p95 with the week before and the limit of the spec."""
    limit = f"max {expr.by(DAG)} ({s.TENANT_DURATION_LIMIT(TENANT, DAG_ID)})"
    p95 = Panel(
        "Run duration p95 against last week",
        Kind.TIMESERIES,
        "How long 95 % of the successful runs of a day took at most, the same a week before, and the limit "
        "of the tenant's spec (dashed). Choose one DAG above to compare. The gap to last week is growth of "
        "data or a slower system.",
        (
            Target(f"topk(10, {quantile(0.95, s.DAGRUN_SUCCESS, *DAG)})", "{{tenant}} {{dag_id}}"),
            Target(
                f"topk(10, {quantile(0.95, s.DAGRUN_SUCCESS, *DAG, before=True)})",
                "{{tenant}} {{dag_id}} a week before",
                may_be_empty=_NEW,
            ),
            Target(limit, "{{tenant}} {{dag_id}} limit", spec=True),
        ),
        unit="s",
        no_data="no DAG run ended within a day",
        legend_table=True,
    )
    p50 = Panel(
        "Run duration p50 against last week",
        Kind.TIMESERIES,
        "The typical run of a day and the same a week before. p95 moves alone: single runs are slow "
        "(waiting for slots, retries); both move: the work itself has grown.",
        (
            Target(f"topk(10, {quantile(0.5, s.DAGRUN_SUCCESS, *DAG)})", "{{tenant}} {{dag_id}}"),
            Target(
                f"topk(10, {quantile(0.5, s.DAGRUN_SUCCESS, *DAG, before=True)})",
                "{{tenant}} {{dag_id}} a week before",
                may_be_empty=_NEW,
            ),
        ),
        unit="s",
        no_data="no DAG run ended within a day",
        legend_table=True,
    )
    return Row("Run duration", sized(12, p95, p50))


def delays() -> Row:
    """How late runs and first tasks begin, and the canary that measures the whole way."""
    schedule = Panel(
        "Schedule delay",
        Kind.TIMESERIES,
        "How much later than planned DAG runs began, typical and p95 of the last hour. Above 5 minutes the "
        "scheduler is overloaded or max_active_runs holds runs back: compare with the scheduler's loop.",
        tuple(
            Target(quantile(q, s.SCHEDULE_DELAY, "tenant", window="1h"), f"{{{{tenant}}}} p{q * 100:.0f}")
            for q in (0.5, 0.95)
        ),
        unit="s",
        thresholds=above(60, 300),
        no_data="no scheduled run within an hour",
    )
    first = Panel(
        "First task start delay, p95",
        Kind.TIMESERIES,
        "Time from a run's queueing to the start of its first task, the ten slowest DAGs. It is what a team "
        "feels as waiting: pool, executor, pod start. Above 10 minutes look at the capacity board.",
        (
            Target(
                f"topk(10, {quantile(0.95, s.FIRST_TASK_START_DELAY, *DAG, window='1h')})",
                "{{tenant}} {{dag_id}}",
            ),
        ),
        unit="s",
        thresholds=above(60, 600),
        no_data="no run within an hour",
        legend_table=True,
    )
    loop = Panel(
        "Scheduler loop",
        Kind.TIMESERIES,
        "How long one turn of the scheduler takes, p95, and the part of it in the critical section. Above 5 "
        "s new tasks start late: look at the database's latency and the number of active runs.",
        (
            Target(expr.quantile(0.95, s.SCHEDULER_LOOP, TENANT, group=("tenant",)), "{{tenant}} loop p95"),
            Target(
                expr.quantile(0.95, s.SCHEDULER_CRITICAL_SECTION, TENANT, group=("tenant",)),
                "{{tenant}} critical section p95",
            ),
        ),
        unit="s",
        thresholds=above(1, 5),
        no_data="scheduler sends nothing",
    )
    buckets = expr.events(s.CANARY_LATENCY.bucket, TENANT, group=("tenant", "le"), window="30m")
    canary = Panel(
        "Canary, end to end",
        Kind.TIMESERIES,
        "How late an empty task starts, measured every five minutes by the DAG platform_canary: scheduler, "
        "executor, worker and API server together. p90 above 2 minutes: everybody waits. No points: some "
        "part of the way is broken.",
        tuple(
            Target(f"histogram_quantile({q}, {buckets}) >= 0", f"{{{{tenant}}}} p{q * 100:.0f}")
            for q in (0.5, 0.9)
        ),
        unit="s",
        thresholds=above(30, 120),
        no_data="no canary: add the DAG platform_canary",
    )
    return Row("Delays", sized(12, schedule, first, loop, canary))
