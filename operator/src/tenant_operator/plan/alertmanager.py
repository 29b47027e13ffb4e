"""A whole Alertmanager configuration for many tenants, for clusters without AlertmanagerConfig resources.

Secrets are not in it: every one is a file below one folder, `<folder>/<tenant>/<secret>/<key>` for those that
a tenant's spec names and `<folder>/platform/<key>` for the platform's own (plan.alert_platform).
https://prometheus.io/docs/alerting/latest/configuration/
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from tenant_operator.api.rules import SecretKeyRef
from tenant_operator.plan import alert_policy as policy
from tenant_operator.plan.alert_platform import (
    PLATFORM_FILES,
    ROOT,
    Config,
    Platform,
    global_settings,
    inhibitions,
    pagerduty_configs,
    platform_receivers,
    platform_routes,
    slack_configs,
)
from tenant_operator.plan.alert_routes import TITLE, Means, channels
from tenant_operator.plan.tenant import Tenant


def unreached(tenants: Iterable[Tenant], platform: Platform) -> dict[str, str]:
    """Tenants whose team wants to be told and cannot be, by name: which field and which option would help."""
    means = _means(platform)
    return {
        tenant.name: _help(tenant, platform)
        for tenant in _by_name(tenants)
        if _wanted(tenant) and not channels(tenant, means)
    }


def _help(tenant: Tenant, platform: Platform) -> str:
    owner, needs = tenant.spec.owner, []
    if owner.email and platform.mail is None:
        needs.append("spec.owner.email needs --smtp-smarthost and --smtp-from")
    if owner.slack and not platform.slack_channel:
        needs.append("spec.owner.slack needs --slack-channel")
    return "; ".join(needs) or (
        "set spec.owner.email (with --smtp-smarthost and --smtp-from), spec.owner.slack or "
        "spec.monitoring.alerts.slack, .pagerduty or .webhook; or spec.monitoring.alerts.enabled: false"
    )


def shadowed(tenants: Iterable[Tenant], platform: Platform) -> str:
    """The Secret of a tenant whose folder is to be where a file of the platform is; empty: there is none."""
    for tenant in tenants:
        alerts = tenant.spec.monitoring.alerts
        refs = (
            alerts.slack and alerts.slack.api_url_secret_ref,
            alerts.pagerduty and alerts.pagerduty.routing_key_secret_ref,
            alerts.webhook and alerts.webhook.url_secret_ref,
        )
        for ref in refs:
            if ref and tenant.name == platform.folder and ref.name in PLATFORM_FILES:
                return ref.name
    return ""


def configuration(tenants: Sequence[Tenant], platform: Platform) -> Config:
    """Routes by tenant, then by severity and priority; receivers; what silences what."""
    means = _means(platform)
    reached = [(tenant, there) for tenant in _by_name(tenants) if (there := _channels(tenant, means))]
    teams: dict[str, tuple[str, tuple[str, ...]]] = {}
    for tenant, there in reached:
        teams.setdefault(tenant.spec.owner.team, (tenant.name, there))
    receivers = [
        {"name": f"{tenant.name}/{name}", **_team(tenant, policy.chosen(name, there), platform)}
        for tenant, there in reached
        for name in policy.MATRIX
        if policy.chosen(name, there)
    ]
    return {
        **global_settings(platform),
        "route": {
            **ROOT,
            "routes": [
                *platform_routes(),
                *(_route([f'tenant="{tenant.name}"'], tenant.name, there) for tenant, there in reached),
                # what speaks of a team but of no tenant goes to the people of its first one
                *(_route([f'team="{team}"', 'tenant=""'], *first) for team, first in teams.items()),
            ],
        },
        "receivers": [*platform_receivers(platform), *receivers],
        "inhibit_rules": inhibitions(),
    }


def _by_name(tenants: Iterable[Tenant]) -> list[Tenant]:
    return sorted(tenants, key=lambda tenant: tenant.name)


def _means(platform: Platform) -> Means:
    return Means(platform.mail, slack=platform.slack_channel != "")


def _wanted(tenant: Tenant) -> bool:
    return tenant.spec.monitoring.enabled and tenant.spec.monitoring.alerts.enabled


def _channels(tenant: Tenant, means: Means) -> tuple[str, ...]:
    return channels(tenant, means) if _wanted(tenant) else ()


def _route(matchers: list[str], tenant: str, there: Collection[str]) -> Config:
    critical = 'severity="critical"'
    if not policy.chosen(policy.NOTIFY, there):  # a pager only: the rest is the platform's
        return {
            "matchers": [*matchers, critical],
            "receiver": f"{tenant}/{policy.PAGE}",
            "repeat_interval": "1h",
        }
    return {
        "matchers": matchers,
        "receiver": f"{tenant}/{policy.NOTIFY}",
        "routes": [
            {
                "matchers": [critical],
                "receiver": f"{tenant}/{policy.PAGE}",
                "repeat_interval": "1h",
            },
            {
                "matchers": ['severity="info"'],
                "receiver": f"{tenant}/{policy.INFORM}",
                "repeat_interval": "24h",
            },
        ],
    }


def _team(tenant: Tenant, wanted: Iterable[str], platform: Platform) -> Config:
    owner, alerts = tenant.spec.owner, tenant.spec.monitoring.alerts

    def file(ref: SecretKeyRef) -> str:
        return platform.file(tenant.name, ref.name, ref.key)

    made: Config = {}
    for channel in wanted:
        if channel == "Slack":
            own = alerts.slack.api_url_secret_ref if alerts.slack is not None else None
            made |= slack_configs(owner.slack, platform.slack_file if own is None else file(own))
        elif channel == "PagerDuty" and alerts.pagerduty is not None:
            made |= pagerduty_configs(file(alerts.pagerduty.routing_key_secret_ref))
        elif channel == "webhook" and alerts.webhook is not None:
            url = file(alerts.webhook.url_secret_ref)
            made["webhook_configs"] = [{"url_file": url, "send_resolved": True}]
        elif channel == "e-mail":
            made["email_configs"] = [
                {"to": owner.email, "headers": {"Subject": TITLE}, "send_resolved": True}
            ]
    return made
