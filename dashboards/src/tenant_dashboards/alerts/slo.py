"""The SLO alerts: made by the operator out of ``spec.monitoring.slo``, listed here for the runbook."""

from __future__ import annotations

from tenant_dashboards.alerts.model import Alert, Link
from tenant_dashboards.alerts.priorities import Name

AREA = "slo"


def _listed(name: str, priority: Name, summary: str, description: str) -> Alert:
    return Alert(
        name,
        AREA,
        priority,
        "",
        "",
        summary,
        description,
        Link("slo", (("slo", "sloth_slo"),)),
        ("operator", "statsd"),
        silent_without="spec.monitoring.slo",
        inhibited_by=("AirflowMetricsMissing",),
    )


ALERTS = (
    _listed(
        "AirflowSLOBurnFast",
        "P1",
        "An error budget burns so fast that it will be gone within days",
        "The error ratio is above 14.4 times the budget over 5 minutes and 1 hour, or 6 times over 30 "
        "minutes and "
        "6 hours.",
    ),
    _listed(
        "AirflowSLOBurnSlow",
        "P2",
        "An error budget burns faster than its period allows",
        "The error ratio is above 3 times the budget over 2 hours and 1 day, or above it over 6 hours and "
        "3 days.",
    ),
    _listed(
        "AirflowSLOSeriesAbsent",
        "P2",
        "An SLO has no data",
        "Its series are missing, so nobody knows whether it is kept.",
    ),
)
