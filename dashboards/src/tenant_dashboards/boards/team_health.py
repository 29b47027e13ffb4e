"""The head of the team's board: what is up, and what has gone wrong in the time range, at one glance."""

from __future__ import annotations

from tenant_dashboards import expr
from tenant_dashboards import signals as s
from tenant_dashboards.boards import firing, states
from tenant_dashboards.boards.pieces import BUDGET_GONE, RANGE, budget_left, quota_share, zero_or
from tenant_dashboards.expr import NAMESPACE, TENANT
from tenant_dashboards.panels.model import (
    BLUE,
    GREEN,
    RED,
    UP_DOWN,
    Kind,
    Panel,
    Row,
    Step,
    Target,
    Text,
    above,
    below,
)

_STATES = (*UP_DOWN, Text("2", "paused", BLUE), Text("3", "asleep", BLUE))
_COLORS = (Step(None, RED), Step(1, GREEN), Step(2, BLUE))
_API_SERVER = 'component="api-server"'
_DATABASE = 'component="metadatabase"'
_WINDOW = "2m"  # a beat every 5 s, a scrape every 30 s: long enough to see one, short enough to see none
_LEGEND = "{{tenant}}"
_ASIDE = f"({states.set_aside(2, 3)})"
_HERE = f"max by (tenant) ({s.TENANT_INFO(TENANT)})"


def alive(heartbeat: s.Metric, wanted: str = _HERE) -> str:
    """1 while the heartbeat counter grows, else 0 where ``wanted`` has a series; paused 2, at rest 3.

    The operator knows which tenants exist: without it a heartbeat that never came would be no data, not DOWN.
    """
    beats = f"(sum by (tenant) (rate({heartbeat(TENANT)}[{_WINDOW}])) > bool 0)"
    return f"{_ASIDE} or {beats} or (0 * {wanted})"


def _seen(component: str) -> str:
    return f"max by (tenant) ({s.TENANT_COMPONENT_HEALTHY(TENANT, component)})"


def _light(title: str, description: str, query: str, no_data: str) -> Panel:
    return Panel(
        title,
        Kind.STAT,
        description,
        (Target(query, _LEGEND, instant=True),),
        unit="none",
        no_data=no_data,
        width=3,
        height=3,
        texts=_STATES,
        thresholds=_COLORS,
        color_background=True,
        sparkline=False,
        min=None,
    )


def health() -> Row:
    """What burns, and six lights: green, red, or blue for a tenant that is paused or at rest."""
    critical = firing.firing(TENANT, 'severity="critical"')
    triggerer = s.TENANT_REPLICAS_DESIRED(TENANT, 'component="triggerer"')
    servers = s.KUBE_DEPLOYMENT_AVAILABLE(NAMESPACE, 'deployment=~".+-api-server"')
    synced = expr.events(s.GIT_SYNC, TENANT, 'status=~"success|noop"', group="tenant", window="15m")
    return Row(
        "Right now",
        (
            _number(
                "Critical alerts",
                "Critical alerts that fire now: somebody is paged. The list below names them, the most "
                "urgent first, each with the way to its runbook.",
                zero_or(f"count by (tenant) ({critical})"),
                steps=above(1),
                no_data="no such tenant",
                big=False,
            ),
            _number(
                "Worst budget",
                "What is left of the error budget that is nearest to its end. Below 0 the objective is "
                "missed: stop releases of DAGs, repair first. The SLO board has each objective.",
                budget_left(f"min by (tenant) ({s.SLO_BUDGET_LEFT(TENANT)})"),
                unit="percentunit",
                steps=below(0.5, 0),
                texts=BUDGET_GONE,
                no_data="no objective",
                big=False,
            ),
            _light(
                "Scheduler",
                "Does the scheduler beat? DOWN: no new task starts, running ones go on. Look at the "
                "scheduler's pod and at the database first.",
                alive(s.SCHEDULER_HEARTBEAT),
                "no such tenant",
            ),
            _light(
                "DAG processor",
                "Does the DAG processor beat? DOWN: DAGs keep running, but changed code is not seen. Look "
                "at its pod: memory, and the first sync of git-sync.",
                alive(s.DAG_PROCESSOR_HEARTBEAT),
                "no such tenant",
            ),
            _light(
                "Triggerer",
                "Does the triggerer beat? DOWN: deferred tasks hang until it is back. Look at its pod and "
                "at the capacity board's row on triggers.",
                alive(s.TRIGGERER_HEARTBEAT, f"max by (tenant) ({triggerer} > 0)"),
                "none wanted",
            ),
            _light(
                "API server",
                "Is a replica of the API server available? DOWN: no UI, and running tasks cannot report "
                "their end and fail (in Airflow 3 workers talk to the API server). Look at its pods and "
                "Secrets.",
                f"{_ASIDE} or (max by (tenant) ({expr.of_tenant(servers, TENANT)}) > bool 0) or "
                f"{_seen(_API_SERVER)}",
                "not measured",
            ),
            _light(
                "Database",
                "Does Airflow reach its metadata database? DOWN: everything stands still. Look at the "
                "database's row of the capacity board: connections, CPU, storage.",
                f"{_ASIDE} or {_seen(_DATABASE)} or max by (tenant) ({s.PG_UP(TENANT)})",
                "not measured",
            ),
            _light(
                "DAG sync",
                "Did git-sync look at the repository without an error within 15 minutes? DOWN: expired "
                "credential, deleted branch, unreachable server. git-sync's own probe stays green then.",
                f"{_ASIDE} or ({synced} > bool 0)",
                "no git-sync",
            ),
        ),
    )


