"""Arguments of the DAG: schedule, catchup, start_date, max_active_runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from dag_lint.context import Context, Known
from dag_lint.findings import Finding, Severity
from dag_lint.names import last
from dag_lint.registry import rule
from dag_lint.values import AltV, Arg, CallV, Const, Dag, Value, constant

_DYNAMIC = {"now", "utcnow", "today", "days_ago", "yesterday", "tomorrow", "time"}


@rule("L-01", "schedule-argument", Severity.ERROR, fixable=True)
def schedule_argument(ctx: Context) -> Iterator[Finding]:
    """A DAG says `schedule=`, never `schedule_interval=` or `timetable=`.

    Airflow 3 has removed both arguments: the DAG fails to import with a TypeError. `schedule` takes what
    either took.

    Bad:
        from airflow import DAG
        with DAG("sales", schedule_interval="@daily", catchup=False):
            ...
    Good:
        from airflow.sdk import DAG
        with DAG("sales", schedule="@daily", catchup=False):
            ...
    """
    for dag in ctx.real_dags():
        old = [key for key in ("schedule_interval", "timetable") if key in dag.kwargs]
        for key in old:
            node = dag.kwargs[key].node
            fix = None
            if len(old) == 1 and "schedule" not in dag.kwargs and isinstance(node, ast.keyword):
                fix = ctx.fix("rename_kwarg", node, key, "schedule")
            yield ctx.finding(node, f"`{key}` is removed in Airflow 3; write `schedule=`", fix=fix)


@rule("L-08", "catchup-stated", Severity.WARNING, fixable=True)
def catchup_stated(ctx: Context) -> Iterator[Finding]:
    """A scheduled DAG states `catchup`, and it is False unless the DAG is tagged backfill-safe.

    With catchup every run since start_date is made at once when the DAG is turned on. Airflow 2 does so by
    default, Airflow 3 does not: say what is meant. DAGs without a time schedule have nothing to catch up.
    The tags that mark a DAG as safe are set by `backfill-safe-tags`.

    Bad:
        from airflow.sdk import DAG
        with DAG("sales", schedule="@daily"):
            ...
    Good:
        from airflow.sdk import DAG
        with DAG("sales", schedule="@daily", catchup=False):
            ...
    """
    for dag in ctx.real_dags():
        setting = ctx.dag_setting(dag, "catchup")
        if setting.known is Known.UNKNOWN:
            continue
        if setting.absent:
            if _time_schedule(ctx, dag):
                call = dag.node if isinstance(dag.node, ast.Call) else None
                fix = ctx.fix("add_kwarg", call, "catchup", "False") if call else None
                yield ctx.finding(dag.node, f"DAG {dag.name}: state `catchup=False`", fix=fix)
        elif constant(setting.value) is True and not dag.open_kwargs:
            tags, complete = ctx.tags(dag)
            if complete and not tags & set(ctx.config.backfill_safe_tags):
                wanted = ctx.config.backfill_safe_tags[0]
                message = f"DAG {dag.name}: catchup=True without the tag {wanted!r}"
                yield ctx.finding(setting.node or dag.node, f"{message}; set it False or mark the DAG")


def _time_schedule(ctx: Context, dag: Dag) -> bool:
    """Whether the DAG is run by the clock, as far as one can tell."""
    for key in ("schedule", "schedule_interval", "timetable"):
        if key in dag.kwargs:
            return _is_time(dag.kwargs[key].value)
    uses_sdk = any(name.startswith("airflow.sdk") for name in ctx.imports.values())
    return not uses_sdk and not dag.open_kwargs


def _is_time(value: Value) -> bool:
    if isinstance(value, Const):
        return isinstance(value.value, str) and value.value not in {"", "@once", "@continuous"}
    if isinstance(value, CallV):
        name = last(value.name)
        if "Partition" in name:
            return False
        return "timedelta" in name or "duration" in name or "Cron" in name or "Delta" in name
    return False


@rule("L-09", "static-start-date", Severity.ERROR)
def static_start_date(ctx: Context) -> Iterator[Finding]:
    """start_date is a fixed time with a timezone.

    A start_date that moves with the clock (`datetime.now()`, `days_ago(1)`) gives another DAG at every
    parse: runs are skipped or never due. One without a timezone means whatever the installation's default
    timezone is.

    Bad:
        from datetime import datetime
        from airflow.sdk import DAG
        with DAG("sales", start_date=datetime.now(), schedule="@daily", catchup=False):
            ...
    Good:
        import pendulum
        from airflow.sdk import DAG
        with DAG("sales", start_date=pendulum.datetime(2024, 1, 1, tz="UTC"), schedule="@daily"):
            ...
    """
    seen: set[ast.AST] = set()
    for arg in _start_dates(ctx):
        if arg.node in seen:
            continue
        seen.add(arg.node)
        for value in (
            [arg.value, *getattr(arg.value, "values", [])] if isinstance(arg.value, AltV) else [arg.value]
        ):
            problem = _date_problem(value)
            if problem is not None:
                yield ctx.finding(arg.node, problem[0], severity=problem[1])
                break


def _start_dates(ctx: Context) -> Iterator[Arg]:
    sources = [dag.kwargs for dag in ctx.model.dags] + [task.kwargs for task in ctx.model.tasks]
    sources += [args.items for args in ctx.model.default_args]
    for items in sources:
        if "start_date" in items:
            yield items["start_date"]


def _date_problem(value: Value) -> tuple[str, Severity] | None:
    if not isinstance(value, CallV):
        return None
    parts = value.name.replace("()", "").split(".")
    if any(part in _DYNAMIC for part in parts) and parts[0] not in {"dict"}:
        shown = ".".join(parts[-2:])
        return f"start_date moves with the clock (`{shown}`); write a fixed time", Severity.ERROR
    if value.name in {"datetime.datetime", "datetime", "datetime.datetime.datetime"}:
        naive = "tzinfo" not in value.kwargs and len(value.args) < 8 and not value.open
        if naive and value.args and value.base is None:
            return 'start_date has no timezone; write `pendulum.datetime(..., tz="UTC")`', Severity.WARNING
    return None


@rule("L-21", "max-active-runs", Severity.WARNING)
def max_active_runs(ctx: Context) -> Iterator[Finding]:
    """A DAG says how many runs may be active at a time.

    The default is 16: after an outage, or a mistaken backfill, sixteen runs write the same tables at once.

    Bad:
        from airflow.sdk import DAG
        with DAG("sales", schedule="@daily", catchup=False):
            ...
    Good:
        from airflow.sdk import DAG
        with DAG("sales", schedule="@daily", catchup=False, max_active_runs=1):
            ...
    """
    for dag in ctx.real_dags():
        if ctx.dag_setting(dag, "max_active_runs").absent and not dag.open_kwargs:
            yield ctx.finding(dag.node, f"DAG {dag.name}: set max_active_runs (the default is 16)")
