"""A real Alertmanager with the configuration of the operator's command: who is told of what, who is not."""

from __future__ import annotations

import functools
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.airflow.server import free_port, wait_until
from tests.dashboards.receivers import Receivers
from tests.dashboards.recording.programs import Programs

from devcluster.tools import tool
from tenant_dashboards.alerts import inhibition, registry, render
from tenant_operator.plan import alert_policy

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "manifests/monitoring/alertmanager"
SNS = "arn:aws:sns:eu-central-1:123456789012:airflow-oncall"
#: Credentials for the signature of SNS' requests; nobody checks them here. Alertmanager 0.31 cannot use a CA
#: bundle of the environment ("has no WithTransportOptions").
AWS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_CA_BUNDLE": ""}


@functools.cache
def command(*options: str) -> str:
    """What `airflow-tenant-operator alertmanager-config` prints for the example's tenants."""
    program = Path(sys.executable).with_name("airflow-tenant-operator")
    done = subprocess.run(
        [str(program), "alertmanager-config", str(EXAMPLE / "tenants.yaml"), *options],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def amtool(*arguments: str) -> str:
    done = subprocess.run([str(tool("amtool")), *arguments], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def alert(name: str, tenant: str = "", **labels: str) -> dict[str, Any]:
    """The alert as the rule sends it; `tenant` empty: one of the whole installation."""
    rule = registry.by_name(name).rule(render.RUNBOOK_URL, render.GRAFANA_URL)
    about = {"tenant": tenant, "namespace": f"airflow-{tenant}", "team": tenant} if tenant else {}
    known = {**about, **labels}
    annotations = {
        key: re.sub(r"\{\{ \$(\w+)\.?(\w*).*?\}\}", lambda match: known.get(match[2], "1"), text)
        for key, text in rule["annotations"].items()
    }
    return {"labels": {"alertname": name, **rule["labels"], **about, **labels}, "annotations": annotations}


class Running:
    """A real Alertmanager with its receivers."""

    def __init__(self, folder: Path) -> None:
        self.receivers = Receivers()
        self.programs = Programs(folder)
        self.url = f"http://127.0.0.1:{free_port()}"
        self._secrets(folder / "secrets")
        config = folder / "alertmanager.yaml"
        config.write_text(self._config(folder / "secrets"), encoding="utf-8")
        amtool("check-config", str(config))
        self.programs.start(
            "alertmanager",
            [
                tool("alertmanager"),
                f"--config.file={config}",
                f"--storage.path={folder / 'data'}",
                f"--web.listen-address={self.url.removeprefix('http://')}",
                "--cluster.listen-address=",
            ],
            env=AWS,
        )
        wait_until(self._ready, 30, lambda: self.programs.log("alertmanager"))

    def send(self, *alerts: dict[str, Any]) -> None:
        httpx.post(f"{self.url}/api/v2/alerts", json=list(alerts), timeout=10).raise_for_status()

    def resolve(self, *alerts: dict[str, Any]) -> None:
        now = datetime.now(UTC)
        ended = {"startsAt": (now - timedelta(minutes=1)).isoformat(), "endsAt": now.isoformat()}
        self.send(*({**each, **ended} for each in alerts))

    def told(self, path: str, status: str = "firing") -> list[str]:
        """`alert tenant` of every message at a webhook of Alertmanager's own kind."""
        return sorted(
            f"{each['labels']['alertname']} {each['labels'].get('tenant', '-')}"
            for message in self.receivers.requests[path]
            for each in message["alerts"]
            if each["status"] == status
        )

    def stop(self) -> None:
        self.programs.stop()
        self.receivers.stop()

    def wait(self, condition: Any) -> None:
        state = lambda: f"{dict(self.receivers.requests)}\n{self.programs.log('alertmanager')}"  # noqa: E731
        wait_until(condition, 30, state)

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def _secrets(self, folder: Path) -> None:
        files = {
            "platform/slack-api-url": f"{self.receivers.url}/slack-of-platform",
            "platform/pagerduty-routing-key": "key-of-platform",
            "payments/alert-channels/slack-url": f"{self.receivers.url}/slack-of-payments",
            "payments/alert-channels/pagerduty-key": "key-of-payments",
            "analytics/alert-channels/webhook-url": f"{self.receivers.url}/webhook-of-analytics",
        }
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content, encoding="utf-8")

    def _config(self, secrets: Path) -> str:
        """The command's own configuration, with local addresses of the services and without its waits."""
        text = command(
            f"--secrets-directory={secrets}",
            f"--sns-topic={SNS}",
            f"--smtp-smarthost={self.receivers.smarthost}",
            "--smtp-from=alerts@example.com",
            "--smtp-no-tls",
        )
        config = yaml.safe_load(re.sub(r"(group_wait|group_interval): \w+", r"\1: 1s", text))
        config["global"]["pagerduty_url"] = f"{self.receivers.url}/pagerduty"
        for receiver in config["receivers"]:
            for sns in receiver.get("sns_configs", []):
                sns["api_url"] = f"{self.receivers.url}/sns"
        return yaml.safe_dump(config, sort_keys=False)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    manager = Running(tmp_path)
    yield manager
    manager.stop()


def slack(running: Running, who: str) -> list[str]:
    """Titles of the messages in a Slack channel."""
    return [message["attachments"][0]["title"] for message in running.receivers.requests[f"/slack-of-{who}"]]


def pages(running: Running, who: str) -> list[str]:
    """What PagerDuty was told with one key: `action summary`."""
    return [
        f"{page['event_action']} {page['payload']['summary']}"
        for page in running.receivers.requests["/pagerduty"]
        if page["routing_key"] == f"key-of-{who}"
    ]


@pytest.mark.covers("A-18", "A-25")
def test_a_critical_alert_reaches_its_team_and_the_platform_by_every_channel(running: Running) -> None:
    dead = alert("AirflowSchedulerHeartbeatMissing", "payments")
    summary = "The scheduler of tenant payments sends no heartbeat"
    title = "AirflowSchedulerHeartbeatMissing (payments)"
    running.send(dead)
    running.wait(lambda: pages(running, "platform") and pages(running, "payments"))
    running.wait(lambda: slack(running, "platform") and slack(running, "payments"))
    running.wait(
        lambda: running.receivers.mails["payments@example.com"] and running.receivers.requests["/sns"]
    )
    assert slack(running, "platform") == slack(running, "payments") == [f"[FIRING 1] {title}"]
    assert pages(running, "platform") == pages(running, "payments") == [f"trigger {summary}"]
    assert running.receivers.mails["payments@example.com"][0]["Subject"] == f"[FIRING 1] {title}"
    sent = running.receivers.requests["/sns"][0]
    assert (sent["TopicArn"], sent["Subject"]) == ([SNS], [summary])
    text = running.receivers.requests["/slack-of-payments"][0]["attachments"][0]["text"]
    assert f"{render.RUNBOOK_URL}#airflowschedulerheartbeatmissing|Runbook" in text
    assert f"{render.GRAFANA_URL}/d/airflow-team?var-tenant=payments|Dashboard" in text
    assert running.receivers.requests["/webhook-of-analytics"] == []

    running.resolve(dead)
    running.wait(lambda: len(slack(running, "payments")) > 1 and len(pages(running, "platform")) > 1)
    assert slack(running, "payments")[-1] == f"[RESOLVED] {title}"
    assert pages(running, "platform")[-1].startswith("resolve ")


@pytest.mark.covers("A-18", "A-21", "A-23")
def test_each_team_is_told_of_its_own_alerts_only_and_less_urgent_ones_by_fewer_channels(
    running: Running,
) -> None:
    files = alert("AirflowDagImportErrors", "payments")
    failed = alert("AirflowDagRunFailed", "payments", dag_id="settle")
    other = alert("AirflowDagImportErrors", "analytics")
    running.send(files, failed, other)
    running.wait(lambda: len(slack(running, "payments")) == 2 and running.told("/webhook-of-analytics"))
    assert sorted(slack(running, "payments")) == [
        "[FIRING 1] AirflowDagImportErrors (payments)",
        "[FIRING 1] AirflowDagRunFailed (payments)",
    ]
    assert running.told("/webhook-of-analytics") == ["AirflowDagImportErrors analytics"]
    running.wait(lambda: running.receivers.mails["payments@example.com"])
    subjects = [mail["Subject"] for mail in running.receivers.mails["payments@example.com"]]
    assert subjects == ["[FIRING 1] AirflowDagImportErrors (payments)"], "P3 is not mailed"
    assert running.receivers.requests["/pagerduty"] == []
    assert running.receivers.requests["/slack-of-platform"] == []
    running.resolve(other)
    running.wait(lambda: running.told("/webhook-of-analytics", "resolved"))
    assert running.told("/webhook-of-analytics", "resolved") == ["AirflowDagImportErrors analytics"]


def test_the_cause_is_told_and_its_consequences_are_not_of_that_tenant_only(running: Running) -> None:
    running.send(alert("AirflowMetricsMissing", "analytics"), alert("AirflowOperatorDown"))
    running.wait(lambda: running.told("/webhook-of-analytics") and slack(running, "platform"))
    running.send(
        alert("AirflowSchedulerHeartbeatMissing", "analytics"),
        alert("AirflowTasksStuckQueued", "analytics"),
        alert("AirflowTenantNotReady", "analytics"),
        alert("AirflowApiServerUnavailable", "analytics"),
        alert("AirflowSchedulerHeartbeatMissing", "payments"),
    )
    running.wait(lambda: len(running.told("/webhook-of-analytics")) > 1 and slack(running, "payments"))
    assert running.told("/webhook-of-analytics") == [
        "AirflowApiServerUnavailable analytics",
        "AirflowMetricsMissing analytics",
    ]
    assert slack(running, "payments") == ["[FIRING 1] AirflowSchedulerHeartbeatMissing (payments)"]
    silenced = httpx.get(f"{running.url}/api/v2/alerts?active=false&inhibited=true", timeout=10).json()
    assert sorted(
        each["labels"]["alertname"] for each in silenced if each["status"]["state"] == "suppressed"
    ) == [
        "AirflowSchedulerHeartbeatMissing",
        "AirflowTasksStuckQueued",
        "AirflowTenantNotReady",
    ]


def test_an_outage_of_many_tenants_is_one_page_even_without_the_operator(running: Running) -> None:
    running.send(alert("AirflowManySchedulersMissing"), alert("AirflowOperatorDown"))
    running.wait(lambda: len(slack(running, "platform")) == 2)
    running.send(*(alert("AirflowSchedulerHeartbeatMissing", name) for name in ("payments", "analytics")))
    running.send(alert("AirflowDagImportErrors", "analytics"))
    running.wait(lambda: running.told("/webhook-of-analytics"))
    assert running.told("/webhook-of-analytics") == ["AirflowDagImportErrors analytics"]
    assert slack(running, "payments") == []
    assert sorted(slack(running, "platform")) == [
        "[FIRING 1] AirflowManySchedulersMissing",
        "[FIRING 1] AirflowOperatorDown",
    ]


@pytest.mark.covers("A-23")
def test_the_drill_of_the_runbook_reaches_the_team(running: Running) -> None:
    text = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("amtool ")]
    assert [line.split()[2:4] for line in lines] == [["alert", "add"], ["config", "routes"]]
    environment = {**os.environ, "T": "payments", "N": "airflow-payments"}
    for line in lines:
        here = line.replace("amtool", shlex.quote(str(tool("amtool"))), 1)
        here = here.replace("http://localhost:9093", running.url)
        done = subprocess.run(
            ["bash", "-c", here], env=environment, capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "slack-admin,payments/page"
    running.wait(lambda: slack(running, "payments") and pages(running, "payments"))
    assert pages(running, "payments") == ["trigger A drill, no action needed"]
    assert slack(running, "payments") == ["[FIRING 1] AirflowSchedulerHeartbeatMissing (payments)"]


@pytest.mark.covers("A-25")
def test_the_example_is_what_the_readme_s_command_prints_and_amtool_accepts_it() -> None:
    readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    shown = re.search(
        r"^\$ airflow-tenant-operator alertmanager-config manifests\S+ \\\n(.*?)^ +> ", readme, re.M | re.S
    )
    assert shown
    printed = command(*shlex.split(shown[1].replace("\\\n", " ")))
    assert (EXAMPLE / "alertmanager.yaml").read_text(encoding="utf-8") == printed
    assert "SUCCESS" in amtool("check-config", str(EXAMPLE / "alertmanager.yaml"))
    for kind in ("slack_configs", "pagerduty_configs", "sns_configs", "email_configs", "webhook_configs"):
        assert kind in printed


@pytest.mark.covers("A-18", "A-21")
@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ("severity=critical priority=P0", "slack-admin"),
        ("severity=critical priority=P1 tenant=payments", "slack-admin,payments/page"),
        ("severity=warning priority=P2 tenant=payments", "payments/notify"),
        ("severity=info priority=P3 tenant=payments", "payments/inform"),
        ("severity=info priority=P4 tenant=payments", "log-only"),
        ("severity=critical priority=P1 tenant=unknown", "slack-admin"),
        ("severity=warning priority=P2 tenant=unknown", "platform"),
        ("severity=warning priority=P2 team=analytics", "analytics/notify"),
    ],
)
def test_the_routes_of_the_example(labels: str, receivers: str) -> None:
    config = f"--config.file={EXAMPLE / 'alertmanager.yaml'}"
    assert amtool("config", "routes", "test", config, *labels.split()).strip() == receivers


def test_alerts_and_operator_agree_on_what_silences_what_and_on_severities() -> None:
    assert {source: set(names) for source, names in inhibition.inhibitions().items()} == {
        source: set(names) for source, names in alert_policy.INHIBITIONS.items()
    }
    fleet = {name for name in inhibition.inhibitions() if not registry.by_name(name).link.tenant}
    assert fleet == alert_policy.FLEET_WIDE
    assert alert_policy.SAME_TENANT == inhibition.TENANT
    for each in registry.ALL:
        assert alert_policy.SEVERITIES[each.priority] == each.severity
