"""Who is told of what: AlertmanagerConfig of one tenant, and the configuration of a whole Alertmanager."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.operator.support import tenant

from devcluster.tools import tool
from tenant_dashboards.alerts import inhibition, priorities
from tenant_dashboards.alerts.registry import ALL, by_name
from tenant_operator.__main__ import main
from tenant_operator.plan import alert_policy as policy
from tenant_operator.plan.alert_routes import Mail, Means, alertmanager_config, channels
from tenant_operator.plan.alertmanager import Platform, configuration
from tenant_operator.plan.tenant import Tenant

SLACK = {"slack": {"apiUrlSecretRef": {"name": "chat", "key": "url"}}}
PAGER = {"pagerduty": {"routingKeySecretRef": {"name": "pager", "key": "key"}}}
HOOK = {"webhook": {"urlSecretRef": {"name": "hook", "key": "url"}}}
OWNER = {"team": "pay", "email": "pay@example.com", "slack": "#payments"}
MAIL = Mail("relay.example.com:25", "airflow@example.com")
BOTH = Platform(mail=MAIL, sns_topic="arn:aws:sns:eu-central-1:123456789012:airflow")


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


def test_a_pager_alone_is_told_of_critical_alerts_only_and_the_platform_of_the_rest(tmp_path: Path) -> None:
    paged = one(**PAGER)
    spec = alertmanager_config(paged, Means())
    assert [receiver["name"] for receiver in spec["receivers"]] == ["page", "log-only"]
    assert spec["route"]["matchers"][1] == {"name": "severity", "value": "critical"}
    config = configuration([paged], replace(BOTH, mail=None, slack_channel=""))
    whose = ("tenant=payments", "priority=P2")
    test = ("config", "routes", "test")
    assert amtool(tmp_path, config, *test, "--", *whose, "severity=warning").strip() == "platform"
    critical = amtool(tmp_path, config, *test, "--", *whose, "severity=critical")
    assert critical.strip() == "slack-admin,payments/page"


@pytest.mark.covers("A-21")
def test_the_channels_of_the_runbook_are_those_of_the_routes() -> None:
    receivers = {"critical": policy.PAGE, "warning": policy.NOTIFY, "info": policy.INFORM}
    [admin] = [each for each in configuration([], BOTH)["receivers"] if each["name"] == "slack-admin"]
    words = {"slack_configs": "Slack", "pagerduty_configs": "PagerDuty", "sns_configs": "SNS"}
    platform = tuple(words[key] for key in admin if key != "name")
    for name, row in priorities.PRIORITIES.items():
        assert row.team == (() if name == "P4" else policy.MATRIX[receivers[row.severity]])
        assert row.platform == (platform if row.severity == "critical" else ())


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


def amtool(folder: Path, config: dict[str, Any], *arguments: str) -> str:
    file = folder / "alertmanager.yaml"
    file.write_text(yaml.safe_dump(config, sort_keys=False))
    position = arguments.index("--") if "--" in arguments else len(arguments)
    done = subprocess.run(
        [
            str(tool("amtool")),
            *arguments[:position],
            *([str(file)] if arguments[0] == "check-config" else [f"--config.file={file}"]),
            *arguments[position + 1 :],
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def reached(folder: Path, config: dict[str, Any], **labels: str) -> list[str]:
    """The receivers that amtool finds for an alert, in order."""
    pairs = [f"{name}={value}" for name, value in labels.items()]
    return amtool(folder, config, "config", "routes", "test", "--", *pairs).strip().split(",")


@pytest.mark.covers("S002-31", "A-25")
@pytest.mark.parametrize(
    ("tenants", "platform"),
    [
        ([ALL_CHANNELS, OTHER], BOTH),
        ([ALL_CHANNELS, OTHER], Platform()),
        ([OTHER], Platform(slack_channel="", pagerduty=False)),
        ([ALL_CHANNELS], Platform(slack_channel="", pagerduty=False, mail=MAIL, mail_username="airflow")),
    ],
)
def test_amtool_takes_the_configuration(
    tmp_path: Path, tenants: Sequence[Tenant], platform: Platform
) -> None:
    assert "SUCCESS" in amtool(tmp_path, configuration(tenants, platform), "check-config")


@pytest.mark.covers("A-18")
def test_what_is_critical_reaches_slack_admin_and_the_team(tmp_path: Path) -> None:
    config = configuration([ALL_CHANNELS, OTHER], BOTH)
    found = reached(tmp_path, config, severity="critical", priority="P1", tenant="payments")
    assert found == ["slack-admin", "payments/page"]
    admin = next(receiver for receiver in config["receivers"] if receiver["name"] == "slack-admin")
    assert admin["slack_configs"][0]["channel"] == "#airflow-oncall"
    assert admin["pagerduty_configs"][0]["routing_key_file"].endswith("/platform/pagerduty-routing-key")


@pytest.mark.covers("A-25")
def test_pagerduty_and_sns_are_told_of_what_is_critical() -> None:
    config = configuration([ALL_CHANNELS], BOTH)
    admin = next(receiver for receiver in config["receivers"] if receiver["name"] == "slack-admin")
    assert admin["pagerduty_configs"]
    assert admin["sns_configs"][0] | {"subject": ""} == {
        "topic_arn": "arn:aws:sns:eu-central-1:123456789012:airflow",
        "sigv4": {"region": "eu-central-1"},
        "subject": "",
        "send_resolved": True,
    }


@pytest.mark.covers("A-21")
@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ({"severity": "critical", "priority": "P0"}, ["slack-admin"]),
        (
            {"severity": "critical", "priority": "P1", "tenant": "analytics"},
            ["slack-admin", "analytics/page"],
        ),
        ({"severity": "warning", "priority": "P2", "tenant": "payments"}, ["payments/notify"]),
        ({"severity": "warning", "priority": "P2", "tenant": "analytics"}, ["analytics/notify"]),
        ({"severity": "info", "priority": "P3", "tenant": "payments"}, ["payments/inform"]),
        ({"severity": "info", "priority": "P4", "tenant": "payments"}, ["log-only"]),
        ({"severity": "warning", "priority": "P2"}, ["platform"]),
        ({"severity": "warning", "priority": "P2", "tenant": "unknown"}, ["platform"]),
        ({"severity": "warning", "priority": "P2", "team": "ana"}, ["analytics/notify"]),
        ({"severity": "warning", "team": "ana", "tenant": "payments"}, ["payments/notify"]),
    ],
)
def test_each_alert_reaches_exactly_these(tmp_path: Path, labels: dict[str, str], wanted: list[str]) -> None:
    assert reached(tmp_path, configuration([ALL_CHANNELS, OTHER], BOTH), **labels) == wanted


@pytest.mark.covers("A-21")
def test_the_receivers_of_a_team_have_the_channels_of_the_table() -> None:
    config = configuration([ALL_CHANNELS, OTHER], BOTH)
    kinds = {receiver["name"]: sorted(set(receiver) - {"name"}) for receiver in config["receivers"]}
    assert kinds == {
        "platform": ["slack_configs"],
        "slack-admin": ["pagerduty_configs", "slack_configs", "sns_configs"],
        "log-only": [],
        "payments/page": ["email_configs", "pagerduty_configs", "slack_configs", "webhook_configs"],
        "payments/notify": ["email_configs", "slack_configs", "webhook_configs"],
        "payments/inform": ["slack_configs"],
        "analytics/page": ["email_configs"],
        "analytics/notify": ["email_configs"],
        "analytics/inform": ["email_configs"],
    }


def test_secrets_are_files_below_one_folder() -> None:
    platform = Platform("/secrets/", mail=MAIL, mail_username="airflow")
    text = yaml.safe_dump(configuration([ALL_CHANNELS], platform))
    files = sorted({line.split()[-1] for line in text.splitlines() if "_file:" in line})
    assert files == [
        "/secrets/payments/chat/url",
        "/secrets/payments/hook/url",
        "/secrets/payments/pager/key",
        "/secrets/platform/pagerduty-routing-key",
        "/secrets/platform/slack-api-url",
        "/secrets/platform/smtp-password",
    ]


@pytest.mark.parametrize("off", [{"enabled": False}, {"alerts": {"enabled": False}}])
def test_who_switched_alerts_off_has_no_route(off: dict[str, Any]) -> None:
    silent = tenant("quiet", owner=OWNER, monitoring=off)
    assert "quiet" not in yaml.safe_dump(configuration([silent, OTHER], BOTH))


def test_the_order_of_the_tenants_does_not_matter() -> None:
    assert configuration([ALL_CHANNELS, OTHER], BOTH) == configuration([OTHER, ALL_CHANNELS], BOTH)


MANIFEST = """\
apiVersion: v1
kind: Namespace
metadata: {name: unrelated}
---
apiVersion: airflowtenants.io/v1alpha1
kind: AirflowTenant
metadata: {name: payments}
spec:
  owner: {team: pay, email: pay@example.com}
