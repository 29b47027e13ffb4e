"""A whole Alertmanager configuration for many tenants, for clusters without AlertmanagerConfig resources.

Secrets are not in it: every one is a file below one folder, `<folder>/<tenant>/<secret>/<key>` for those that
a tenant's spec names and `<folder>/platform/<key>` for the platform's own. The platform's part is also what a
Prometheus operator adds tenants' AlertmanagerConfigs to: plan.prometheus_stack.
https://prometheus.io/docs/alerting/latest/configuration/
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tenant_operator.api.rules import SecretKeyRef
from tenant_operator.plan import alert_policy as policy
from tenant_operator.plan.alert_routes import (
    SEVERITY,
    SLACK_TEXT,
    SUMMARY,
    TITLE,
    Mail,
    Means,
    channels,
)
from tenant_operator.plan.tenant import Tenant

Config = dict[str, Any]

#: Receivers of the platform: critical alerts of everybody, and the rest of what no team is told.
ADMIN, PLATFORM = "slack-admin", "platform"
_SLACK_FILE, _PAGERDUTY_FILE, _SMTP_FILE = "slack-api-url", "pagerduty-routing-key", "smtp-password"
_PLATFORM_FILES = {_SLACK_FILE, _PAGERDUTY_FILE, _SMTP_FILE}
#: The root of the routes: what none of them takes.
ROOT: Config = {
    "receiver": PLATFORM,
    "group_by": ["tenant", "alertname"],
    "group_wait": "30s",
    "group_interval": "5m",
    "repeat_interval": "12h",
}


@dataclass(frozen=True, slots=True)
class Platform:
    """How the platform's own people are told, and by what tenants' alerts are sent.

    `mail` None: nothing is mailed. An empty channel or topic, or `pagerduty` False: that way is not used.
    """

    secrets_directory: str = "/etc/alertmanager/secrets"
    slack_channel: str = "#airflow-oncall"
    pagerduty: bool = True
    sns_topic: str = ""
    mail: Mail | None = None
    mail_username: str = ""
    #: Folder of the platform's own secrets, below the other.
    folder: str = "platform"

    def file(self, *parts: str) -> str:
        """The file that holds a secret."""
        return "/".join((self.secrets_directory.rstrip("/"), *parts))

    @property
    def slack_file(self) -> str:
        """Slack's URL, which may post to every channel."""
        return self.file(self.folder, _SLACK_FILE)


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
            if ref and tenant.name == platform.folder and ref.name in _PLATFORM_FILES:
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


def platform_routes() -> list[Config]:
    """What the platform's people are told beside the teams; what no route takes is theirs, too (ROOT)."""
    return [
        {"matchers": ['priority="P4"'], "receiver": policy.LOG_ONLY},
        {
            "matchers": ['severity="critical"'],
            "receiver": ADMIN,
            "group_wait": "10s",
            "repeat_interval": "1h",
            "continue": True,
        },
    ]


def platform_receivers(platform: Platform) -> list[Config]:
    """The receivers of ROOT and of platform_routes."""
    return [
        {"name": PLATFORM, **_slack(platform.slack_channel, platform.slack_file)},
        _admin(platform),
        {"name": policy.LOG_ONLY},
    ]


def _by_name(tenants: Iterable[Tenant]) -> list[Tenant]:
    return sorted(tenants, key=lambda tenant: tenant.name)


def _means(platform: Platform) -> Means:
    return Means(platform.mail, slack=platform.slack_channel != "")


def _wanted(tenant: Tenant) -> bool:
    return tenant.spec.monitoring.enabled and tenant.spec.monitoring.alerts.enabled


def _channels(tenant: Tenant, means: Means) -> tuple[str, ...]:
    return channels(tenant, means) if _wanted(tenant) else ()


def global_settings(platform: Platform) -> Config:
    """The key `global`; nothing when there is nothing to say."""
    mail = platform.mail
    if mail is None:
        return {}
    settings: Config = {
        "smtp_smarthost": mail.smarthost,
        "smtp_from": mail.sender,
        "smtp_require_tls": mail.require_tls,
    }
    if platform.mail_username:
        settings["smtp_auth_username"] = platform.mail_username
        settings["smtp_auth_password_file"] = platform.file(platform.folder, _SMTP_FILE)
    return {"global": settings}


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


def _admin(platform: Platform) -> Config:
    made: Config = {"name": ADMIN, **_slack(platform.slack_channel, platform.slack_file)}
    if platform.pagerduty:
        made |= _pagerduty(platform.file(platform.folder, _PAGERDUTY_FILE))
    if platform.sns_topic:
        region = platform.sns_topic.split(":")[3]
        made["sns_configs"] = [
            {
                "topic_arn": platform.sns_topic,
                "sigv4": {"region": region},
                "subject": SUMMARY,
                "send_resolved": True,
            }
        ]
    return made


def _team(tenant: Tenant, wanted: Iterable[str], platform: Platform) -> Config:
    owner, alerts = tenant.spec.owner, tenant.spec.monitoring.alerts

    def file(ref: SecretKeyRef) -> str:
        return platform.file(tenant.name, ref.name, ref.key)

    made: Config = {}
    for channel in wanted:
        if channel == "Slack":
            own = alerts.slack.api_url_secret_ref if alerts.slack is not None else None
            made |= _slack(owner.slack, platform.slack_file if own is None else file(own))
        elif channel == "PagerDuty" and alerts.pagerduty is not None:
            made |= _pagerduty(file(alerts.pagerduty.routing_key_secret_ref))
        elif channel == "webhook" and alerts.webhook is not None:
            url = file(alerts.webhook.url_secret_ref)
            made["webhook_configs"] = [{"url_file": url, "send_resolved": True}]
        elif channel == "e-mail":
            made["email_configs"] = [
                {"to": owner.email, "headers": {"Subject": TITLE}, "send_resolved": True}
            ]
    return made


def _slack(channel: str, url_file: str) -> Config:
    if not channel:
        return {}
    return {
        "slack_configs": [
            {
                "api_url_file": url_file,
                "channel": channel,
                "title": TITLE,
                "text": SLACK_TEXT,
                "send_resolved": True,
            }
        ]
    }


def _pagerduty(key_file: str) -> Config:
    return {
        "pagerduty_configs": [
            {
                "routing_key_file": key_file,
                "severity": SEVERITY,
                "description": SUMMARY,
                "send_resolved": True,
            }
        ]
    }


def inhibitions() -> list[Config]:
    """What silences what: those of one tenant, and those that speak of the whole installation."""
    made = [
        _inhibition(source, "|".join(targets), () if source in policy.FLEET_WIDE else policy.SAME_TENANT)
        for source, targets in policy.INHIBITIONS.items()
    ]
    return [*made, _inhibition(*policy.SAME_OBJECTIVE)]


def _inhibition(source: str, targets: str, equal: Iterable[str]) -> Config:
    labels = list(equal)
    return {
        "source_matchers": [f'alertname="{source}"'],
        "target_matchers": [f'alertname=~"{targets}"'],
        **({"equal": labels} if labels else {}),
    }
