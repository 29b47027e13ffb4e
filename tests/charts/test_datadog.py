"""Metrics for a Datadog agent instead of Prometheus, sent by a real Airflow as the chart configures it."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.airflow.environment import airflow_bin
from tests.charts.configurations import LOCAL
from tests.charts.support import merged, render_chart
from tests.charts.test_network import pod, reaches

AGENT = ("datadog", {"app": "datadog-agent"})
VALUES: dict[str, Any] = merged(
    LOCAL,
    {
        "statsd": {"enabled": False},
        "config": {
            "metrics": {
                "statsd_datadog_enabled": True,
                "statsd_datadog_tags": "tenant:payments,team:payments",
                "statsd_host": "datadog-agent.datadog",
                "statsd_port": 8125,
                "statsd_influxdb_enabled": False,
                "legacy_names_on": False,
                "statsd_disabled_tags": "job_id,run_id,dagrun_id,file_path",
            }
        },
        "networkPolicies": {
            "extraEgress": [
                {
                    "to": [
                        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "datadog"}}}
                    ],
                    "ports": [{"port": 8125, "protocol": "UDP"}],
                }
            ]
        },
    },
)
#: what a scheduler does at its start (airflow/jobs/scheduler_job_runner.py), and one metric
PROGRAM = """
from airflow._shared.observability.metrics import stats
from airflow.configuration import conf
from airflow.observability.metrics import stats_utils
stats.initialize(
    factory=stats_utils.get_stats_factory(), export_legacy_names=conf.getboolean("metrics", "legacy_names_on")
)
stats.incr("ti_failures", tags={"dag_id": "settlement", "run_id": "manual__1"})
"""


@pytest.mark.covers("M-05")
def test_airflow_sends_its_metrics_to_the_agent_in_its_own_dialect(tmp_path: Path) -> None:
    chart = render_chart(VALUES)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
        agent.bind(("127.0.0.1", 0))
        agent.settimeout(20)
        (tmp_path / "airflow.cfg").write_text("# nothing\n")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AIRFLOW_HOME": str(tmp_path),
            **chart.config,
            "AIRFLOW_CONFIG": str(tmp_path / "airflow.cfg"),
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(agent.getsockname()[1]),
        }
        done = subprocess.run(
            [str(airflow_bin() / "python"), "-c", PROGRAM],
            env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "using NoStatsLogger" not in done.stdout + done.stderr
        received: list[str] = []
        while not [line for line in received if "ti_failures" in line]:
            received += agent.recv(65536).decode().splitlines()  # TimeoutError when it never comes
    name, _, rest = next(line for line in received if "ti_failures" in line).partition("|")
    assert name == "airflow.ti_failures:1"
    tags = set(rest.partition("#")[2].partition("|")[0].split(","))
    assert {"dag_id:settlement", "tenant:payments", "team:payments"} <= tags
    assert not [tag for tag in tags if tag.startswith("run_id")]


@pytest.mark.covers("M-05")
def test_no_exporter_is_run_for_it_and_the_agent_is_reached() -> None:
    chart = render_chart(VALUES)
    assert "statsd" not in chart.pods
    for component in ("scheduler", "dag-processor", "triggerer", "api-server"):
        assert reaches(chart, pod(chart, component), AGENT, 8125, "UDP")
        assert not reaches(chart, pod(chart, component), AGENT, 8125, "TCP")


@pytest.mark.covers("M-05")
def test_without_any_metrics_system_nothing_is_sent() -> None:
    chart = render_chart(merged(LOCAL, {"statsd": {"enabled": False}}))
    metrics = {key: value for key, value in chart.config.items() if "__METRICS__" in key}
    assert metrics == {"AIRFLOW__METRICS__STATSD_ON": "False"}
    assert "statsd" not in chart.pods
