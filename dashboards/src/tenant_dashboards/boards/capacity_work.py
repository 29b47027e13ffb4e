"""Where tasks wait and run: executor, queues, triggerer, DAG processor."""

from __future__ import annotations

from tenant_dashboards import expr
from tenant_dashboards import signals as s
from tenant_dashboards.boards.pieces import sized, zero_or
from tenant_dashboards.expr import TENANT
from tenant_dashboards.panels.model import BLUE, GREEN, ORANGE, RED, Kind, Panel, Row, Target, above

_QUEUE = 'queue=~"$queue"'
_CLASS = ("executor_class_name",)
_FILE = ("tenant", "file_name")
_ALL = ()  # of all chosen tenants


def executor() -> Row:
    """Executor slots, tasks by state and queue, Celery's queues in Redis, the scheduler's beat."""
    slots = Panel(
        "Executor slots",
        Kind.TIMESERIES,
        "Slots of each executor: running and open, and the tasks queued for one. No open slot and a queue "
        "for long: raise parallelism or the number of workers.",
        (
            Target(
                expr.summed(s.EXECUTOR_RUNNING, TENANT, group=_CLASS),
                "running {{executor_class_name}}",
                color=BLUE,
            ),
            Target(
                expr.summed(s.EXECUTOR_OPEN, TENANT, group=_CLASS),
                "open {{executor_class_name}}",
                color=GREEN,
            ),
            Target(
                expr.summed(s.EXECUTOR_QUEUED, TENANT, group=_CLASS),
                "queued {{executor_class_name}}",
                color=ORANGE,
            ),
        ),
        stacked=True,
        decimals=0,
        no_data="scheduler sends nothing",
    )
    queued = Panel(
        "Queued tasks by queue",
        Kind.TIMESERIES,
        "Tasks in state queued by queue: handed to the executor and not started. Flat above zero with no "
        "task starting: workers or broker are down (an alert rings after 30 minutes).",
        (
            Target(expr.summed(s.TI_QUEUED, TENANT, _QUEUE, group="queue"), "{{queue}}"),
            Target(
                expr.summed(s.REDIS_KEY_SIZE, TENANT, 'key=~"$queue"', group="key"),
                "{{key}} in Redis",
            ),
        ),
        decimals=0,
        thresholds=above(50, 200),
        no_data="no task was queued",
    )
    states = Panel(
        "Tasks by state",
        Kind.TIMESERIES,
        "Tasks that are running, queued, scheduled (waiting for a slot) and deferred (waiting in the "
        "triggerer). Scheduled grows while running is flat: the limit is a pool, a DAG's max_active_tasks, "
        "or the executor.",
        (
            Target(expr.summed(s.TI_RUNNING, TENANT, _QUEUE, group=_ALL), "running", color=BLUE),
            Target(expr.summed(s.TI_QUEUED, TENANT, _QUEUE, group=_ALL), "queued", color="yellow"),
            Target(expr.summed(s.TI_SCHEDULED, TENANT, _QUEUE, group=_ALL), "scheduled", color=ORANGE),
            Target(expr.summed(s.TI_DEFERRED, TENANT, _QUEUE, group=_ALL), "deferred", color="purple"),
        ),
        decimals=0,
        no_data="no task was under way",
    )
    length = Panel(
        "Task queue length",
        Kind.TIMESERIES,
        "Everything that waits: tasks scheduled by queue, and slots queued in pools. It must come back to "
        "zero between the peaks; a floor that rises from day to day means too little capacity.",
        (
            Target(expr.summed(s.TI_SCHEDULED, TENANT, _QUEUE, group="queue"), "scheduled {{queue}}"),
            Target(expr.summed(s.POOL_QUEUED, TENANT, group=_ALL), "queued in pools"),
            Target(expr.summed(s.SCHEDULER_STARVING, TENANT, group=_ALL), "starving", color=RED),
        ),
        decimals=0,
        no_data="scheduler sends nothing",
    )
    beat = Panel(
        "Scheduler heartbeat",
        Kind.TIMESERIES,
        "Heartbeats of scheduler, DAG processor and triggerer per minute. Zero is a stopped component; a "
        "falling rate is a scheduler whose loop takes too long.",
        (
            Target(
                f"60 * {expr.rate(s.SCHEDULER_HEARTBEAT, TENANT, group='tenant')}", "{{tenant}} scheduler"
            ),
            Target(
                f"60 * {expr.rate(s.DAG_PROCESSOR_HEARTBEAT, TENANT, group='tenant')}",
                "{{tenant}} DAG processor",
            ),
            Target(
                f"60 * {expr.rate(s.TRIGGERER_HEARTBEAT, TENANT, group='tenant')}", "{{tenant}} triggerer"
            ),
        ),
        unit="suffix:/min",
        decimals=0,
        no_data="no heartbeat",
    )
    killed = Panel(
        "Tasks lost",
        Kind.TIMESERIES,
        "Tasks killed in the hour before because their heartbeat stopped (lost node, out of memory, slow "
        "API server). More than two in half an hour ring: look at the worker pods below.",
        (
            Target(
                zero_or(expr.events(s.TASKS_KILLED_NO_HEARTBEAT, TENANT, group="tenant", window="1h")),
                "{{tenant}}",
            ),
        ),
        decimals=0,
        thresholds=above(1, 3),
        no_data="no such tenant",
    )
    return Row("Executor and queues", sized(8, slots, queued, states, length, beat, killed))


