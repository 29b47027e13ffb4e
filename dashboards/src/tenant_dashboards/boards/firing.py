"""The list of alerts that fire, as the overview and the team's board have it: most urgent first."""

from __future__ import annotations

from tenant_dashboards import signals as s
from tenant_dashboards.boards.parts import RUNBOOK_URL
from tenant_dashboards.panels.model import BLUE, ORANGE, RED, Column, Link, Text

_FIRING = 'alertstate="firing"'
_OURS = 'alertname=~"Airflow.+"'
_SEVERITIES = (
    Text("critical", "critical", RED),
    Text("warning", "warning", ORANGE),
    Text("info", "info", BLUE),
)
# What an alert is about, besides the tenant; of several labels the last one says it best.
_ABOUT = (
    ("component", ""),
    ("model", "model "),
    ("dataset", "dataset "),
    ("view", "view "),
    ("queue", "queue "),
    ("pool_name", "pool "),
    ("dag_id", "DAG "),
    ("slo", "objective "),
)
SORT = "Priority"
THEN = "Fires for"


def firing(*matchers: str) -> str:
    """The alerts of the house that fire, one series for each."""
    return s.ALERTS(*matchers, _FIRING, _OURS)


def since(*matchers: str) -> str:
    """Seconds since the condition of each firing alert first held, with the label ``about``."""
    age = f"time() - ({s.ALERTS_FOR_STATE(*matchers, _OURS)} and ignoring (alertstate) {firing(*matchers)})"
    for label, word in _ABOUT:
        age = f'label_replace({age}, "about", "{word}$1", "{label}", "(.+)")'
    return f"max by (alertname, severity, priority, tenant, about) ({age})"


def columns(tenant: Column) -> tuple[Column, ...]:
    """Priority, severity, the alert with the way to its runbook, what it is about, and for how long."""
    return (
        Column("priority", SORT, width=80),
        Column("severity", "Severity", texts=_SEVERITIES, cell="color-text", width=90),
        Column(
            "alertname",
            "Alert",
            # Grafana cannot write it lower case: the runbook has the name itself as an anchor, too
            links=(Link("Runbook", f"{RUNBOOK_URL}#${{__value.text}}", new_tab=True),),
            width=260,
        ),
        Column("about", "About"),
        tenant,
        Column("Value", THEN, unit="s", decimals=0, width=90),
    )
