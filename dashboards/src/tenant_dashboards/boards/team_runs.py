"""The team's DAG runs, deadlines and tasks."""

from __future__ import annotations

from tenant_dashboards import expr
from tenant_dashboards import signals as s
from tenant_dashboards.boards.pieces import (
    BAR_STEP,
    RANGE,
    TASK,
    counted,
    only_row,
    row_key,
    sized,
)
from tenant_dashboards.expr import TENANT
from tenant_dashboards.panels.model import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    RED,
    YELLOW,
    Column,
    Kind,
    Panel,
    Row,
    Target,
    above,
)

# the alert's limit is 5 %; a fifth is no accident any more
FAILURES = above(0.05, 0.2)
_HOUR = "1h"


def runs() -> Row:
    """DAG runs by outcome, how long they take, how many are under way, and their deadlines."""
    outcome = {"success": s.DAGRUN_SUCCESS.count, "failed": s.DAGRUN_FAILED.count}
    ended = Panel(
        "DAG runs by outcome",
        Kind.TIMESERIES,
        "DAG runs that ended, by outcome. Red bars: open the failing DAGs above. No bars at all although "
        "DAGs are due: look at the scheduler.",
        tuple(
            Target(f"sum({counted(metric(TENANT))})", name, step=BAR_STEP) for name, metric in outcome.items()
        ),
        no_data="no DAG run ended",
        stacked=True,
        bars=True,
        colors=(("success", GREEN), ("failed", RED)),
        decimals=0,
        legend_calcs=("sum",),
        legend_table=True,
    )
    duration = Panel(
        "DAG run duration, p95",
        Kind.TIMESERIES,
        "How long 95 % of the DAG runs of the last hour took at most, by outcome, for the ten longest DAGs. "
        "A DAG that gets longer every day will miss its deadline: see the SLO board for the comparison with "
        "last week.",
        tuple(
            Target(f"topk(10, {_p95(metric)})", f"{{{{tenant}}}} {{{{dag_id}}}}{outcome}")
            for outcome, metric in (("", s.DAGRUN_SUCCESS), (" failed", s.DAGRUN_FAILED))
        ),
        unit="s",
        no_data="no DAG run ended within an hour",
        legend_table=True,
    )
    running = Panel(
        "DAG runs under way",
        Kind.TIMESERIES,
        "DAGs whose newest run is under way. A line that only climbs means runs that do not end: look at "
        "pools and executor slots.",
        (Target(f"max by (tenant) ({s.DAGRUNS_RUNNING(TENANT)})", "{{tenant}}"),),
        no_data="scheduler sends nothing",
        decimals=0,
    )
    deadlines = {"created": s.DEADLINE_CREATED, "met": s.DEADLINE_MET, "missed": s.DEADLINE_MISSED}
    missed = Panel(
        "Deadlines created, met and missed",
        Kind.TIMESERIES,
        "Deadlines of DAG runs (Airflow's DeadlineAlert): the line new ones, the bars decided ones. A missed "
        "one means somebody did not get the data in time: the alert names the DAG.",
        tuple(
            Target(
                f"sum({counted(metric(TENANT))})",
                name,
                step=BAR_STEP,
                line=name == "created",
            )
            for name, metric in deadlines.items()
        ),
        no_data="no DAG has a deadline",
        bars=True,
        stacked=True,
        colors=(("created", BLUE), ("met", GREEN), ("missed", RED)),
        decimals=0,
        legend_calcs=("sum",),
        legend_table=True,
    )
    return Row("DAG runs and deadlines", (*sized(12, ended, duration), *sized(12, running, missed)))


def _p95(metric: s.Metric) -> str:
    buckets = expr.events(metric.bucket, TENANT, group=("tenant", "dag_id", "le"), window="1h")
    return f"histogram_quantile(0.95, {buckets}) >= 0"


def tasks() -> Row:
    """Task tries by state, the failure ratio, the tasks that fail most."""
    ended = Panel(
        "Task outcomes",
        Kind.TIMESERIES,
        "Task tries that ended, by state. Yellow (up_for_retry) are tries that will be repeated: many of "
        "them cost time and slots although the DAG turns out green.",
        (Target(f"sum by (state) ({counted(s.TI_FINISH(TENANT))})", "{{state}}", step=BAR_STEP),),
        no_data="no task ended",
        stacked=True,
        bars=True,
        decimals=0,
        colors=(
            ("success", GREEN),
            ("failed", RED),
            ("up_for_retry", YELLOW),
            ("skipped", PURPLE),
            ("deferred", BLUE),
            ("up_for_reschedule", ORANGE),
        ),
        legend_calcs=("sum",),
        legend_table=True,
    )
    ratio = Panel(
        "Task failure ratio, 1 h",
        Kind.TIMESERIES,
        "Failed task tries over all that ended in the hour before. Above 5 % for long: most often a shared "
        "dependency (warehouse, connection, secret) is down. Compare with the tasks in the table.",
        (Target(expr.failure_ratio(TENANT, group="tenant", window="1h"), "{{tenant}}"),),
        unit="percentunit",
        max=1,
        thresholds=FAILURES,
        no_data="no task ended within an hour",
    )
    failed = f"{expr.events(s.TI_FAILURES, TENANT, group=TASK, window=RANGE)} > 0.5"
    retried = expr.events(s.TI_FINISH, TENANT, 'state="up_for_retry"', group=TASK, window=RANGE)
    table = Panel(
        "Tasks that fail most",
        Kind.TABLE,
        "The ten tasks with the most failed tries in the time range, and how many of these were repeated. "
        "Failed and not repeated: the task has no retries, or used all of them.",
        (
            Target(row_key(f"topk(10, {failed})", TASK)),
            Target(only_row(f"{retried} and on (tenant, dag_id, task_id) topk(10, {failed})", TASK)),
        ),
        key="row",
        no_data="no task failed",
        columns=(
            Column("dag_id", "DAG"),
            Column("task_id", "Task"),
            Column("Value #A", "Failed tries", decimals=0, width=100),
            Column("Value #B", "Repeated", decimals=0, width=90),
        ),
        sort="Failed tries",
    )
    return Row("Tasks", (*sized(8, ended), *sized(6, ratio), *sized(10, table)))
