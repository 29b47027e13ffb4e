"""A real Airflow with the configuration that the tenant chart gives it."""

from __future__ import annotations

import os
import subprocess
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
import yaml
from tests.airflow.environment import airflow_bin
from tests.airflow.server import AirflowServer
from tests.charts.configurations import LOCAL
from tests.charts.support import render_chart

from tenant_operator.adapters.airflow_api import AirflowApi

#: What is about the place: an Airflow of a test lives elsewhere and has no exporter.
OF_THE_PLACE = ("DAG_BUNDLE_CONFIG_LIST", "EXECUTION_API_SERVER_URL", "STATSD_ON", "STATSD_HOST")
PREFIX = "AIRFLOW__"


def given() -> dict[str, str]:
    """The variables of the chart's ConfigMap that mean the same anywhere."""
    config = render_chart(LOCAL).config
    return {name: value for name, value in config.items() if not name.endswith(OF_THE_PLACE)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowServer]:
    """An API server with them, which shows its configuration."""
    settings = given() | {"AIRFLOW__API__EXPOSE_CONFIG": "True"}
    started = AirflowServer.start(tmp_path_factory.mktemp("chart-configuration"), settings)
    yield started
    started.stop()


def shown(server: AirflowServer) -> dict[str, dict[str, str]]:
    """Section -> option -> value, as Airflow says it."""
    sections = server.call("GET", "/api/v2/config")["sections"]
    return {
        section["name"]: {option["key"]: option["value"] for option in section["options"]}
        for section in sections
    }


def known() -> dict[str, set[str]]:
    """Section -> options of Airflow's own description; those of its providers apart."""
    [file] = airflow_bin().parent.glob("lib/python3*/site-packages/airflow/config_templates/config.yml")
    described = yaml.safe_load(file.read_text())
    return {section: set(content["options"]) for section, content in described.items()}


def test_airflow_knows_every_option_that_the_chart_sets(server: AirflowServer) -> None:
    """One that was removed, or stands under a wrong section, would be ignored without a word."""
    found, own = shown(server), known()
    for name, value in given().items():
        section, _, option = name.removeprefix(PREFIX).lower().partition("__")
        assert section == "fab" or option in own[section], name
        if name != "AIRFLOW__API__EXPOSE_CONFIG":
            assert found[section][option] == value, name


@pytest.mark.covers("S002-15")
def test_dags_begin_paused_without_examples_and_with_limits_that_are_in_force(server: AirflowServer) -> None:
    wanted = {
        "dags_are_paused_at_creation": "True",
        "load_examples": "False",
        "parallelism": "32",
        "max_active_tasks_per_dag": "16",
        "max_active_runs_per_dag": "5",
    }
    config = render_chart(LOCAL).config
    assert {key: config[f"AIRFLOW__CORE__{key.upper()}"] for key in wanted} == wanted
    core = shown(server)["core"]
    assert {key: core[key] for key in wanted} == wanted


#: A task reads the Variable partner_api_key, logs what it got, and logs a dict with a password.
LOGS = """
import airflow.settings
airflow.settings.initialize()
from airflow.sdk.log import mask_secret, redact
mask_secret("0123456789ab", "partner_api_key")
print(redact("answered to 0123456789ab"), redact({"password": "of-somebody"}))
"""


def logged(folder: Path, hide: str) -> str:
    """What is in the log with this setting."""
    own = {"AIRFLOW_HOME": str(folder), "AIRFLOW__CORE__HIDE_SENSITIVE_VAR_CONN_FIELDS": hide}
    python = [str(airflow_bin() / "python"), "-c", LOGS]
    done = subprocess.run(
        python, env={**os.environ, **own}, capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout.splitlines()[-1]


@pytest.mark.covers("S000-32")
def test_fields_with_sensitive_names_are_stars_in_a_log_by_the_chart_s_setting(tmp_path: Path) -> None:
    hide = render_chart(LOCAL).config["AIRFLOW__CORE__HIDE_SENSITIVE_VAR_CONN_FIELDS"]
    assert logged(tmp_path, hide) == "answered to *** {'password': '***'}"
    assert logged(tmp_path, "False") == "answered to 0123456789ab {'password': 'of-somebody'}"


@pytest.mark.covers("X-24")
async def test_health_is_read_from_the_body_and_each_component_has_a_probe_of_its_own(
    server: AirflowServer,
) -> None:
    """The page answers 200 while the scheduler is dead; the address of Airflow 2 is gone."""
    with pytest.raises(urllib.error.HTTPError) as gone:
        server.call("GET", "/health")
    assert gone.value.code == 404
    gone.value.close()
    page = server.call("GET", "/api/v2/monitor/health")  # an error of HTTP would be raised
    assert page["scheduler"]["status"] != "healthy"
    async with aiohttp.ClientSession() as session:
        api = AirflowApi(session, server.url, server.username, server.password)
        assert "scheduler" in (await api.health()).unhealthy
    pods = render_chart(LOCAL).pods
    probes = {}
    for component in ("api-server", "scheduler", "dag-processor", "triggerer"):
        main = pods[component].main
        for kind in ("startupProbe", "livenessProbe"):
            probe = {key: main[kind][key] for key in ("httpGet", "exec", "tcpSocket") if key in main[kind]}
            assert probe, (component, kind)
        probes[component] = str(probe)
        assert "monitor/health" not in str([main.get(f"{kind}Probe") for kind in ("readiness", "liveness")])
    assert len(set(probes.values())) == len(probes), "none is asked about another"
    assert "'/health'" not in probes["api-server"]
