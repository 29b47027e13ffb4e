"""How a tenant is watched: values of its chart, and what the condition MonitoringReady says of it.

What the cluster offers decides the form: kinds of the Prometheus operator and of the Grafana operator where
their CustomResourceDefinitions are there; scrape annotations and ConfigMaps where they are not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from tenant_operator.core.errors import Reason
from tenant_operator.core.kinds import Object
from tenant_operator.plan import alert_routes, secrets, slo
from tenant_operator.plan.alert_routes import Mail, Means
from tenant_operator.plan.outcome import Finding
from tenant_operator.plan.tenant import Tenant

Values = dict[str, Any]

POD_MONITOR = "PodMonitor"
PROMETHEUS_RULE = "PrometheusRule"
ALERTMANAGER_CONFIG = "AlertmanagerConfig"
GRAFANA_DASHBOARD = "GrafanaDashboard"

#: Dashboards of a team, in the order in which people use them; the chart's files/dashboards holds them.
BOARDS = ("team", "slo", "capacity", "cost")
_MAX_UID = 40


class _FromFile(BaseModel):
    """Part of the installation's defaults file: camelCase; unknown keys are a newer chart's."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)


class AlertmanagerDefaults(_FromFile):
    """What the cluster's Alertmanager can do by its global settings."""

    email: bool = False
    smarthost: str = ""
    sender: str = Field("", alias="from")
    require_tls: bool = True
    slack: bool = False


class MonitoringDefaults(_FromFile):
    """`tenantDefaults.monitoring` of the operator's chart."""

    pod_monitor_labels: Mapping[str, str] = Field(default_factory=dict)
    prometheus_rule_labels: Mapping[str, str] = Field(default_factory=dict)
    alertmanager_config_labels: Mapping[str, str] = Field(default_factory=dict)
    dashboard_labels: Mapping[str, str] = Field(default_factory=lambda: {"grafana_dashboard": "1"})
    folder_annotation: str = "grafana_folder"
    grafana_instance_selector: Mapping[str, Any] = Field(default_factory=dict)
    grafana_url: str = ""
    runbook_url: str = ""
    prometheus_namespace: str = ""
    prometheus_pod_labels: Mapping[str, str] = Field(default_factory=dict)
    database_metrics: bool = False
    alertmanager: AlertmanagerDefaults = AlertmanagerDefaults()

    def means(self, served: Collection[str]) -> Means:
        """What alerts of tenants can be sent by.

        Without AlertmanagerConfigs the platform routes by a configuration of its own (`alertmanager-config`
        of the command line), in which mail and Slack are settings of the whole.
        """
        if ALERTMANAGER_CONFIG not in served:
            return Means(Mail(), slack=True)
        its = self.alertmanager
        mail = Mail(its.smarthost, its.sender, its.require_tls) if its.email else None
        return Means(mail, its.slack)


def values(tenant: Tenant, defaults: MonitoringDefaults, served: Collection[str]) -> Values:
    """The chart's `monitoring`, for the optional kinds that the cluster serves (by name)."""
    spec = tenant.spec.monitoring
    if not spec.enabled:
        return {"scrapeAnnotations": False}
    groups = slo.rule_groups(tenant, _links(tenant, defaults))
    routes = _routes(tenant, defaults, served)
    return {
        "podMonitor": {"enabled": POD_MONITOR in served, "labels": dict(defaults.pod_monitor_labels)},
        "dashboards": {
            "enabled": spec.dashboards,
            "labels": dict(defaults.dashboard_labels),
            "folderAnnotation": defaults.folder_annotation,
            "folder": tenant.spec.owner.team,
            **({"runbookUrl": defaults.runbook_url} if defaults.runbook_url else {}),
            "grafanaDashboard": {
                "enabled": spec.dashboards and GRAFANA_DASHBOARD in served,
                "instanceSelector": dict(defaults.grafana_instance_selector),
            },
        },
        "prometheusRule": {
            "enabled": bool(groups) and PROMETHEUS_RULE in served,
            "labels": dict(defaults.prometheus_rule_labels),
        },
        "rulesConfigMap": {
            "enabled": bool(groups) and PROMETHEUS_RULE not in served,
            "labels": dict(defaults.prometheus_rule_labels),
        },
        "rules": {"groups": groups},
        "alertmanagerConfig": {
            "enabled": bool(routes),
            "labels": dict(defaults.alertmanager_config_labels),
            "spec": routes,
        },
    }


