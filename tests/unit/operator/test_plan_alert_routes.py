"""Who is told of what: the AlertmanagerConfig of one tenant, by the table of urgency."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.operator.support import tenant

from tenant_dashboards.alerts import inhibition, priorities
from tenant_dashboards.alerts.registry import ALL, by_name
from tenant_operator.plan import alert_policy as policy
from tenant_operator.plan.alert_routes import Mail, Means, alertmanager_config, channels
from tenant_operator.plan.tenant import Tenant

SLACK = {"slack": {"apiUrlSecretRef": {"name": "chat", "key": "url"}}}
PAGER = {"pagerduty": {"routingKeySecretRef": {"name": "pager", "key": "key"}}}
HOOK = {"webhook": {"urlSecretRef": {"name": "hook", "key": "url"}}}
OWNER = {"team": "pay", "email": "pay@example.com", "slack": "#payments"}
MAIL = Mail("relay.example.com:25", "airflow@example.com")


def one(name: str = "payments", owner: dict[str, str] = OWNER, **alerts: Any) -> Tenant:
    return tenant(name, owner=owner, monitoring={"alerts": alerts})


ALL_CHANNELS = one(**SLACK, **PAGER, **HOOK)
OTHER = one("analytics", {"team": "ana", "email": "ana@example.com"})


@pytest.mark.covers("A-21")
def test_both_packages_have_the_same_table_of_urgency() -> None:
    assert dict(policy.SEVERITIES) == {name: row.severity for name, row in priorities.PRIORITIES.items()}


def test_both_packages_silence_the_same_alerts() -> None:
    assert dict(policy.INHIBITIONS) == inhibition.inhibitions()
    assert set(policy.FLEET_WIDE) == {
        source for source in policy.INHIBITIONS if not by_name(source).link.tenant
    }
    assert inhibition.TENANT == policy.SAME_TENANT


@pytest.mark.covers("A-21")
def test_every_alert_is_routed_by_the_severity_of_its_priority() -> None:
    assert {alert.severity for alert in ALL} <= set(policy.SEVERITIES.values())
    assert all(policy.SEVERITIES[alert.priority] == alert.severity for alert in ALL)


@pytest.mark.parametrize(
    ("who", "means", "wanted"),
    [
        (ALL_CHANNELS, Means(MAIL), ("PagerDuty", "Slack", "webhook", "e-mail")),
        (ALL_CHANNELS, Means(), ("PagerDuty", "Slack", "webhook")),
        (one(), Means(MAIL), ("e-mail",)),
        (one(), Means(), ()),
        (one(), Means(slack=True), ("Slack",)),
        (one(owner={"team": "pay"}), Means(MAIL, slack=True), ()),
    ],
)
def test_a_channel_needs_an_address_and_a_way_to_it(
    who: Tenant, means: Means, wanted: tuple[str, ...]
) -> None:
    assert channels(who, means) == wanted


@pytest.mark.parametrize(
    ("there", "page", "notify", "inform"),
    [
        (("Slack", "e-mail"), ("Slack", "e-mail"), ("Slack", "e-mail"), ("Slack",)),
        (("e-mail",), ("e-mail",), ("e-mail",), ("e-mail",)),
        (("PagerDuty", "webhook"), ("PagerDuty", "webhook"), ("webhook",), ("webhook",)),
        (("PagerDuty",), ("PagerDuty",), (), ()),
    ],
)
def test_what_has_no_channel_of_its_own_goes_to_the_quietest_that_is_there(
    there: tuple[str, ...], page: tuple[str, ...], notify: tuple[str, ...], inform: tuple[str, ...]
) -> None:
    assert policy.chosen(policy.PAGE, there) == page
    assert policy.chosen(policy.NOTIFY, there) == notify
    assert policy.chosen(policy.INFORM, there) == inform


def test_a_team_without_a_channel_has_no_alertmanager_config() -> None:
    assert alertmanager_config(one(), Means()) == {}


@pytest.mark.covers("A-21")
def test_the_resource_routes_by_urgency() -> None:
    spec = alertmanager_config(ALL_CHANNELS, Means(MAIL))
    route = spec["route"]
    assert route["matchers"] == [{"name": "tenant", "value": "payments"}]
    assert route["receiver"] == "notify"
    assert [
        (child["receiver"], child["matchers"][0]["name"], child["matchers"][0]["value"])
        for child in route["routes"]
    ] == [("log-only", "priority", "P4"), ("page", "severity", "critical"), ("inform", "severity", "info")]
    kinds = {receiver["name"]: set(receiver) - {"name"} for receiver in spec["receivers"]}
    assert kinds == {
        "page": {"pagerdutyConfigs", "slackConfigs", "webhookConfigs", "emailConfigs"},
        "notify": {"slackConfigs", "webhookConfigs", "emailConfigs"},
        "inform": {"slackConfigs"},
        "log-only": set(),
    }


@pytest.mark.covers("A-25")
def test_the_resource_refers_to_secrets_and_holds_none() -> None:
    spec = alertmanager_config(ALL_CHANNELS, Means(MAIL))
    page = next(receiver for receiver in spec["receivers"] if receiver["name"] == "page")
    assert page["pagerdutyConfigs"][0]["routingKey"] == {"name": "pager", "key": "key"}
    assert page["slackConfigs"][0]["apiURL"] == {"name": "chat", "key": "url"}
    assert page["slackConfigs"][0]["channel"] == "#payments"
    assert page["webhookConfigs"][0]["urlSecret"] == {"name": "hook", "key": "url"}
    mail = page["emailConfigs"][0]
    assert (mail["to"], mail["smarthost"], mail["from"], mail["requireTLS"]) == (
        "pay@example.com",
        "relay.example.com:25",
        "airflow@example.com",
        True,
    )


def test_alertmanager_s_own_relay_and_slack_are_used_when_the_installation_says_so() -> None:
    spec = alertmanager_config(one(), Means(Mail(), slack=True))
    page = next(receiver for receiver in spec["receivers"] if receiver["name"] == "page")
    assert not {"smarthost", "from", "requireTLS"} & page["emailConfigs"][0].keys()
    assert "apiURL" not in page["slackConfigs"][0]


def test_the_resource_silences_only_what_is_of_the_same_tenant() -> None:
    rules = alertmanager_config(ALL_CHANNELS, Means())["inhibitRules"]
    assert rules
    assert all({"tenant", "namespace"} <= set(rule["equal"]) for rule in rules)
    sources = {rule["sourceMatch"][0]["value"] for rule in rules}
    assert not sources & policy.FLEET_WIDE
