"""What an alert is, and how it becomes a Prometheus rule."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from inspect import cleandoc
from textwrap import indent
from typing import Literal

from tenant_dashboards import signals
from tenant_dashboards.alerts.priorities import PRIORITIES, Name, Severity

Board = Literal["overview", "team", "slo", "capacity", "cost", "operator"]

#: Placeholders in the chart's files; the chart replaces them by its values.
RUNBOOK_TOKEN, GRAFANA_TOKEN = "__RUNBOOK_URL__", "__GRAFANA_URL__"

#: The tenants that the operator knows and that are neither suspended nor at rest (or on the way there): for
#: what the operator itself says of them. The others of them: RESTING.
KNOWN = "tenant:airflow_tenant_info:known"
#: Those of them that are scraped and have their namespace for themselves: at most one for each namespace, so
#: that a join by namespace never fails. A tenant that asks for another one's namespace is not among them, nor
#: is one that was woken half an hour ago: its metrics come back one by one, and what was due while it slept
#: starts late. Whether it wakes at all, AirflowTenantNotReady watches.
ACTIVE = "tenant:airflow_tenant_info:active"
#: Those of them that have been installed once and are not on their way out: for what should be running.
INSTALLED = "tenant:airflow_tenant_info:installed"

#: An operator that has had a minute to list its tenants. Until then, and while it is away, each record keeps
#: what it was (it reads itself): a restart neither silences alerts nor starts their ``for`` anew, and nobody
#: comes back who was suspended or deleted before. A day is the end of it.
_OPERATOR = '(time() - process_start_time_seconds{job="airflow-operator"} > 60)'
KNOWN_EXPR = f"""\
topk by (tenant) (1,
  max by (tenant, namespace, team) (airflow_tenant_info{{paused="false", state!~"Hibernat.+"}})
)
  or on (tenant)
(
  {KNOWN}
    and on (tenant)
  last_over_time(airflow_tenant_info[1d])
    unless on ()
  {_OPERATOR}
)"""
ACTIVE_EXPR = f"""\
topk by (namespace) (1,
  {KNOWN}
    and on (tenant, namespace)
  airflow_tenant_info{{monitored!="false"}}
    and on (tenant, namespace)
  airflow_tenant_status_condition{{type="NamespaceReady", status="True"}} == 1
    unless on (tenant, namespace)
  last_over_time(airflow_tenant_info{{state=~"Hibernat.+|Waking"}}[30m])
)
  or on (namespace)
(
  {ACTIVE}
    and on (tenant)
  {KNOWN}
    unless on ()
  {_OPERATOR}
)"""
INSTALLED_EXPR = f"""\
(
  {ACTIVE}
    and on (tenant, namespace)
  airflow_tenant_helm_release_info
    unless on (tenant, namespace)
  airflow_tenant_helm_release_status{{status="uninstalling"}} == 1
)
  or on (namespace)
(
  {INSTALLED}
    and on (tenant)
  {ACTIVE}
    unless on ()
  {_OPERATOR}
)"""
#: The tenants that rest or are on the way there, and are not suspended: what KNOWN leaves out, for what is
#: wrong with the rest itself. While the operator is away nothing is known of them, and nothing of them runs.
RESTING = """\
topk by (tenant) (1,
  max by (tenant, namespace, team) (airflow_tenant_info{paused="false", state=~"Hibernat.+"})
)"""
#: In the order in which they read each other.
RECORDS = {KNOWN: KNOWN_EXPR, ACTIVE: ACTIVE_EXPR, INSTALLED: INSTALLED_EXPR}


@dataclass(frozen=True)
class Link:
    """The dashboard that shows the alert's cause; ``variables`` maps its variables to labels of the alert."""

    board: Board
    variables: tuple[tuple[str, str], ...] = ()
    tenant: bool = True

    def path(self) -> str:
        """Path and query, with Prometheus templates for the values."""
        query = ["var-tenant={{ $labels.tenant }}"] if self.tenant else []
        query += [f"var-{name}={{{{ $labels.{label} | urlquery }}}}" for name, label in self.variables]
        return f"/d/airflow-{self.board}" + (f"?{'&'.join(query)}" if query else "")


@dataclass(frozen=True)
class Alert:
    """One alerting rule.

    ``hold`` is the rule's ``for`` ("" for none). ``needs`` names the programs whose series the expression
    reads; without one of them the alert is silent. ``silent_without`` names what else has to be set up.
    ``inhibited_by`` names the alerts that tell the cause. ``expr`` is empty for the alerts that the operator
    makes per tenant: they are listed here for the runbook only.
    """

    name: str
    area: str
    priority: Name
    expr: str
    hold: str
    summary: str
    description: str
    link: Link
    needs: tuple[str, ...]
    silent_without: str = ""
    inhibited_by: tuple[str, ...] = field(default=())

    @property
    def severity(self) -> Severity:
        """The severity that the priority stands for."""
        return PRIORITIES[self.priority].severity

    @property
    def anchor(self) -> str:
        """The alert's section in the runbook."""
        return self.name.lower()

    def rule(self, runbook_url: str, grafana_url: str) -> dict[str, object]:
        """The rule as Prometheus reads it; the two are the bases of the annotations' links."""
        return {
            "alert": self.name,
            "expr": self.expr,
            **({"for": self.hold} if self.hold else {}),
            "labels": {"severity": self.severity, "priority": self.priority},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{runbook_url}#{self.anchor}",
                "dashboard_url": f"{grafana_url}{self.link.path()}",
            },
        }


def promql(text: str) -> str:
    """An expression as it was meant to be read: without the indentation of the Python around it."""
    return cleandoc(text)


def of_tenant(expr: str, who: str = ACTIVE) -> str:
    """Only for these tenants, by ``tenant`` and ``namespace``; adds the ``team`` and keeps the value."""
    return _joined(expr, "tenant, namespace", "team", who)


def of_namespace(expr: str) -> str:
    """The same for series that know only their ``namespace``: the alert gets ``tenant`` and ``team``."""
    return _joined(expr, "namespace", "tenant, team", ACTIVE)


def missing(expr: str) -> str:
    """The installed tenants for which ``expr`` (by tenant and namespace) has no sample."""
    return f"{INSTALLED} unless on (tenant, namespace) (\n{indent(promql(expr), '  ')}\n)"


def grown(counter: str, window: str, by: str) -> str:
    """How much a StatsD counter has grown, its first event included, summed by some labels."""
    return f"sum by ({by}) ({signals.grown(counter, window)})"


def metric_names(expr: str) -> set[str]:
    """The metrics that an expression selects (names that hold an underscore or a colon, or ``up``)."""
    bare = re.sub(r'"[^"]*"', '""', expr)
    bare = re.sub(r"\{[^}]*\}", "", bare)
    bare = re.sub(r"\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    names = re.findall(r"(?<![\w:])[a-z][\w:]*(?!\w*\s*\()", bare)
    return {name for name in names if ("_" in name or ":" in name or name == "up") and name not in _WORDS}


_WORDS = {"group_left", "group_right"}


def _joined(expr: str, on: str, gets: str, who: str) -> str:
    return f"(\n{indent(promql(expr), '  ')}\n) * on ({on}) group_left ({gets}) {who}"