"""


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["alertmanager-config", *map(str, arguments)])
    found = capsys.readouterr()
    return code, found.out, found.err


def test_the_command_prints_what_amtool_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "tenants"
    (folder / "pay").mkdir(parents=True)
    (folder / "pay" / "tenant.yml").write_text(MANIFEST)
    (folder / "analytics.yaml").write_text(MANIFEST.replace("payments", "analytics"))
    code, out, _ = run(capsys, folder, "--smtp-smarthost", "relay:25", "--smtp-from", "a@example.com")
    assert code == 0
    config = yaml.safe_load(out)
    assert "SUCCESS" in amtool(tmp_path, config, "check-config")
    assert {"payments/page", "analytics/page"} <= {receiver["name"] for receiver in config["receivers"]}
    assert config["global"]["smtp_smarthost"] == "relay:25"


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("kind: Namespace\n", (), "no AirflowTenant in"),
        (MANIFEST.replace("team: pay", "team: a b"), (), "spec.owner.team: must be a label value"),
        (MANIFEST.replace("{name: payments}", "{}"), (), "without metadata.name"),
        (MANIFEST + "---\n" + MANIFEST, (), "tenant payments is in"),
        ("a: [", (), "while parsing"),
        (MANIFEST, ("--smtp-from", "a@example.com"), "--smtp-smarthost and --smtp-from go together"),
        (MANIFEST, ("--sns-topic", "airflow"), "--sns-topic must be arn:aws:sns:REGION:ACCOUNT:TOPIC"),
    ],
)
def test_the_command_says_what_is_wrong_and_prints_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, more: tuple[str, ...], message: str
) -> None:
    (tmp_path / "tenant.yaml").write_text(text)
    code, out, error = run(capsys, tmp_path / "tenant.yaml", *more)
    assert (code, out) == (1, "")
    assert message in error


STACK = "--kube-prometheus-stack"


def test_the_platform_s_part_is_the_same_with_and_without_the_prometheus_operator(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = run(capsys, STACK, "--slack-channel", "#oncall")
    assert code == 0
    part = yaml.safe_load(out)["alertmanager"]["config"]
    whole = configuration([ALL_CHANNELS], Platform(slack_channel="#oncall", folder="airflow-oncall"))
    assert [route for route in part["route"]["routes"] if route["receiver"] != "null"] == [
        route for route in whole["route"]["routes"] if "/" not in route["receiver"]
    ]
    assert [receiver for receiver in part["receivers"] if receiver["name"] != "null"] == [
        receiver for receiver in whole["receivers"] if "/" not in receiver["name"]
    ]
    assert [rule for rule in whole["inhibit_rules"] if rule not in part["inhibit_rules"]] == []


def test_the_platform_s_part_takes_no_tenants_and_the_rest_needs_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, error = run(capsys, STACK, tmp_path)
    assert (code, out) == (1, "")
    assert "takes no PATH" in error
    code, out, error = run(capsys)
    assert (code, out) == (1, "")
    assert f"name the tenants' manifests, or {STACK}" in error


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = run(capsys, tmp_path / "none.yaml")
    assert code == 1
    assert "none.yaml" in error
