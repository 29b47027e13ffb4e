"""Capacity: is there room for the tasks that wait, and what runs full next."""

from __future__ import annotations

from tenant_dashboards import signals as s
from tenant_dashboards.boards import capacity_forecast, capacity_pods, capacity_services, capacity_work
from tenant_dashboards.boards.parts import Flavour, make_board
from tenant_dashboards.boards.pieces import for_flavour
from tenant_dashboards.expr import TENANT
from tenant_dashboards.panels.model import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    RED,
    YELLOW,
    Board,
    Kind,
    Panel,
    Row,
    Target,
    Variable,
)

_POOL = 'pool_name=~"$pool_name"'


def build(flavour: Flavour = Flavour.PLATFORM) -> Board:
    """The board of capacity; the platform's has a tenant variable."""
    return make_board(
        "capacity",
        flavour,
        "Pools, executor, triggers, pods, DAG parsing, database, Redis, edge and volumes of a tenant.",
        for_flavour(
            flavour,
            capacity_forecast.forecast(),
            _pools(),
            capacity_work.executor(),
            capacity_work.triggers_and_parsing(),
            capacity_pods.pods(),
            capacity_services.database(),
            capacity_services.redis(),
            capacity_services.edge(),
            capacity_services.volumes(),
        ),
        variables=(
            Variable("pool_name", "Pool", query=f"label_values({s.POOL_OPEN(TENANT)}, pool_name)"),
            Variable("queue", "Queue", query=f"label_values({s.TI_RUNNING(TENANT)}, queue)"),
        ),
    )


def _pools() -> Row:
    """One row for each pool."""

    def total(metric: s.Metric) -> str:
        return f"sum({metric(TENANT, _POOL)})"

    slots = Panel(
        "Slots of pool $pool_name",
        Kind.TIMESERIES,
        "Slots by what they hold, and above them the tasks that wait for one; dashed what the tenant's spec "
        "asks for. Slots (all but waiting) off the dashed line: somebody changed the pool by hand. Waiting "
        "for long above the line: raise the pool in the spec.",
        (
            Target(total(s.POOL_RUNNING), "running", color=BLUE),
            Target(total(s.POOL_QUEUED), "queued", color=YELLOW),
            Target(total(s.POOL_DEFERRED), "deferred", color=PURPLE),
            Target(total(s.POOL_OPEN), "open", color=GREEN),
            Target(total(s.POOL_SCHEDULED), "waiting (scheduled)", color=ORANGE),
            Target(total(s.TENANT_POOL_SLOTS), "slots in the spec", spec=True),
        ),
        stacked=True,
        decimals=0,
        no_data="scheduler sends nothing of this pool",
        width=14,
        height=8,
    )
    starving = Panel(
        "Open and starving in pool $pool_name",
        Kind.TIMESERIES,
        "Tasks that could run but find no slot, and slots that are open all the same. Starving with open "
        "slots: the tasks want more slots each (pool_slots) than are open at a time.",
        (
            Target(total(s.POOL_STARVING), "starving", color=RED),
            Target(total(s.POOL_OPEN), "open", color=GREEN),
        ),
        decimals=0,
        no_data="scheduler sends nothing of this pool",
        width=10,
        height=8,
    )
    return Row("Pool $pool_name", (slots, starving), repeat="pool_name")
