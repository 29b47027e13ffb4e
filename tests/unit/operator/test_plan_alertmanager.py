"""The configuration of a whole Alertmanager: amtool takes it, and every alert reaches its people."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.operator.support import tenant
from tests.unit.operator.test_plan_alert_routes import ALL_CHANNELS, MAIL, OTHER, OWNER, PAGER, one

from devcluster.tools import tool
from tenant_operator.__main__ import main
from tenant_operator.plan.alert_platform import Platform
from tenant_operator.plan.alert_routes import Means, alertmanager_config
from tenant_operator.plan.alertmanager import configuration
from tenant_operator.plan.tenant import Tenant

BOTH = Platform(mail=MAIL, sns_topic="arn:aws:sns:eu-central-1:123456789012:airflow")


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


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = run(capsys, tmp_path / "none.yaml")
    assert code == 1
    assert "none.yaml" in error
