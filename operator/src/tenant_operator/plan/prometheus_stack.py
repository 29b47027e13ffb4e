"""The platform's part where tenants bring AlertmanagerConfigs: values of the chart kube-prometheus-stack.

A Prometheus operator puts each AlertmanagerConfig's route before those of the base configuration and lets it
continue, so that the platform's routes see every alert as well; what no route takes goes to the base's root
(AddAlertmanagerConfigs):
https://github.com/prometheus-operator/prometheus-operator/blob/v0.85.0/pkg/alertmanager/amcfg.go
"""

from __future__ import annotations

from dataclasses import replace

from tenant_operator.plan import alert_platform as base
from tenant_operator.plan.alert_platform import Config, Platform

#: The Secret with the platform's addresses and keys, in Alertmanager's namespace; its folder has its name.
ONCALL = "airflow-oncall"
_OTHERS = "null"
_OURS = "Airflow.+"


def values(platform: Platform) -> Config:
    """Values that make Alertmanager tell the platform's people; lists of the chart's own values are repeated.

    Alerts of others go where the chart sends them by itself: nowhere, until somebody adds a route.
    """
    own = replace(platform, folder=ONCALL)
    routes = [{"matchers": [f'alertname!~"{_OURS}"'], "receiver": _OTHERS}, *base.platform_routes()]
    return {
        "alertmanager": {
            "alertmanagerSpec": {"secrets": [ONCALL]},
            "config": {
                **base.global_settings(own),
                "route": {**base.ROOT, "routes": routes},
                "receivers": [{"name": _OTHERS}, *base.platform_receivers(own)],
                "inhibit_rules": [*base.inhibitions(), *_of_the_chart()],
            },
        }
    }


def _of_the_chart() -> list[Config]:
    """The chart's own: Helm replaces lists as a whole.

    InfoInhibitor fires where alerts of severity info fire alone, to silence them; ours are meant to be read.
    """
    same = ["namespace", "alertname"]
    return [
        {
            "source_matchers": ['severity="critical"'],
            "target_matchers": ['severity=~"warning|info"'],
            "equal": same,
        },
        {
            "source_matchers": ['severity="warning"'],
            "target_matchers": ['severity="info"'],
            "equal": list(same),
        },
        {
            "source_matchers": ['alertname="InfoInhibitor"'],
            "target_matchers": ['severity="info"', f'alertname!~"{_OURS}"'],
            "equal": ["namespace"],
        },
        {"target_matchers": ['alertname="InfoInhibitor"']},
    ]
