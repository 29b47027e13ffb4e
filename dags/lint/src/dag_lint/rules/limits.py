"""Bounds on time and retries: L-06, L-07, L-29, L-31."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from dag_lint.context import Context, Known, is_external, spread
from dag_lint.findings import Finding, Fix, Severity
from dag_lint.names import last
from dag_lint.registry import rule
from dag_lint.rules.external import external_function
from dag_lint.values import CallV, Const, Dag, Task, Value, constant

_DEFAULT_60 = {
    "FileSensor", "ExternalTaskSensor", "HttpSensor", "S3KeySensor", "SqlSensor", "PythonSensor",
    "DateTimeSensor", "TimeSensor", "TimeDeltaSensor", "DayOfWeekSensor", "SFTPSensor",
    "GCSObjectExistenceSensor", "BashSensor", "HdfsSensor", "WebHdfsSensor", "NamedHivePartitionSensor",
    "HivePartitionSensor", "FTPSensor",
}  # fmt: skip


@rule("L-06", "bounded-run-time", Severity.WARNING)
def bounded_run_time(ctx: Context) -> Iterator[Finding]:
    """Nothing runs without end: execution_timeout on tasks, timeout on sensors, dagrun_timeout on the DAG.

    A task that hangs holds its worker slot, its pool slot and every task behind it until somebody looks.
    The value may come from default_args. A sensor waits seven days unless it has a timeout. Empty tasks
    need no limit.

    Bad:
        from airflow.sdk import DAG, task
        with DAG("sales", schedule=None, max_active_runs=1):
            @task
            def load_sales(): ...
            load_sales()
    Good:
        from datetime import timedelta
        from airflow.sdk import DAG, task
        with DAG("sales", schedule=None, max_active_runs=1, dagrun_timeout=timedelta(hours=2)):
            @task(execution_timeout=timedelta(minutes=30))
            def load_sales(): ...
            load_sales()
    """
    for dag in ctx.real_dags():
        endless = ctx.dag_setting(dag, "dagrun_timeout").absent and not dag.open_kwargs
        tasks = _unbounded(ctx, dag)
        if endless and tasks and (len(tasks) > 2 or len(tasks) == len(_limited(dag))):
            message = (
                f"DAG {dag.name}: set dagrun_timeout, and execution_timeout in default_args; tasks without it"
            )
            yield from spread(ctx, dag, tasks, message, at_dag=True)
        else:
            message = f"DAG {dag.name}: no execution_timeout on these tasks, nor in default_args"
            yield from spread(ctx, dag, tasks, message)
            if endless and (dag.tasks or dag.open or _calls_something(ctx, dag)):
                yield ctx.finding(dag.node, f"DAG {dag.name}: set dagrun_timeout")
        for task in _by_node(dag):
            if task.is_sensor:
                yield from _sensor(ctx, task)


def _unbounded(ctx: Context, dag: Dag) -> list[tuple[Task, str]]:
    return [
        (task, f"task {task.name} has no execution_timeout, nor have its default_args")
        for task in _limited(dag)
        if ctx.task_setting(task, "execution_timeout").absent
    ]


def _calls_something(ctx: Context, dag: Dag) -> bool:
    """Whether the body of the DAG makes tasks by functions from elsewhere."""
    around = ctx.source.parents.get(dag.node)
    while around is not None and not isinstance(around, ast.stmt):
        around = ctx.source.parents.get(around)
    body = around.body if isinstance(around, ast.With | ast.FunctionDef) else []
    return any(isinstance(node, ast.Call) for statement in body for node in ast.walk(statement))


def _limited(dag: Dag) -> list[Task]:
    """The tasks that need an execution_timeout."""
    return [task for task in _by_node(dag) if not task.is_sensor and not task.is_empty]


def _by_node(dag: Dag) -> list[Task]:
    """The tasks, one for each place in the file."""
    return list({task.node: task for task in reversed(dag.tasks)}.values())[::-1]


def _sensor(ctx: Context, task: Task) -> Iterator[Finding]:
    timeout = ctx.task_setting(task, "timeout")
    if task.short_cls in {"ExternalTaskSensor", "ExternalTaskSensorAsync"}:
        return
    if timeout.absent:
        mode = ctx.task_setting(task, "mode")
        limit = ctx.task_setting(task, "execution_timeout")
        if mode.absent and not limit.absent:
            return
        if mode.known is not Known.UNKNOWN and limit.known is not Known.UNKNOWN:
            yield ctx.finding(task.node, f"sensor {task.name} has no timeout (the default is 7 days)")
    elif constant(timeout.value) == float("inf") or _infinite(timeout.value):
        yield ctx.finding(timeout.node or task.node, f"sensor {task.name}: the timeout must be finite")


def _infinite(value: Value) -> bool:
    if not isinstance(value, CallV) or last(value.name) not in {"float", "timedelta"}:
        return False
    return bool(value.args) and constant(value.args[0]) in {"inf", "infinity"}


@rule("L-07", "retries-with-backoff", Severity.WARNING)
def retries_with_backoff(ctx: Context) -> Iterator[Finding]:
    """Tasks that call something outside retry: retries >= 1, retry_delay, backoff by >= 2 with a cap.

    Networks and services fail for moments. Without a retry a moment turns into a failed run, without
    backoff many tasks hammer the service that just came up, without max_retry_delay the delay grows to
    hours. External are operators of providers (other than `standard`) and functions that use hooks, HTTP or
    cloud clients. Sensors poke again anyway.

    Bad:
        from airflow.sdk import DAG
        from airflow.providers.http.operators.http import HttpOperator
        with DAG("rates", schedule=None):
            HttpOperator(task_id="fetch_rates", endpoint="rates", retries=0)
    Good:
        from datetime import timedelta
        from airflow.sdk import DAG
        from airflow.providers.http.operators.http import HttpOperator
        with DAG("rates", schedule=None):
            HttpOperator(
                task_id="fetch_rates", endpoint="rates", retries=3, retry_delay=timedelta(seconds=30),
                retry_exponential_backoff=2.0, max_retry_delay=timedelta(minutes=10),
            )
    """
    for dag in ctx.real_dags():
        found: list[tuple[Task, str]] = []
        lacks: set[str] = set()
        for task in _by_node(dag):
            if not (is_external(task) or external_function(ctx, task)):
                continue
            missing = _missing_retry(ctx, task)
            if missing:
                lacks |= set(missing)
                found.append(
                    (task, f"task {task.name} calls something outside; it lacks {', '.join(missing)}")
                )
        order = [text for text in _RETRY_PARTS if text in lacks]
        yield from spread(ctx, dag, found, f"DAG {dag.name}: external calls lack {', '.join(order)}")


_RETRY_PARTS = ("retries >= 1", "retry_delay", "retry_exponential_backoff >= 2", "max_retry_delay")


def _missing_retry(ctx: Context, task: Task) -> list[str]:
    retries = ctx.task_setting(task, "retries")
    number = constant(retries.value)
    missing: list[str] = []
    if retries.absent or (isinstance(number, int) and number < 1):
        missing.append(_RETRY_PARTS[0])
    if ctx.task_setting(task, "retry_policy").known is not Known.ABSENT:
        return missing
    if ctx.task_setting(task, "retry_delay").absent:
        missing.append(_RETRY_PARTS[1])
    backoff = ctx.task_setting(task, "retry_exponential_backoff")
    factor = constant(backoff.value)
    if (
        backoff.absent
        or factor is False
        or (factor is not True and isinstance(factor, int | float) and factor < 2)
    ):
        missing.append(_RETRY_PARTS[2])
    if ctx.task_setting(task, "max_retry_delay").absent:
        missing.append(_RETRY_PARTS[3])
    return missing


@rule("L-29", "sensor-mode", Severity.WARNING, fixable=True)
def sensor_mode(ctx: Context) -> Iterator[Finding]:
    """A sensor that looks once a minute or less often gives its slot back: reschedule or deferrable.

    In the mode "poke" (the default) the sensor sleeps in its worker slot. The default poke_interval is 60 s.

    Bad:
        from airflow.sdk import DAG
        from airflow.providers.standard.sensors.filesystem import FileSensor
        with DAG("files", schedule=None):
            FileSensor(task_id="wait_for_file", filepath="in.csv", poke_interval=300, timeout=3600)
    Good:
        from airflow.sdk import DAG
        from airflow.providers.standard.sensors.filesystem import FileSensor
        with DAG("files", schedule=None):
            FileSensor(task_id="wait_for_file", filepath="in.csv", poke_interval=300, mode="reschedule")
    """
    for task in ctx.places:
        if not task.is_sensor or task.cls.endswith("Async"):
            continue
        mode, deferrable = ctx.task_setting(task, "mode"), ctx.task_setting(task, "deferrable")
        poking = mode.absent or constant(mode.value) == "poke"
        staying = deferrable.absent or constant(deferrable.value) is False
        seconds = _interval(ctx, task)
        if poking and staying and seconds is not None and seconds >= ctx.config.min_poke_interval:
            yield ctx.finding(
                task.node,
                f"sensor {task.name} pokes every {seconds:g} s in its slot; "
                'use mode="reschedule" or deferrable=True',
                fix=_mode_fix(ctx, task),
            )


def _interval(ctx: Context, task: Task) -> float | None:
    setting = ctx.task_setting(task, "poke_interval")
    if setting.absent:
        known = task.short_cls in _DEFAULT_60 or task.cls == "@task.sensor"
        return 60.0 if known and task.dag is not None else None
    number = constant(setting.value)
    if isinstance(number, int | float) and not isinstance(number, bool):
        return float(number)
    if isinstance(setting.value, CallV) and last(setting.value.name) in {"timedelta", "duration"}:
        return _seconds(setting.value)
    return None


def _seconds(value: CallV) -> float | None:
    units = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
    total = 0.0
    for key, arg in value.kwargs.items():
        number = constant(arg.value)
        if key not in units or not isinstance(number, int | float):
            return None
        total += number * units[key]
    return None if value.args else total


def _mode_fix(ctx: Context, task: Task) -> Fix | None:
    if "mode" in task.kwargs:
        node = task.kwargs["mode"].node
        inside = node.value if isinstance(node, ast.keyword) else None
        if isinstance(inside, ast.Constant):
            return ctx.fix("replace_string", inside, "poke", "reschedule")
        return None
    if (
        isinstance(task.node, ast.Call)
        and not task.open
        and not task.mapped
        and task.short_cls in _DEFAULT_60
    ):
        return ctx.fix("add_kwarg", task.node, "mode", '"reschedule"')
    return None


@rule("L-31", "external-task-sensor", Severity.WARNING)
def external_task_sensor(ctx: Context) -> Iterator[Finding]:
    """ExternalTaskSensor has a timeout and failed_states.

    Without failed_states it waits on although the other DAG failed long ago; without timeout it does so for
    seven days.

    Bad:
        from airflow.sdk import DAG
        from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
        with DAG("report", schedule=None):
            ExternalTaskSensor(task_id="wait_for_load", external_dag_id="load", mode="reschedule")
    Good:
        from airflow.sdk import DAG
        from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
        with DAG("report", schedule=None):
            ExternalTaskSensor(
                task_id="wait_for_load", external_dag_id="load", mode="reschedule", timeout=3600,
                failed_states=["failed", "skipped"],
            )
    """
    for task in ctx.places:
        if task.short_cls not in {"ExternalTaskSensor", "ExternalTaskSensorAsync"}:
            continue
        missing = [key for key in ("timeout", "failed_states") if _lacks(ctx, task, key)]
        if missing:
            yield ctx.finding(task.node, f"sensor {task.name} lacks {' and '.join(missing)}")


def _lacks(ctx: Context, task: Task, key: str) -> bool:
    setting = ctx.task_setting(task, key)
    empty = isinstance(setting.value, Const) and setting.value.value is None
    return setting.known is Known.ABSENT or (setting.known is Known.GIVEN and empty)
