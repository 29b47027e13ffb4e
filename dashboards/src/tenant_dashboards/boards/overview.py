"""Every tenant at a glance: who is ready, what fires, who fails, who is late, who costs."""

from __future__ import annotations

from tenant_dashboards import expr, usage
from tenant_dashboards import signals as s
from tenant_dashboards.boards import firing, states
from tenant_dashboards.boards.overview_spec import replicas, spec_row
from tenant_dashboards.boards.overview_tables import component_table, tenant_table
from tenant_dashboards.boards.parts import Flavour, board_url, make_board, tile
from tenant_dashboards.expr import TENANT, TENANT_OR_NONE
from tenant_dashboards.panels.model import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
    Board,
    Column,
    Kind,
    Link,
    Panel,
    Row,
    Step,
    Target,
    above,
)

RANGE = "$__range"


def build(flavour: Flavour = Flavour.PLATFORM) -> Board:
    """The platform's first page; teams have their own."""
    return make_board(
        "overview",
        flavour,
        "All Airflow tenants: state, alerts, failures, budget, quota and cost, with the way to each of them.",
        (
            Row("Now", _tiles()),
            Row("Alerts and tenants", (_alerts(), tenant_table())),
            Row("Readiness", (_timeline(),)),
            Row("Top five", (_failures(), _starving(), _costs())),
            Row("Components", (component_table(), _unhealthy(), _heartbeat_age(), replicas())),
            spec_row(),
        ),
    )


def _tiles() -> tuple[Panel, ...]:
    told = "The table below says which; `kubectl describe airflowtenant <name>` says why."
    critical = firing.firing(TENANT_OR_NONE, 'severity="critical"')
    awake = s.TENANT_INFO(TENANT, 'state!~"Hibernat.+"')
    reached = f"max by (tenant) ({s.UP(TENANT, _STATSD)})"
    return (
        tile(
            "Ready",
            Target(states.ready_of_all(), "{{ready}} of {{wanted}}", instant=True),
            f"Tenants that are as their spec says and work, of all that are neither suspended nor at rest: "
            f"orange when one is missing, red when a fifth is. {told}",
            unit="percentunit",
            thresholds=(Step(None, RED), Step(0.8, ORANGE), Step(1, GREEN)),
            decimals=0,
            text_mode="name",
            no_data="no tenant is wanted",
        ),
        tile(
            "Progressing",
            Target(states.count(states.PROGRESSING), "progressing"),
            f"Tenants that the operator works on. Minutes are normal, AirflowTenantNotReady fires after "
            f"15. {told}",
            thresholds=(Step(None, GREEN), Step(1, ORANGE)),
            decimals=0,
            no_data="no tenants",
        ),
        tile(
            "Degraded",
            Target(states.count(states.DEGRADED), "degraded"),
            f"Tenants that are not ready and that nothing is done for: a person is needed. {told}",
            thresholds=(Step(None, GREEN), Step(1, RED)),
            decimals=0,
            no_data="no tenants",
        ),
        tile(
            "Suspended or at rest",
            Target(states.unwanted(), "suspended or at rest"),
            "Tenants that somebody suspended (spec.suspend: the operator changes nothing) or put to rest "
            "(spec.state: Hibernated). Nothing to do: what is wrong with the rest itself is told.",
            thresholds=(Step(None, BLUE),),
            decimals=0,
            no_data="no tenants",
        ),
        tile(
            "Critical alerts",
            Target(f"count({critical}) or vector(0)", "critical"),
            "Critical alerts that fire now. Start with the first of the list below; each has a runbook.",
            thresholds=above(1),
            decimals=0,
            no_data="no Prometheus",
        ),
        tile(
            "Tenants with metrics",
            Target(f"count({reached} == 1) / count(max by (tenant) ({awake}))", "reached"),
            "Share of the tenants whose exporter Prometheus reaches, of those that are not at rest. Below "
            "100 % alerts are blind: see the runbook of AirflowMetricsMissing (selector of the PodMonitor, "
            "NetworkPolicy, exporter pod).",
            unit="percentunit",
            max=1,
            decimals=0,
            thresholds=(Step(None, RED), Step(0.9, ORANGE), Step(1, GREEN)),
            no_data="no tenant is scraped",
        ),
    )


_STATSD = 'component="statsd"'


