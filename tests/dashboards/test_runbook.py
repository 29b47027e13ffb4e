"""The runbook: a section for every alert, and every command in it fits what is really there."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.airflow.environment import airflow_bin
from tests.airflow.server import AirflowServer
from tests.charts.support import render_chart
from tests.dashboards.recording.playback import Recorded

from devcluster.tools import tool
from tenant_dashboards.alerts import edge, registry, render
from tenant_dashboards.alerts.model import metric_names
from tenant_operator.core.errors import ConditionType

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
SECTIONS = {
    found[1]: found[2]
    for found in re.finditer(r"^### (\w+)\n(.*?)(?=^##|\Z)", TEXT, flags=re.MULTILINE | re.DOTALL)
}
COMMANDS = [
    line
    for block in re.findall(r"^```bash\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


def commands(program: str) -> list[str]:
    """Every command line of a program, in code blocks and in the text."""
    inline = re.findall(rf"`({program} [^`]+)`", TEXT)
    made = [line.removesuffix(" &") for line in COMMANDS if line.startswith(f"{program} ")] + inline
    return [line.replace('"$N"', "airflow-payments").replace("$T", "payments") for line in made]


def queries() -> list[str]:
    return [shlex.split(line)[1] for line in commands("ask") if line != "ask '...'"]


def paths() -> list[str]:
    return [shlex.split(line)[1] for line in commands("api")]


def test_every_alert_has_its_section_and_every_section_its_alert() -> None:
    assert list(SECTIONS) == [name for name in SECTIONS if name in {alert.name for alert in registry.ALL}]
    assert sorted(SECTIONS) == sorted(alert.name for alert in registry.ALL)
    anchors = {heading.lower() for heading in SECTIONS}
    assert {alert.anchor for alert in registry.ALL} == anchors


def test_a_section_is_found_by_the_alert_s_name_as_well() -> None:
    """Grafana has no lower case for the links of its tables: there the name is the anchor."""
    anchors = re.findall(r'^<a id="(\w+)"></a>\n\n### (\w+)$', TEXT, flags=re.MULTILINE)
    assert anchors == [(name, name) for name in SECTIONS]
    board = (ROOT / "dashboards/generated/platform/overview.json").read_text(encoding="utf-8")
    assert f"{render.RUNBOOK_URL}#${{__value.text}}" in board


@pytest.mark.parametrize("alert", registry.ALL, ids=lambda alert: alert.name)
def test_a_section_has_the_four_parts_and_commands_and_says_what_the_rule_says(alert: Any) -> None:
    section = SECTIONS[alert.name]
    assert section.strip().splitlines()[0] == render.facts(alert)
    parts = re.findall(r"^\*\*(\w+)\.\*\*", section, flags=re.MULTILINE)
    assert parts == ["Meaning", "Impact", "Diagnosis", "Mitigation"]
    assert "```bash\n" in section


def test_the_tables_of_priorities_are_those_of_the_alerts() -> None:
    assert render.priority_table() in TEXT
    assert render.alert_table() in TEXT


def test_every_prometheus_query_is_understood_by_prometheus(recorded: Recorded) -> None:
    assert len(queries()) > 70
    for query in queries():
        recorded.query(query)


def test_every_metric_is_in_the_registry() -> None:
    known = {
        metric["name"]
        for metric in json.loads((ROOT / "dashboards/generated/metrics.json").read_text())["metrics"]
    }
    known |= {name + part for name in known for part in ("_bucket", "_sum", "_count")}
    known |= {record.name for record in edge.RECORDS}
    used = {name for query in queries() for name in metric_names(query) if not name.startswith("slo")}
    assert len(used) > 40
    assert sorted(used - known) == []


def test_every_field_of_the_spec_is_in_the_crd() -> None:
    crd = yaml.safe_load((ROOT / "charts/tenant-operator/files/crd.yaml").read_text(encoding="utf-8"))
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    fields = set(re.findall(r"`(spec\.[\w.\[\]]+)", TEXT)) | set(
        re.findall(r"kubectl get aft .*?\{\.((?:spec|status)\.[\w.]+)\}", TEXT)
    )
    assert len(fields) > 25
    for field in fields:
        node = schema
        for part in field.split("."):
            node = node["properties"].get(part.removesuffix("[]"))
            assert node, f"{field}: there is no {part}"
            node = node["items"] if part.endswith("[]") else node


def test_every_condition_is_one_of_a_tenant() -> None:
    named = set(re.findall(r"[Cc]onditions? `(\w+)`", TEXT))
    assert named >= {"Ready", "MigrationsApplied", "ObjectsSynced"}
    assert named <= set(ConditionType)


def test_every_object_and_container_is_made_by_the_chart() -> None:
    source = {"name": "main", "gitSync": {"repo": "https://git.example.com/dags.git", "ref": "main"}}
    secrets = {
        "fernetKey": "a",
        "apiSecretKey": "b",
        "jwtSecret": "c",
        "postgresql": {"auth": {"password": "d"}},
    }
    chart = render_chart({**secrets, "dags": {"sources": [source]}}, release="payments")
    kinds = {"deployment": "Deployment", "statefulset": "StatefulSet", "service": "Service"}
    seen = 0
    for line in commands("kubectl"):
        for kind, name in re.findall(
            r"\b(deployment|statefulset|service)[/ ]\"?(payments-[\w-]+|\"payments\"[\w-]+)", line
        ):
            wanted = name.replace('"', "")
            workload = chart[(kinds[kind], wanted)]
            container = re.search(r" -c ([\w-]+)", line)
            if container:
                pod = workload["spec"]["template"]["spec"]
                assert container[1] in [entry["name"] for entry in pod["containers"]], line
            seen += 1
        for component in re.findall(r"app\.kubernetes\.io/component=([\w-]+)", line):
            assert any(
                kind in ("Deployment", "StatefulSet") and name == f"payments-{component}"
                for kind, name in chart.objects
            ), line
            seen += 1
    assert seen > 30


def test_kubectl_understands_every_command() -> None:
    """Without a cluster the answer is a refused connection, not a mistake in the command."""
    lines = commands("kubectl")
    assert len(lines) > 80
    for line in lines:
        if "<" in line or line == "kubectl logs --previous" or line == "kubectl describe pod":
            continue
        arguments = shlex.split(line)[1:]
        place = ["--server=http://127.0.0.1:1", "--request-timeout=1s"]
        done = subprocess.run(
            [str(tool("kubectl")), *place, *arguments], capture_output=True, text=True, timeout=20
        )
        assert "refused" in done.stderr, f"{line}: {done.stderr}"


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowServer]:
    server = AirflowServer.start(tmp_path_factory.mktemp("airflow"))
    yield server
    server.stop()


def test_airflow_answers_every_request(airflow: AirflowServer) -> None:
    credentials = {"username": airflow.username, "password": airflow.password}
    token = httpx.post(f"{airflow.url}/auth/token", json=credentials, timeout=20).json()["access_token"]
    # an Airflow without the library knows none of its DAGs
    wanted = [path for path in paths() if not re.search(r"/dags/(phase\d|platform_)", path)]
    assert len(wanted) > 20
    for path in wanted:
        answer = httpx.get(airflow.url + path, headers={"Authorization": f"Bearer {token}"}, timeout=20)
        assert answer.status_code == 200, path
    dags = {match[1] for path in paths() if (match := re.search(r"/dags/(phase\w+)/", path))}
    for dag in dags:
        phase, _, name = dag.partition("_")
        assert (ROOT / "dags" / phase / f"{name}.py").exists(), dag


def test_airflow_knows_every_command(airflow: AirflowServer) -> None:
    lines = {match[1] for line in commands("kubectl") if (match := re.search(r" -- airflow (.+)$", line))}
    assert len(lines) >= 4
    for line in lines:
        arguments = ["dags", "trigger", "--help"] if line.startswith("dags trigger") else line.split()
        done = subprocess.run(
            [str(airflow_bin() / "airflow"), *arguments],
            env=dict(airflow.environment),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{line}: {done.stderr[-800:]}"


@pytest.mark.covers("S000-33")
def test_the_method_for_a_slow_dag_has_its_steps_in_order() -> None:
    section = TEXT[TEXT.index("## A slow DAG") : TEXT.index("## Test the alerts")]
    steps = ("slow task", "log", "execution_timeout", "Profile", "SQL", "Polars", "configuration", "hardware")
    places = [section.index(step) for step in steps]
    assert places == sorted(places)
    assert (ROOT / "dags/platform/maintenance/profile_task.py").exists()


def test_links_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.+)$", TEXT, flags=re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        file, _, anchor = target.partition("#")
        assert not file or (ROOT / "docs" / file).exists(), target
        assert file or anchor in anchors, target
