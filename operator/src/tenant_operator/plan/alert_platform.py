"""The platform's own part of an Alertmanager configuration: who is told of what no team is, or besides it.

It stands in the whole configuration of plan.alertmanager, and is what a Prometheus operator adds tenants'
AlertmanagerConfigs to (plan.prometheus_stack).
https://prometheus.io/docs/alerting/latest/configuration/
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tenant_operator.plan import alert_policy as policy
from tenant_operator.plan.alert_routes import SEVERITY, SLACK_TEXT, SUMMARY, TITLE, Mail

Config = dict[str, Any]

#: Receivers of the platform: critical alerts of everybody, and the rest of what no team is told.
ADMIN, PLATFORM = "slack-admin", "platform"
_SLACK_FILE, _PAGERDUTY_FILE, _SMTP_FILE = "slack-api-url", "pagerduty-routing-key", "smtp-password"
#: Names of the files with the platform's own secrets.
PLATFORM_FILES = {_SLACK_FILE, _PAGERDUTY_FILE, _SMTP_FILE}
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
        {"name": PLATFORM, **slack_configs(platform.slack_channel, platform.slack_file)},
        _admin(platform),
        {"name": policy.LOG_ONLY},
    ]


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


def _admin(platform: Platform) -> Config:
    made: Config = {"name": ADMIN, **slack_configs(platform.slack_channel, platform.slack_file)}
    if platform.pagerduty:
        made |= pagerduty_configs(platform.file(platform.folder, _PAGERDUTY_FILE))
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


def slack_configs(channel: str, url_file: str) -> Config:
    """The part of a receiver that posts to a channel; nothing without a channel."""
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


def pagerduty_configs(key_file: str) -> Config:
    """The part of a receiver that pages."""
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