def triggers_and_parsing() -> Row:
    """Triggerer, and how the DAG processor keeps up with the files."""
    capacity = Panel(
        "Triggerer capacity",
        Kind.TIMESERIES,
        "Triggers that run, and how many more the triggerers can take. None left: deferred tasks wake up "
        "late. Add replicas of the triggerer.",
        (
            Target(expr.summed(s.TRIGGERS_RUNNING, TENANT, group=_ALL), "running", color=BLUE),
            Target(expr.summed(s.TRIGGERER_CAPACITY_LEFT, TENANT, group=_ALL), "left", color=GREEN),
        ),
        stacked=True,
        decimals=0,
        no_data="no triggerer",
    )
    parse = Panel(
        "DAG parsing",
        Kind.TIMESERIES,
        "Time that one round over all DAG files takes. Longer than the wanted delay of a change: make slow "
        "files faster (panel below), or give the DAG processor more processes.",
        (Target(f"max by (tenant) ({s.TOTAL_PARSE_TIME(TENANT)})", "{{tenant}}"),),
        unit="s",
        decimals=1,
        thresholds=above(60, 300),
        no_data="no DAG processor",
    )
    waiting = Panel(
        "DAG files waiting",
        Kind.TIMESERIES,
        "Files that wait to be parsed. A number that never comes down: there are more files than one round "
        "can take, and changes arrive late.",
        (Target(f"max by (tenant) ({s.PARSE_QUEUE(TENANT)})", "{{tenant}}"),),
        decimals=0,
        no_data="no DAG processor",
    )
    mean = (
        f"{expr.events(s.FILE_PARSE_DURATION.sum, TENANT, group=_FILE, window='1h')} / "
        f"({expr.events(s.FILE_PARSE_DURATION.count, TENANT, group=_FILE, window='1h')} > 0)"
    )
    slow = Panel(
        "Slowest DAG files",
        Kind.BAR_GAUGE,
        "Mean time of the last hour that a file takes to parse, the five slowest. Above 30 s the processor "
        "kills it (dag_file_processor_timeout is 50 s). Move calls and heavy imports out of the top level.",
        (Target(f"topk(5, {mean})", "{{tenant}} {{file_name}}", True),),
        unit="s",
        thresholds=above(5, 30),
        no_data="no file was parsed",
        height=10,
    )
    age = Panel(
        "Age of DAG files' last parse",
        Kind.TIMESERIES,
        "For how long each file was not looked at, the five oldest. Above 10 minutes changes of it are seen "
        "late: the DAG processor is too slow or stands still.",
        (
            Target(
                f"topk(5, max by (tenant, file_name) ({s.FILE_PARSE_AGE(TENANT)}))",
                "{{tenant}} {{file_name}}",
            ),
        ),
        unit="s",
        thresholds=above(300, 600),
        no_data="no DAG processor",
        legend_table=True,
        height=10,
    )
    return Row("Triggers and DAG parsing", (*sized(8, capacity, parse, waiting), *sized(12, slow, age)))