def _alerts() -> Panel:
    return Panel(
        "Firing alerts",
        Kind.TABLE,
        "What fires now, the most urgent first, then the oldest. The alert leads to its runbook (meaning, "
        "impact, diagnosis, remedy), the tenant to its board. Work from P0 down; the rest of one incident is "
        "often silenced by its cause.",
        (Target(firing.since(TENANT_OR_NONE)),),
        no_data="nothing fires",
        width=24,
        height=8,
        columns=firing.columns(Column("tenant", "Tenant", links=(tenant_link(),))),
        sort=firing.SORT,
        sort_up=True,
        then=firing.THEN,
    )


def tenant_link() -> Link:
    """From a tenant's name to its board, at the same time."""
    return Link(
        "Board of ${__value.text}", f"{board_url('team')}?var-tenant=${{__value.text}}&${{__url_time_range}}"
    )


def _timeline() -> Panel:
    return Panel(
        "State of the tenants",
        Kind.STATE_TIMELINE,
        "Every tenant's state over time. A red stripe on all tenants at once is the platform (API server, "
        "database, a release of the operator: see the marks); on one tenant it is the tenant.",
        (Target(states.state(), "{{tenant}}", step="1m"),),
        width=24,
        height=8,
        thresholds=states.STEPS,
        texts=states.TEXTS,
        no_data="no tenants",
        min=None,
    )


def _failures() -> Panel:
    failed = expr.events(s.TI_FAILURES, TENANT, group="tenant", window=RANGE)
    return Panel(
        "Failed task tries",
        Kind.BAR_GAUGE,
        "Tenants with the most failed tries of tasks in the time range. Many tenants at once: something that "
        "they share is down. One: open its board, the table of failing DAGs.",
        (Target(f"topk(5, {failed})", "{{tenant}}", instant=True),),
        decimals=0,
        thresholds=above(1, 50),
        no_data="no task failed",
        links=(_to_team(),),
    )


def _starving() -> Panel:
    starving = f"max by (tenant, pool_name) (max_over_time({s.POOL_STARVING(TENANT)}[{RANGE}]))"
    return Panel(
        "Starving tasks",
        Kind.BAR_GAUGE,
        "Pools in which tasks waited for slots, at their worst in the time range. More slots for the pool "
        "(spec.pools), or fewer tasks at the same time: the capacity board has the pool.",
        (Target(f"topk(5, {starving} > 0)", "{{tenant}} {{pool_name}}", instant=True),),
        decimals=0,
        thresholds=above(1, 20),
        no_data="no task starved",
        links=(_to_board("capacity", "Pools"),),
    )


def _costs() -> Panel:
    return Panel(
        "Cost a day",
        Kind.BAR_GAUGE,
        "The most expensive tenants: CPU and memory that they reserve and their volumes, at the prices of "
        "the operator's settings. What they could give back is on the cost board.",
        (Target(f"topk(5, {usage.by_tenant(usage.cost_reserved())})", "{{tenant}}", instant=True),),
        unit="none",
        decimals=2,
        no_data="no prices, or no kube-state-metrics",
        links=(_to_board("cost", "Cost"),),
    )


def _to_team() -> Link:
    return _to_board("team", "Board")


def _to_board(slug: str, title: str) -> Link:
    name = "${__field.labels.tenant}"
    return Link(f"{title} of {name}", f"{board_url(slug)}?var-tenant={name}&${{__url_time_range}}")


def _unhealthy() -> Panel:
    return Panel(
        "Unhealthy components",
        Kind.TIMESERIES,
        "How many tenants have a component that its own health answer calls unhealthy. One component on many "
        "tenants is a release or a shared database; the table beside names the tenants.",
        (
            Target(
                f"sum by (component) (1 - {s.TENANT_COMPONENT_HEALTHY(TENANT)})",
                "{{component}}",
            ),
        ),
        stacked=True,
        decimals=0,
        no_data="the operator sees no health answer",
    )


def _heartbeat_age() -> Panel:
    age = f"max by (component) (time() - {s.TENANT_COMPONENT_HEARTBEAT(TENANT)})"
    return Panel(
        "Oldest heartbeat",
        Kind.TIMESERIES,
        "The longest time since a component of any tenant last beat, as its health answer says. Airflow "
        "calls it unhealthy after 30 s (scheduler, DAG processor, triggerer); the operator asks every few "
        "minutes.",
        (Target(age, "{{component}}"),),
        unit="s",
        thresholds=above(600),
        no_data="the operator sees no heartbeat",
    )
