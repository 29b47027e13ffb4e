"""Every alert there is."""

from __future__ import annotations

from tenant_dashboards.alerts import (
    availability,
    dags,
    data,
    database,
    execution,
    operator,
    pools,
    redis,
    scheduling,
    slo,
    tenants,
)
from tenant_dashboards.alerts.model import Alert

ALL: tuple[Alert, ...] = (
    *operator.ALERTS,
    *tenants.ALERTS,
    *availability.ALERTS,
    *scheduling.ALERTS,
    *execution.ALERTS,
    *pools.ALERTS,
    *dags.ALERTS,
    *database.ALERTS,
    *redis.ALERTS,
    *data.ALERTS,
    *slo.ALERTS,
)
#: Those that are the same for every tenant; the others are made by the operator, per tenant.
FLEET: tuple[Alert, ...] = tuple(alert for alert in ALL if alert.expr)

_BY_NAME = {alert.name: alert for alert in ALL}


def by_name(name: str) -> Alert:
    """The alert of that name. Raises KeyError."""
    return _BY_NAME[name]


def areas() -> tuple[str, ...]:
    """The areas of the fleet's alerts, in order: one rule file each."""
    return tuple(dict.fromkeys(alert.area for alert in FLEET))
