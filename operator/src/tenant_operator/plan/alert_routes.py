"""From `spec.owner` and `spec.monitoring.alerts` to the spec of an AlertmanagerConfig: who is told of what.

The version is monitoring.coreos.com/v1alpha1, the one that prometheus-operator stores:
https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1alpha1.AlertmanagerConfig
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tenant_operator.api.rules import SecretKeyRef
from tenant_operator.plan import alert_policy as policy
from tenant_operator.plan.tenant import Tenant

Config = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mail:
    """How Alertmanager mails. An empty smarthost or sender: its global settings have them."""

    smarthost: str = ""
    sender: str = ""
    require_tls: bool = True


@dataclass(frozen=True, slots=True)
class Means:
    """What the installation's Alertmanager can do beyond the Secrets of a tenant; None: it cannot mail."""

    mail: Mail | None = None
    #: its global settings hold a Slack URL that may post to every channel
    slack: bool = False


def channels(tenant: Tenant, means: Means) -> tuple[str, ...]:
    """The channels by which the tenant's team can be reached, in the order of alert_policy.MATRIX."""
    alerts, owner = tenant.spec.monitoring.alerts, tenant.spec.owner
    there = {
        "PagerDuty": alerts.pagerduty is not None,
        "Slack": alerts.slack is not None or (means.slack and owner.slack != ""),
        "webhook": alerts.webhook is not None,
        "e-mail": owner.email != "" and means.mail is not None,
    }
    return tuple(name for name in policy.MATRIX[policy.PAGE] if there[name])


def alertmanager_config(tenant: Tenant, means: Means) -> Config:
    """The spec of the tenant's AlertmanagerConfig; empty when its team has no channel.

    prometheus-operator adds the namespace to the route and to the inhibitions, so that a team reaches
    its own alerts only.
    """
    there = channels(tenant, means)
    if not there:
        return {}
    resource = _Resource(tenant, means)
    receivers = [
        {"name": name, **resource.receiver(wanted)}
        for name in policy.MATRIX
        if (wanted := policy.chosen(name, there))
    ]
    return {
        "route": {
            "groupBy": ["tenant", "alertname"],
            "groupWait": "30s",
            "groupInterval": "5m",
            **(_paged(tenant) if len(receivers) == 1 else _routed(tenant)),
        },
        "receivers": [*receivers, {"name": policy.LOG_ONLY}],
        "inhibitRules": [
            _inhibition(source, "|".join(targets), policy.SAME_TENANT)
            for source, targets in policy.INHIBITIONS.items()
            if source not in policy.FLEET_WIDE  # those come from outside of the namespace
        ]
        + [_inhibition(*policy.SAME_OBJECTIVE)],
    }


def _routed(tenant: Tenant) -> Config:
    return {
        "repeatInterval": "12h",
        "receiver": policy.NOTIFY,
        "matchers": [_matcher("tenant", tenant.name)],
        "routes": [
            {"receiver": policy.LOG_ONLY, "matchers": [_matcher("priority", "P4")]},
            {
                "receiver": policy.PAGE,
                "matchers": [_matcher("severity", "critical")],
                "repeatInterval": "1h",
            },
            {
                "receiver": policy.INFORM,
                "matchers": [_matcher("severity", "info")],
                "repeatInterval": "24h",
            },
        ],
    }


def _paged(tenant: Tenant) -> Config:
    """Of a team with a pager only: what is not critical is not for it, and so falls to the platform."""
    return {
        "repeatInterval": "1h",
        "receiver": policy.PAGE,
        "matchers": [_matcher("tenant", tenant.name), _matcher("severity", "critical")],
    }


def _inhibition(source: str, targets: str, equal: Iterable[str]) -> Config:
    return {
        "sourceMatch": [_matcher("alertname", source)],
        "targetMatch": [_matcher("alertname", targets, "=~")],
        "equal": list(equal),
    }


def _matcher(name: str, value: str, match_type: str = "") -> Config:
    # Equality is the default; written out, `matchType: =` is YAML 1.1's own word for "value".
    return {"name": name, "value": value, **({"matchType": match_type} if match_type else {})}


TITLE = (
    '[{{ .Status | toUpper }}{{ if eq .Status "firing" }} {{ .Alerts.Firing | len }}{{ end }}]'
    " {{ .CommonLabels.alertname }}{{ with .CommonLabels.tenant }} ({{ . }}){{ end }}"
)
SLACK_TEXT = (
    "{{ range .Alerts }}*{{ .Labels.severity }}* {{ .Annotations.summary }}\n{{ .Annotations.description }}\n"
    "{{ with .Annotations.runbook_url }}<{{ . }}|Runbook> {{ end }}"
    "{{ with .Annotations.dashboard_url }}<{{ . }}|Dashboard>{{ end }}\n{{ end }}"
)
SUMMARY = "{{ with .CommonAnnotations.summary }}{{ . }}{{ else }}{{ .CommonLabels.alertname }}{{ end }}"
SEVERITY = "{{ with .CommonLabels.severity }}{{ . }}{{ else }}critical{{ end }}"


class _Resource:
    """Receivers in the words of an AlertmanagerConfig: secrets are references into the tenant's namespace."""

    def __init__(self, tenant: Tenant, means: Means) -> None:
        self._owner = tenant.spec.owner
        self._alerts = tenant.spec.monitoring.alerts
        self._means = means

    def receiver(self, wanted: Iterable[str]) -> Config:
        """One receiver's configurations by kind."""
        made: Config = {}
        for channel in wanted:
            made.update(_BUILDERS[channel](self))
        return made

    def slack(self) -> Config:
        """Slack; without a Secret Alertmanager's own URL is used."""
        config: Config = {
            "channel": self._owner.slack,
            "title": TITLE,
            "text": SLACK_TEXT,
            "sendResolved": True,
        }
        if self._alerts.slack is not None:
            config["apiURL"] = _reference(self._alerts.slack.api_url_secret_ref)
        return {"slackConfigs": [config]}

    def pagerduty(self) -> Config:
        """PagerDuty's Events API v2."""
        if self._alerts.pagerduty is None:
            return {}
        key = _reference(self._alerts.pagerduty.routing_key_secret_ref)
        return {
            "pagerdutyConfigs": [
                {"routingKey": key, "severity": SEVERITY, "description": SUMMARY, "sendResolved": True}
            ]
        }

    def webhook(self) -> Config:
        """Alertmanager's own JSON to an address."""
        if self._alerts.webhook is None:
            return {}
        url = _reference(self._alerts.webhook.url_secret_ref)
        return {"webhookConfigs": [{"urlSecret": url, "sendResolved": True}]}

    def email(self) -> Config:
        """A mail to the owner."""
        mail = self._means.mail or Mail()
        config: Config = {
            "to": self._owner.email,
            "headers": [{"key": "Subject", "value": TITLE}],
            "sendResolved": True,
        }
        if mail.smarthost:
            config |= {"smarthost": mail.smarthost, "requireTLS": mail.require_tls}
        if mail.sender:
            config["from"] = mail.sender
        return {"emailConfigs": [config]}


_BUILDERS = {
    "Slack": _Resource.slack,
    "PagerDuty": _Resource.pagerduty,
    "webhook": _Resource.webhook,
    "e-mail": _Resource.email,
}


def _reference(ref: SecretKeyRef) -> Config:
    return {"name": ref.name, "key": ref.key}
