"""Who is told of what, when tenants bring AlertmanagerConfigs and the platform has its values of the chart.

The configuration is what the real Prometheus operator makes of both.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.airflow.server import free_port, wait_until
from tests.controller.process import eventually
from tests.dashboards.monitored import MONITORING, ROOT, TENANTS, WAIT, Cluster, monitored, run
from tests.dashboards.recording.programs import Programs

from devcluster.tools import tool
from tenant_dashboards.alerts import registry
from tenant_dashboards.alerts.model import Alert

FOLDER = ROOT / "manifests" / "monitoring" / "alertmanager"
VALUES = FOLDER / "kube-prometheus-stack.yaml"
PLATFORM = "platform"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A second Alertmanager beside the first: its base is the platform's, as the chart would make it."""
    values = yaml.safe_load(VALUES.read_text())["alertmanager"]
    with monitored(tmp_path_factory.mktemp("prometheus-operator")) as made:
        base = yaml.safe_dump(values["config"])
        made.api.secret(f"alertmanager-{PLATFORM}", MONITORING, **{"alertmanager.yaml": base})
        secrets = values["alertmanagerSpec"]["secrets"]
        made.operator.make_alertmanager(MONITORING, PLATFORM, secrets=secrets)
        yield made


def written(cluster: Cluster, path: Path, name: str) -> Path:
    """The configuration of an Alertmanager, once the parts of all tenants are in."""

    def complete() -> bool:
        text = cluster.operator.routing(MONITORING, name)
        return all(f"/{tenant}-alerts/" in text for tenant in TENANTS)

    eventually(complete, WAIT)
    file = path / "alertmanager.yaml"
    file.write_text(cluster.operator.routing(MONITORING, name))
    checked = run("amtool", "check-config", str(file))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    return file


@pytest.fixture(scope="module")
def config(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(cluster, tmp_path_factory.mktemp("platform"), PLATFORM)


def receivers(config: Path, **labels: str) -> set[str]:
    """Whom an alert reaches; a tenant's are `tenant/receiver`."""
    alert = [f"{key}={value}" for key, value in labels.items()]
    done = run("amtool", "config", "routes", "test", f"--config.file={config}", *alert)
    assert done.returncode == 0, done.stderr
    found = done.stdout.strip().split(",")
    return {re.sub(r"^airflow-(\w+)/\1-alerts/", r"\1/", name) for name in found}


def of(tenant: str) -> dict[str, str]:
    return {"tenant": tenant, "namespace": f"airflow-{tenant}"}


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ({"severity": "critical", **of("payments")}, {"payments"}),
        ({"severity": "warning", **of("payments")}, {"payments"}),
        ({"severity": "critical", **of("analytics")}, {"analytics"}),
        ({"severity": "critical", **of("nobody")}, set()),
    ],
)
def test_a_tenant_s_alert_is_routed_to_its_own_receivers(
    cluster: Cluster, tmp_path: Path, labels: dict[str, str], wanted: set[str]
) -> None:
    found = receivers(written(cluster, tmp_path, "main"), alertname="AirflowSLOBurnFast", **labels)
    assert {name.split("/")[0] for name in found if "/" in name} == wanted


@pytest.mark.covers("A-18", "A-21")
@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ({"priority": "P1", "severity": "critical", **of("payments")}, {"payments/page", "slack-admin"}),
        ({"priority": "P1", "severity": "critical", **of("analytics")}, {"analytics/page", "slack-admin"}),
        ({"priority": "P2", "severity": "warning", **of("payments")}, {"payments/notify"}),
        ({"priority": "P3", "severity": "info", **of("payments")}, {"payments/inform"}),
        ({"priority": "P4", "severity": "info", **of("payments")}, {"payments/log-only", "log-only"}),
        ({"priority": "P0", "severity": "critical"}, {"slack-admin"}),
        ({"priority": "P2", "severity": "warning"}, {"platform"}),
        # without a channel of the team, or in a namespace that is not its own
        ({"priority": "P1", "severity": "critical", **of("nobody")}, {"slack-admin"}),
        ({"priority": "P2", "severity": "warning", **of("nobody")}, {"platform"}),
        (
            {"priority": "P1", "severity": "critical", "tenant": "payments", "namespace": "airflow-nobody"},
            {"slack-admin"},
        ),
    ],
)
def test_the_platform_is_told_beside_the_teams(
    config: Path, labels: dict[str, str], wanted: set[str]
) -> None:
    assert receivers(config, alertname="AirflowSomething", **labels) == wanted


