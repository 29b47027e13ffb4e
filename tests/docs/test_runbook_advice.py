"""What the runbook says to do about the troubles that people meet most is what helps."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.airflow.environment import airflow_bin
from tests.charts.support import RELEASE, ROOT, render_chart
from tests.unit.operator.support import tenant

from tenant_operator.plan import values

TIMEOUT = "task_instance_heartbeat_timeout"


def part(alert: str, name: str) -> str:
    """A part of an alert's section, such as its Diagnosis."""
    text = (ROOT / "docs" / "runbook.md").read_text()
    section = re.split(r"^##+ ", text.partition(f"\n### {alert}\n")[2], flags=re.MULTILINE)[0]
    return re.split(r"^\*\*\w+\.\*\*", section.partition(f"**{name}.**")[2], flags=re.MULTILINE)[0]


def commands(alert: str) -> list[str]:
    [block] = re.findall(r"^```bash\n(.*?)^```", part(alert, "Diagnosis"), re.MULTILINE | re.DOTALL)
    return [line.partition("  #")[0].strip() for line in block.splitlines()]


@pytest.mark.covers("S003-35", "S001-04")
def test_the_alert_on_stuck_tasks_leads_to_workers_their_log_the_queue_and_its_broker() -> None:
    alert = "AirflowTasksStuckQueued"
    rules = [
        rule
        for file in (ROOT / "dashboards" / "generated" / "rules").glob("*.yaml")
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
        if rule.get("alert") == alert
    ]
    assert rules
    assert {rule["annotations"]["runbook_url"].rpartition("/")[2] for rule in rules} == {
        f"runbook.md#{alert.lower()}"
    }
    asked = commands(alert)
    for command in (
        'kubectl -n "$N" get pods',
        'kubectl -n "$N" logs -l kubernetes_executor=True --prefix --tail=100',
        'kubectl -n "$N" get events --field-selector reason=OOMKilling',
        "redis-cli llen default",
        "redis-cli ping",
    ):
        assert command in asked
    advice = " ".join(part(alert, "Mitigation").split())
    for remedy in ("more workers", "out of memory: `spec.airflow.workers.resources`", "must be reachable"):
        assert remedy in advice


@pytest.mark.covers("S001-03")
def test_a_file_that_is_not_importable_is_found_by_running_it_and_by_the_linter(tmp_path: Path) -> None:
    found = [line for line in commands("AirflowDagImportErrors") if line.startswith(("python ", "dag-lint "))]
    run, check = map(shlex.split, found)
    file = tmp_path / run[1]
    file.parent.mkdir()
    folders = [str(airflow_bin()), str(ROOT / ".venv" / "bin"), os.environ["PATH"]]
    own = {"PATH": os.pathsep.join(folders), "AIRFLOW_HOME": str(tmp_path / "airflow")}

    def told(command: list[str]) -> tuple[int, str]:
        done = subprocess.run(
            command, cwd=tmp_path, env={**os.environ, **own}, capture_output=True, text=True, timeout=120
        )
        return done.returncode, done.stdout + done.stderr

    line = "from airflow.operators.bash_operator import BashOperator\n"
    file.write_text(line)
    code, traceback = told(run)
    assert code == 1
    assert f'{run[1]}", line 1' in traceback
    assert "airflow.operators" in traceback.splitlines()[-1]
    code, findings = told(check)
    assert code == 1
    assert f"{run[1]}:1:" in findings
    file.write_text(
        line.replace("airflow.operators.bash_operator", "airflow.providers.standard.operators.bash")
    )
    assert told(run)[0] == 0
    assert told(check)[0] == 0


@pytest.mark.covers("S001-06")
def test_the_time_after_which_a_task_without_heartbeat_is_killed_is_told_and_may_be_changed() -> None:
    alert = "AirflowTasksWithoutHeartbeatKilled"
    option = f"AIRFLOW__SCHEDULER__{TIMEOUT.upper()}"
    [described] = (ROOT / ".venv-airflow").glob(
        "lib/python3*/site-packages/airflow/config_templates/config.yml"
    )
    default = yaml.safe_load(described.read_text())["scheduler"]["options"][TIMEOUT]["default"]
    chart = render_chart(values.build(tenant(), {}, values.Defaults()))
    told = " ".join(part(alert, "Meaning").split())
    assert f"`scheduler.{TIMEOUT}`: {chart.config[option]} seconds here, {default} in Airflow itself" in told
    assert "a longer timeout in `spec.airflow.config`" in " ".join(part(alert, "Mitigation").split())
    longer = tenant(airflow={"config": {"scheduler": {TIMEOUT: "600"}}})
    chart = render_chart(values.build(longer, {}, values.Defaults()))
    assert chart.config[option] == "600"
    name = chart.config_maps["config"]["metadata"]["name"]
    scheduler = chart[("Deployment", f"{RELEASE}-scheduler")]["spec"]["template"]["spec"]["containers"][0]
    assert {"configMapRef": {"name": name}} in scheduler["envFrom"]
