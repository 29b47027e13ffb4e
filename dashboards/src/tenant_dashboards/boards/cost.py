"""What tenants use, reserve and cost, and what they could give back."""

from __future__ import annotations

from tenant_dashboards import signals as s
from tenant_dashboards import usage
from tenant_dashboards.boards import reference_cost
from tenant_dashboards.boards.cost_components import components, dags
from tenant_dashboards.boards.parts import Flavour, make_board, tile
from tenant_dashboards.expr import NAMESPACE
from tenant_dashboards.panels.model import (
    GREEN,
    ORANGE,
    Board,
    Column,
    Kind,
    Panel,
    Row,
    Step,
    Target,
    above,
)

NO_PRICES = "no prices, or no kube-state-metrics"
NO_USAGE = "no cAdvisor metrics"
_IDLE = (Step(None, GREEN), Step(0.5, ORANGE))
_MONTH = f"{usage.DAYS_A_MONTH:.4f}"


def build(flavour: Flavour = Flavour.PLATFORM) -> Board:
    """For the platform all tenants and the reference prices; for a team its own share."""
    prices = (_prices(), _how()) if flavour is Flavour.TEAM else (_prices(), _how(), reference_cost.panel())
    return make_board(
        "cost",
        flavour,
        "CPU, memory and storage: used, reserved, limited by quota, and what it costs by tenant, DAG and "
        "component.",
        (
            Row("Now", _tiles()),
            Row("Cost", (_by_tenant(), _by_kind(), _table())),
            Row("Used, reserved, quota", (*_resource("CPU"), *_resource("Memory"))),
            dags(),
            components(flavour),
            Row("Prices", prices),
        ),
        time_from="now-24h",
        refresh="5m",
    )


def _tiles() -> tuple[Panel, ...]:
    total = f"sum({usage.cost_reserved()})"
    return (
        tile(
            "Cost a day",
            Target(total, "reserved"),
            "Reserved CPU and memory and the volumes, at today's prices, in the currency of the price table. "
            "A jump: look below which tenant, and at the marks of releases.",
            unit="none",
            decimals=2,
            no_data=NO_PRICES,
        ),
        tile(
            "At this rate a month",
            Target(f"{_MONTH} * {total}", "a month"),
            "The cost a day times 30.4. Not a bill: nodes, networks and discounts are not in it.",
            unit="none",
            decimals=0,
            no_data=NO_PRICES,
        ),
        tile(
            "Idle CPU",
            Target(_idle_of_all("cpu"), "idle"),
            "Share of the requested CPU that nobody uses. Above half for days: lower the requests in "
            "spec.components.",
            unit="percentunit",
            max=1,
            thresholds=_IDLE,
            decimals=0,
            no_data=NO_USAGE,
        ),
        tile(
            "Idle memory",
            Target(_idle_of_all("memory"), "idle"),
            "Share of the requested memory that nobody uses. Above half for days: lower the requests, not "
            "the limits.",
            unit="percentunit",
            max=1,
            thresholds=_IDLE,
            decimals=0,
            no_data=NO_USAGE,
        ),
        tile(
            "Volumes",
            Target(f"sum({usage.storage_requested()})", "volumes"),
            "Size of all volume claims. Volumes cost whether they are full or empty; how full they are is on "
            "the capacity board.",
            unit="bytes",
            no_data="no volumes",
        ),
        tile(
            "Fullest quota",
            Target(f"max({usage.quota_share()})", "quota"),
            "The quota that is nearest to its end, of all resources. At 100 % new pods are refused: ask for "
            "more, or run fewer tasks at once.",
            unit="percentunit",
            max=1,
            thresholds=above(0.8, 0.9),
            decimals=0,
            no_data="no quota",
        ),
    )


def _idle_of_all(resource: str) -> str:
    used = usage.cpu_used() if resource == "cpu" else usage.memory_used()
    return f"clamp_min(1 - sum({used}) / sum({usage.requested(resource)}), 0)"


def _by_tenant() -> Panel:
    return Panel(
        "Cost a day by tenant",
        Kind.TIMESERIES,
        "Reserved CPU and memory and volumes of each tenant, as money a day, on top of each other. A step is "
        "a change of a spec or many worker pods at once.",
        (Target(usage.by_tenant(usage.cost_reserved()), "{{tenant}}"),),
        unit="none",
        decimals=2,
        width=12,
        stacked=True,
        no_data=NO_PRICES,
    )


def _by_kind() -> Panel:
    used = f"sum({usage.cost_used()})"
    return Panel(
        "Cost a day by kind",
        Kind.TIMESERIES,
        "What is reserved, by CPU, memory and storage; the dashed line is what the used part alone would "
        "cost. The gap between the two is what smaller requests could save.",
        (
            Target(f"sum({usage.cpu_cost(usage.requested('cpu'))})", "CPU"),
            Target(f"sum({usage.memory_cost(usage.requested('memory'))})", "Memory"),
            Target(f"sum({usage.storage_cost()})", "Storage"),
            Target(used, "used", spec=True),
        ),
        unit="none",
        decimals=2,
        width=12,
        stacked=True,
        no_data=NO_PRICES,
    )