def network(tenant: Tenant, defaults: MonitoringDefaults) -> Values:
    """The chart's `networkPolicies.monitoring`: who may scrape."""
    if not tenant.spec.monitoring.enabled or not defaults.prometheus_namespace:
        return {}
    return {"namespace": defaults.prometheus_namespace, "podLabels": dict(defaults.prometheus_pod_labels)}


def _routes(tenant: Tenant, defaults: MonitoringDefaults, served: Collection[str]) -> Values:
    if not tenant.spec.monitoring.alerts.enabled or ALERTMANAGER_CONFIG not in served:
        return {}
    return alert_routes.alertmanager_config(tenant, defaults.means(served))


def _links(tenant: Tenant, defaults: MonitoringDefaults) -> slo.Links:
    if not defaults.grafana_url:
        return slo.Links(defaults.runbook_url)
    grafana = defaults.grafana_url.rstrip("/")
    if tenant.spec.monitoring.dashboards:
        return slo.Links(defaults.runbook_url, f"{grafana}/d/{dashboard_uid('slo', tenant.name)}")
    return slo.Links(defaults.runbook_url, f"{grafana}/d/airflow-slo?var-tenant={tenant.name}")


def dashboard_uid(board: str, tenant: str) -> str:
    """The uid of a team's dashboard, as the chart computes it; Grafana takes 40 characters."""
    uid = f"{board}-{tenant}"
    if len(uid) <= _MAX_UID:
        return uid
    return f"{uid[:31]}-{hashlib.sha256(uid.encode()).hexdigest()[:8]}"


def finding(
    tenant: Tenant, defaults: MonitoringDefaults, served: Collection[str], existing: Mapping[str, Object]
) -> Finding:
    """What MonitoringReady says once the release is applied; `existing`: the namespace's Secrets by name."""
    spec = tenant.spec.monitoring
    if not spec.enabled:
        return Finding.true(
            "switched off by spec.monitoring.enabled: no scraping, dashboards, rules or alert routing"
        )
    if not spec.alerts.enabled:
        return Finding.true(
            f"{_installed(tenant, served)}, alerts switched off by spec.monitoring.alerts.enabled"
        )
    means = defaults.means(served)
    there = alert_routes.channels(tenant, means)
    if not there:
        return Finding.false(Reason.NO_ALERT_CHANNEL, _no_channel(tenant))
    lacking = list(_lacking(tenant, existing))
    if lacking:
        return Finding.false(Reason.SECRET_MISSING, "; ".join(lacking))
    return Finding.true(f"{_installed(tenant, served)}, {_told(there, served)}")


def _no_channel(tenant: Tenant) -> str:
    wanted = (
        "set spec.monitoring.alerts.slack, .pagerduty or .webhook, "
        "or spec.monitoring.alerts.enabled: false if nobody wants to be told"
    )
    if not tenant.spec.owner.email:
        return f"nobody is told of this tenant's alerts: set spec.owner.email, or {wanted}"
    return (
        "nobody is told of this tenant's alerts: spec.owner.email is set, but this installation does not "
        f"mail (tenantDefaults.monitoring.alertmanager.email of the operator's chart); {wanted}"
    )


def _lacking(tenant: Tenant, existing: Mapping[str, Object]) -> Iterator[str]:
    """What is missing of the Secrets that the channels name; Alertmanager reads them, not the operator."""
    return secrets.problems(secrets.alert_references(tenant), tenant, existing)


def _installed(tenant: Tenant, served: Collection[str]) -> str:
    spec = tenant.spec.monitoring
    parts = []
    if POD_MONITOR not in served:
        parts.append("no PodMonitor in the cluster: Prometheus needs the scrape configuration for tenants")
    if spec.dashboards:
        parts.append(f"{len(BOARDS)} dashboards in folder {tenant.spec.owner.team}")
    if spec.slo:
        where = (
            "" if PROMETHEUS_RULE in served else " (rules in a ConfigMap: the cluster has no PrometheusRule)"
        )
        parts.append(f"{len(spec.slo)} SLO{'s' if len(spec.slo) > 1 else ''}{where}")
    return ", ".join(parts) or "scraped"


def _told(there: Collection[str], served: Collection[str]) -> str:
    names = list(there)
    if names == ["PagerDuty"]:
        names = ["PagerDuty (critical ones; the platform is told of the rest)"]
    text = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    if ALERTMANAGER_CONFIG in served:
        return f"alerts to {text}"
    # Whether it has been done cannot be seen from here.
    return (
        f"alerts to {text} if the platform's Alertmanager got this tenant's routes (alertmanager-config): "
        "the cluster has no AlertmanagerConfig"
    )
