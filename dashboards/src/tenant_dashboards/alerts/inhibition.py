"""Which alert silences which: the cause is told, its consequences are not."""

from __future__ import annotations

from collections import defaultdict

from tenant_dashboards.alerts.registry import ALL, by_name

#: Labels that have to agree where both alerts are about a tenant.
TENANT = ("tenant", "namespace")


def inhibitions() -> dict[str, tuple[str, ...]]:
    """Source alert -> alerts that it silences, both in the order of the registry."""
    targets: dict[str, list[str]] = defaultdict(list)
    for alert in ALL:
        for source in alert.inhibited_by:
            targets[source].append(alert.name)
    return {alert.name: tuple(targets[alert.name]) for alert in ALL if alert.name in targets}


def rules() -> list[dict[str, object]]:
    """Alertmanager's ``inhibit_rules``."""
    return [
        {
            "source_matchers": [f'alertname="{source}"'],
            "target_matchers": [f'alertname=~"{"|".join(names)}"'],
            **({"equal": list(TENANT)} if by_name(source).link.tenant else {}),
        }
        for source, names in inhibitions().items()
    ]
