"""The operator itself."""

from __future__ import annotations

from tenant_dashboards.alerts.model import Alert, Link

AREA = "operator"
_LINK = Link("operator", tenant=False)

ALERTS = (
    Alert(
        "AirflowOperatorDown",
        AREA,
        "P1",
        'absent(up{job="airflow-operator"} == 1)',
        "5m",
        "The operator is not running or not scraped",
        "Tenants keep running, but no change of an AirflowTenant is carried out and nothing is repaired.",
        _LINK,
        ("operator",),
    ),
    Alert(
        "AirflowOperatorLeaderCountWrong",
        AREA,
        "P1",
        "sum(airflow_operator_leader) != 1",
        "5m",
        "{{ $value }} operators believe that they lead",
        "There must be exactly one: without a leader nothing is changed, two of them undo each other's work.",
        _LINK,
        ("operator",),
    ),
    Alert(
        "AirflowOperatorEventLoopBlocked",
        AREA,
        "P2",
        "max(airflow_operator_event_loop_lag_seconds) > 5",
        "5m",
        "The operator's event loop is {{ $value | humanizeDuration }} late",
        "Something blocks it: a call that waits, or more work than one CPU does.",
        _LINK,
        ("operator",),
    ),
)