def _number(
    title: str,
    description: str,
    query: str,
    *,
    unit: str = "short",
    steps: tuple[Step, ...],
    texts: tuple[Text, ...] = (),
    no_data: str,
    big: bool = True,
) -> Panel:
    """A number; a small one stands among the lights and is coloured as they are."""
    return Panel(
        title,
        Kind.STAT,
        description,
        (Target(query, _LEGEND, instant=True),),
        unit=unit,
        thresholds=steps,
        texts=texts,
        no_data=no_data,
        width=4 if big else 3,
        height=4 if big else 3,
        decimals=1 if unit == "percentunit" and big else 0,
        sparkline=False,
        color_background=not big,
        min=0 if big else None,
    )


def counts() -> Row:
    """What went wrong in the time range, as six numbers."""
    waiting = s.POOL_SCHEDULED(TENANT)
    return Row(
        "In this time range",
        (
            _number(
                "Failed DAG runs",
                "DAG runs that ended as failed in the time range. The table of failing DAGs below names "
                "them.",
                zero_or(expr.events(s.DAGRUN_FAILED.count, TENANT, group="tenant", window=RANGE)),
                steps=above(1, 10),
                no_data="no such tenant",
            ),
            _number(
                "Task failure ratio",
                "Failed task tries over all that ended in the time range; repeated tries count. Above 5 % "
                "look for a shared cause: a warehouse, a connection, a secret.",
                expr.failure_ratio(TENANT, group="tenant", window=RANGE),
                unit="percentunit",
                steps=above(0.05, 0.2),
                no_data="no task ended",
            ),
            _number(
                "Deadlines missed",
                "Deadlines of DAG runs that passed before the run ended. Each one is data that somebody "
                "waited for.",
                zero_or(expr.events(s.DEADLINE_MISSED, TENANT, group="tenant", window=RANGE)),
                steps=above(1),
                no_data="no such tenant",
            ),
            _number(
                "Import errors",
                "DAG files that cannot be imported now: their DAGs do not run. Airflow's list of import "
                "errors has the traceback; revert the last commit if it is urgent.",
                f"max by (tenant) ({s.IMPORT_ERRORS(TENANT)})",
                steps=above(1),
                no_data="no DAG processor",
            ),
            _number(
                "Tasks waiting for a slot",
                "Tasks that are scheduled and wait for a slot of their pool. Growing for long: raise the "
                "pool in the tenant's spec; the capacity board shows which one.",
                f"sum by (tenant) ({waiting})",
                steps=above(10, 100),
                no_data="no scheduler",
            ),
            _number(
                "Fullest quota",
                "The resource of the namespace's quota that is used most. At 100 % no pod starts any more "
                "and tasks stay queued.",
                f"max by (tenant) ({expr.of_tenant(quota_share(), TENANT)})",
                unit="percentunit",
                steps=above(0.8, 0.9),
                no_data="no quota",
            ),
        ),
    )
