"""Asks each tenant's Airflow how its components are. Only Airflow knows: a scheduler may hang in a ready pod.

One GET of /api/v2/monitor/health, without a login, once a minute and in a queue of its own: neither a long
`sync.interval` nor a slow look at objects delays it. A component that dies is told in the status about two
minutes later at the latest (30 s of Airflow's, up to a minute to the next probe, one more probe to be
sure), well before AirflowSchedulerHeartbeatMissing fires (10 minutes).
"""

from __future__ import annotations

import logging
import time

from tenant_operator.adapters.airflow_sessions import AirflowSessions
from tenant_operator.core import names
from tenant_operator.core.airflow_errors import AirflowError
from tenant_operator.core.airflow_types import Health
from tenant_operator.core.errors import ConditionType
from tenant_operator.core.metrics import Metrics
from tenant_operator.plan import intent
from tenant_operator.plan.health import judge
from tenant_operator.reconcile.state import TenantState

log = logging.getLogger(__name__)

#: seconds to the next probe: while all is well, and while something is not
PERIOD = 60.0
DOUBT_PERIOD = 20.0


class HealthFlow:
    """Probes tenants' components."""

    def __init__(self, sessions: AirflowSessions, metrics: Metrics) -> None:
        """All that is known goes into the tenants' states."""
        self._sessions = sessions
        self._metrics = metrics

    async def run(self, state: TenantState) -> float | None:
        """Probe once, keep the view in the state; returns the seconds until the next probe.

        None when this tenant is not to be probed: its components are not up for the first time yet, it is
        suspended or asleep, or on its way out. What an earlier probe found is then forgotten: it grows old.
        """
        if not probed(state):
            state.health = None
            return None
        started = time.perf_counter()
        health = await self._ask(state)
        release = state.status.condition(ConditionType.RELEASE)
        view = judge(
            state.name,
            health,
            state.health,
            state.status.condition(ConditionType.HEALTH),
            up=release is not None and release.status == "True",
        )
        if not probed(state):  # it was suspended or deleted during the call
            state.health = None
            return None
        state.health = view
        well = health is not None and not health.unhealthy
        result = "success" if well else "requeue" if health is not None else "error"
        self._metrics.finished("health", result, time.perf_counter() - started)
        if result == "error":
            self._metrics.retries.labels("health").inc()
        return PERIOD if well else DOUBT_PERIOD

    async def _ask(self, state: TenantState) -> Health | None:
        service = names.api_server_service(state.name)
        try:
            return await self._sessions.prober(state.name, state.status.namespace, service).health()
        except AirflowError as error:
            log.debug("tenant %s: %s", state.name, error)
            return None


def probed(state: TenantState) -> bool:
    """Whether the tenant's components are to be asked."""
    return (
        state.serving
        and not intent.suspended(state.raw)
        and not intent.hibernated(state.raw)
        and not state.raw["metadata"].get("deletionTimestamp")
    )
