"""The files made of the alerts: Prometheus rules, Alertmanager's inhibition, priorities as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tenant_dashboards.alerts import edge, inhibition
from tenant_dashboards.alerts.model import GRAFANA_TOKEN, RECORDS, RUNBOOK_TOKEN, Alert
from tenant_dashboards.alerts.priorities import PRIORITIES
from tenant_dashboards.alerts.registry import ALL, FLEET, areas, by_name

#: Where the links of the plain rule files lead; whoever loads them elsewhere replaces both.
RUNBOOK_URL = "https://github.com/your-org/airflow-tenants/blob/main/docs/runbook.md"
GRAFANA_URL = "http://localhost:3000"

_HEADER = "# Made by `python -m tenant_dashboards`: change dashboards/src/tenant_dashboards/alerts instead.\n"


class _Dumper(yaml.SafeDumper):
    """Multi-line strings as blocks, everything else plain."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def as_yaml(content: Any) -> str:
    """YAML in the given order, with the header of generated files."""
    dumped: str = yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    return _HEADER + dumped


def groups(runbook_url: str, grafana_url: str) -> dict[str, dict[str, Any]]:
    """One rule group per area; before them what the others read: the active tenants, requests at the edge."""
    made: dict[str, dict[str, Any]] = {
        "active": {
            "name": "airflow-tenants-active",
            "rules": [{"record": name, "expr": expr} for name, expr in RECORDS.items()],
        },
        "edge": {"name": "airflow-edge", "rules": [record.rule() for record in edge.RECORDS]},
    }
    for area in areas():
        rules = [alert.rule(runbook_url, grafana_url) for alert in FLEET if alert.area == area]
        made[area] = {"name": f"airflow-{area}", "rules": rules}
    return made


def priorities() -> dict[str, Any]:
    """The table of priorities, every alert with its own, and which alert silences which."""
    table = {
        row.name: {
            "severity": row.severity,
            "meaning": row.meaning,
            "respond": row.respond,
            "resolve": row.resolve,
            "team": list(row.team),
            "platform": list(row.platform),
            "channels": list(row.channels),
        }
        for row in PRIORITIES.values()
    }
    return {
        "priorities": table,
        "alerts": {alert.name: alert.priority for alert in ALL},
        "inhibits": {
            source: {
                "equal": list(inhibition.TENANT) if by_name(source).link.tenant else [],
                "silences": list(names),
            }
            for source, names in inhibition.inhibitions().items()
        },
    }


def files() -> dict[Path, str]:
    """Every generated file with its content; paths are relative to the repository."""
    made = {Path("docs/data/alert-priorities.yaml"): as_yaml(priorities())}
    for folder, urls in (
        ("dashboards/generated/rules", (RUNBOOK_URL, GRAFANA_URL)),
        ("charts/tenant-operator/files/rules", (RUNBOOK_TOKEN, GRAFANA_TOKEN)),
    ):
        for area, group in groups(*urls).items():
            made[Path(folder) / f"{area}.yaml"] = as_yaml({"groups": [group]})
    return made


def facts(alert: Alert) -> str:
    """The line below an alert's heading in the runbook."""
    parts = [f"**{alert.priority}** {alert.severity}"]
    parts += [f"after {alert.hold}"] if alert.hold else []
    parts += [f"needs {', '.join(alert.needs)}"]
    parts += [f"silent without {alert.silent_without}"] if alert.silent_without else []
    parts += [f"silenced by {', '.join(alert.inhibited_by)}"] if alert.inhibited_by else []
    return " · ".join(parts)


def priority_table() -> str:
    """The table of priorities, in Markdown."""
    rows = [
        "| priority | severity | it means | respond within | resolve within "
        "| Alertmanager tells the team by | and the platform by | notifiers in DAGs tell by |"
    ]
    rows.append("|---" * 8 + "|")
    for row in PRIORITIES.values():
        told = (", ".join(by) or "-" for by in (row.team, row.platform, row.channels))
        rows.append(
            f"| {' | '.join((row.name, row.severity, row.meaning, row.respond, row.resolve, *told))} |"
        )
    return "\n".join(rows)


def alert_table() -> str:
    """Every alert by priority, in Markdown, with links to its section."""
    rows = ["| priority | alerts |", "|---|---|"]
    for name in PRIORITIES:
        links = ", ".join(f"[{alert.name}](#{alert.anchor})" for alert in ALL if alert.priority == name)
        rows.append(f"| {name} | {links or 'none of these; a level of the notifiers only'} |")
    return "\n".join(rows)
