"""The five states of a tenant, as numbers that panels colour and count."""

from __future__ import annotations

from tenant_dashboards import expr
from tenant_dashboards import signals as s
from tenant_dashboards.expr import TENANT
from tenant_dashboards.panels.model import BLUE, GREEN, ORANGE, RED, Step, Text

DEGRADED, PROGRESSING, READY, SUSPENDED, HIBERNATED = range(5)
TEXTS = (
    Text(str(READY), "Ready", GREEN),
    Text(str(PROGRESSING), "Progressing", ORANGE),
    Text(str(DEGRADED), "Degraded", RED),
    Text(str(SUSPENDED), "Suspended", BLUE),
    Text(str(HIBERNATED), "Hibernated", BLUE),
)
STEPS = (Step(None, RED), Step(PROGRESSING, ORANGE), Step(READY, GREEN), Step(SUSPENDED, BLUE))


def at_rest(*matchers: str) -> str:
    """The tenants that rest, or are on the way there."""
    return s.TENANT_INFO(*matchers, 'state=~"Hibernat.+"')


def set_aside(suspended: int, resting: int) -> str:
    """The tenants from whom nothing is expected, by tenant, with a number for each reason: suspended wins."""
    paused = s.TENANT_INFO(TENANT, 'paused="true"')
    return f"{suspended} * max by (tenant) ({paused}) or {resting} * max by (tenant) ({at_rest(TENANT)})"


def state() -> str:
    """The state of every tenant, by tenant: suspended or put to rest, ready, on its way, or degraded."""
    ready = expr.condition("Ready", "True", TENANT)
    reconciling = expr.condition("Reconciling", "True", TENANT)
    return (
        f"{set_aside(SUSPENDED, HIBERNATED)} or "
        f"{READY} * (max by (tenant) ({ready}) == 1) or "
        f"{PROGRESSING} * (max by (tenant) ({reconciling}) == 1) or {DEGRADED} * max by (tenant) ({_all()})"
    )


def count(wanted: int) -> str:
    """How many tenants are in a state; 0 when none is, no data without any tenant."""
    return f"count(({state()}) == {wanted}) or 0 * count({_all()})"


def unwanted() -> str:
    """How many tenants are suspended or at rest; 0 when none is, no data without any tenant."""
    return f"count(({state()}) >= {SUSPENDED}) or 0 * count({_all()})"


def ready_of_all() -> str:
    """The share of the tenants that are ready, of those that nobody suspended or put to rest, 0 to 1.

    The labels ``ready`` and ``wanted`` are the two numbers: a share of 1 could be one of one. No data without
    a tenant that is wanted.
    """
    ready, wanted = f"({count(READY)})", f"count(({state()}) < {SUSPENDED})"
    numbers = f'count_values("ready", {ready}) * on () group_left (wanted) count_values("wanted", {wanted})'
    return f"{numbers} * on () group_left () ({ready} / {wanted})"


def _all() -> str:
    return s.TENANT_INFO(TENANT)
