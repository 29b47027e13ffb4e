"""The platform's own part of an Alertmanager configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.unit.operator.test_plan_alert_routes import ALL_CHANNELS, MAIL, OTHER
from tests.unit.operator.test_plan_alertmanager import BOTH, reached, run

from tenant_dashboards.alerts import priorities
from tenant_operator.plan import alert_policy as policy
from tenant_operator.plan.alert_platform import Platform
from tenant_operator.plan.alertmanager import configuration


@pytest.mark.covers("A-21")
def test_the_channels_of_the_runbook_are_those_of_the_routes() -> None:
    receivers = {"critical": policy.PAGE, "warning": policy.NOTIFY, "info": policy.INFORM}
    [admin] = [each for each in configuration([], BOTH)["receivers"] if each["name"] == "slack-admin"]
    words = {"slack_configs": "Slack", "pagerduty_configs": "PagerDuty", "sns_configs": "SNS"}
    platform = tuple(words[key] for key in admin if key != "name")
    for name, row in priorities.PRIORITIES.items():
        assert row.team == (() if name == "P4" else policy.MATRIX[receivers[row.severity]])
        assert row.platform == (platform if row.severity == "critical" else ())


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