def _table() -> Panel:
    return Panel(
        "Tenants",
        Kind.TABLE,
        "Cost a day of what is reserved and of what is used, the idle shares, volumes and quota. Sort by "
        "idle to find what can be given back; a full quota beside a high idle share means requests that are "
        "too large.",
        (
            Target(usage.by_tenant(usage.cost_reserved())),
            Target(usage.by_tenant(usage.cost_used())),
            Target(usage.by_tenant(usage.idle_share("cpu"))),
            Target(usage.by_tenant(usage.idle_share("memory"))),
            Target(usage.by_tenant(usage.storage_requested())),
            Target(usage.by_tenant(usage.quota_share())),
        ),
        key="tenant",
        width=24,
        height=8,
        no_data=NO_PRICES,
        columns=(
            Column("tenant", "Tenant"),
            Column("Value #A", "Reserved a day", unit="none", decimals=2),
            Column("Value #B", "Used a day", unit="none", decimals=2),
            Column(
                "Value #C", "Idle CPU", unit="percentunit", decimals=0, thresholds=_IDLE, cell="gauge", max=1
            ),
            Column(
                "Value #D",
                "Idle memory",
                unit="percentunit",
                decimals=0,
                thresholds=_IDLE,
                cell="gauge",
                max=1,
            ),
            Column("Value #E", "Volumes", unit="bytes"),
            Column(
                "Value #F",
                "Quota",
                unit="percentunit",
                decimals=0,
                thresholds=above(0.8, 0.9),
                cell="gauge",
                max=1,
            ),
        ),
        sort="Reserved a day",
    )


def _resource(title: str) -> tuple[Panel, Panel]:
    resource, unit = ("cpu", "suffix:cores") if title == "CPU" else ("memory", "bytes")
    used = usage.cpu_used() if resource == "cpu" else usage.memory_used()
    hard = s.KUBE_QUOTA(NAMESPACE, 'type="hard"', f'resource="requests.{resource}"')
    return (
        Panel(
            f"{title}: used, requested, quota",
            Kind.TIMESERIES,
            f"{title} in use by tenant, on top of each other, under what all pods request and the quotas "
            "allow (dashed; choose one tenant to see its own). Use far under the request: give back. The "
            "request at the quota: new pods wait.",
            (
                Target(usage.by_tenant(used), "{{tenant}} used"),
                Target(f"sum({usage.requested(resource)})", "requested", spec=True),
                Target(f"sum(max by (namespace) ({hard}))", "quota", spec=True),
            ),
            unit=unit,
            stacked=True,
            width=12,
            height=8,
            no_data=NO_USAGE,
        ),
        Panel(
            f"{title}: idle share",
            Kind.TIMESERIES,
            f"Share of the requested {title} that is not used. A flat high line is a request that is too "
            "large; a saw is work that comes in waves, which fewer, longer-lived workers would not make "
            "cheaper.",
            (Target(usage.by_tenant(usage.idle_share(resource)), "{{tenant}}"),),
            unit="percentunit",
            max=1,
            width=12,
            height=8,
            thresholds=_IDLE,
            no_data=NO_USAGE,
        ),
    )


def _prices() -> Panel:
    return Panel(
        "Prices",
        Kind.TABLE,
        "The prices that every cost here is made of: values `costs.*` of the operator's chart. Wrong prices: "
        "change them there; the panels follow at the next scrape.",
        (Target(f"max by (resource, currency) ({s.COST_UNIT_PRICE})"),),
        no_data="the operator has no prices (values costs.*)",
        width=6,
        height=16,
        columns=(
            Column("resource", "Unit"),
            Column("currency", "Currency", width=90),
            Column("Value", "Price", decimals=6, unit="none", width=90),
        ),
    )


def _how() -> Panel:
    return Panel(
        "How it is counted",
        Kind.TEXT,
        "The formulas behind the figures, for who has to explain them.",
        content=(
            "**Reserved** = (CPU requested x price of a core hour + memory requested x price of a GiB hour) "
            "x 24 + volumes x price of a GiB month / 30.4.\n\n"
            "**Used** = the same with what containers really take; volumes count in full.\n\n"
            "**Idle** = 1 - used / requested.\n\n"
            "**A DAG** = the worker pods that carry its label `dag_id` (KubernetesExecutor; "
            "kube-state-metrics with `--metric-labels-allowlist=pods=[dag_id,task_id]`). With other "
            "executors tasks share their workers, and the cost is the component's.\n\n"
            "Control plane, network, discounts and the nodes' empty space are not in it."
        ),
        width=6,
        height=16,
    )