@pytest.mark.covers("A-18")
@pytest.mark.parametrize("alert", registry.ALL, ids=lambda alert: alert.name)
def test_every_critical_alert_and_every_one_without_a_tenant_reaches_the_platform(
    config: Path, alert: Alert
) -> None:
    whose = of("payments") if alert.link.tenant else {}
    found = receivers(config, alertname=alert.name, severity=alert.severity, priority=alert.priority, **whose)
    assert ("slack-admin" in found) == (alert.severity == "critical")
    if alert.link.tenant:
        assert any(name.startswith("payments/") for name in found)
    else:
        assert found in ({"slack-admin"}, {"platform"})


def test_alerts_of_others_go_where_they_went_before(config: Path) -> None:
    for severity in ("none", "info", "warning", "critical"):
        assert receivers(config, alertname="KubePodCrashLooping", severity=severity) == {"null"}


@pytest.mark.covers("A-18", "A-25")
def test_the_platform_s_receivers_read_their_secrets_where_the_operator_mounts_them(config: Path) -> None:
    mounted = yaml.safe_load(VALUES.read_text())["alertmanager"]["alertmanagerSpec"]["secrets"]
    made = {receiver["name"]: receiver for receiver in yaml.safe_load(config.read_text())["receivers"]}
    admin = made["slack-admin"]
    # https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.AlertmanagerSpec
    [folder] = [f"/etc/alertmanager/secrets/{secret}" for secret in mounted]
    assert [slack["api_url_file"] for slack in admin["slack_configs"]] == [f"{folder}/slack-api-url"]
    assert [page["routing_key_file"] for page in admin["pagerduty_configs"]] == [
        f"{folder}/pagerduty-routing-key"
    ]
    assert admin["sns_configs"]
    assert made["platform"]["slack_configs"]
    readme = (FOLDER / "README.md").read_text()
    assert {f"{key}=" for key in ("slack-api-url", "pagerduty-routing-key")} <= set(
        re.findall(r"--from-literal=([\w-]+=)", readme)
    )


@pytest.mark.covers("A-18")
def test_the_file_is_what_the_readme_s_command_prints() -> None:
    readme = (FOLDER / "README.md").read_text()
    shown = re.search(
        r"^\$ airflow-tenant-operator (alertmanager-config --kube.*?)^ +> (\S+)$", readme, re.M | re.S
    )
    assert shown
    program = Path(sys.executable).with_name("airflow-tenant-operator")
    done = subprocess.run(
        [str(program), *shlex.split(shown[1].replace("\\\n", " "))],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (ROOT / shown[2]).read_text() == done.stdout


def test_a_cause_silences_every_tenant_s_consequences_and_the_chart_silences_its_own_only(
    config: Path, tmp_path: Path
) -> None:
    """The chart's InfoInhibitor would else silence P3: nothing of a namespace but info fires then."""
    programs, url = Programs(tmp_path), f"http://127.0.0.1:{free_port()}"
    programs.start(
        "alertmanager",
        [
            tool("alertmanager"),
            f"--config.file={config}",
            f"--storage.path={tmp_path / 'data'}",
            f"--web.listen-address={url.removeprefix('http://')}",
            "--cluster.listen-address=",
        ],
    )
    try:
        wait_until(lambda: ready(url), 30, lambda: programs.log("alertmanager"))
        payments, analytics = of("payments"), of("analytics")
        send(url, alertname="AirflowOperatorDown", severity="critical")
        send(url, alertname="InfoInhibitor", severity="none", namespace=payments["namespace"])
        send(url, alertname="AirflowTenantNotReady", severity="warning", **analytics)
        send(url, alertname="AirflowDagImportErrors", severity="warning", **analytics)
        send(url, alertname="AirflowDagRunFailed", severity="info", **payments)
        send(url, alertname="KubeQuotaAlmostFull", severity="info", namespace=payments["namespace"])
        wanted = {"AirflowTenantNotReady", "InfoInhibitor", "KubeQuotaAlmostFull"}
        wait_until(lambda: len(told(url)) == 6, 20, lambda: str(told(url)))
        wait_until(lambda: silenced(url) == wanted, 20, lambda: str(silenced(url)))
    finally:
        programs.stop()


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def send(url: str, **labels: str) -> None:
    httpx.post(f"{url}/api/v2/alerts", json=[{"labels": labels}], timeout=10).raise_for_status()


def told(url: str) -> list[dict[str, Any]]:
    alerts: list[dict[str, Any]] = httpx.get(f"{url}/api/v2/alerts", timeout=10).json()
    return alerts


def silenced(url: str) -> set[str]:
    return {alert["labels"]["alertname"] for alert in told(url) if alert["status"]["state"] == "suppressed"}
