"""A tenant's Airflow: every component a real process, metrics set as the tenant's chart renders them."""

from __future__ import annotations

import datetime
import json
import os
import random
import shutil
import signal
import subprocess
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from tests.airflow.environment import airflow_bin
from tests.airflow.server import PASSWORD, USERNAME, AirflowServer, environment, free_port, wait_until
from tests.charts.support import TENANT_CHART, template
from tests.dashboards.recording.programs import GitRepository, Postgres, Programs, statsd_exporter

MAPPING = TENANT_CHART / "files" / "statsd_mapping.yaml"
LINT_VALUES = Path(__file__).resolve().parents[2] / "charts" / "lint-values.yaml"
_COMMAND_SECONDS = 240.0
_READY_SECONDS = 300.0
_FAST = {
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
    "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "5",
    # tasks that died are found within the recording, and gauges of states are sent more than once a minute
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__TI_METRICS_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__DAGRUN_METRICS_INTERVAL": "5",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
}


def metrics_settings(port: int) -> dict[str, str]:
    """AIRFLOW__METRICS__* as the chart renders them, sent to an exporter on this machine instead."""
    done = template(TENANT_CHART, yaml.safe_load(LINT_VALUES.read_text()))
    if done.returncode:
        raise RuntimeError(done.stderr)
    maps = [obj for obj in yaml.safe_load_all(done.stdout) if obj and obj["kind"] == "ConfigMap"]
    rendered = {
        key: value
        for obj in maps
        for key, value in obj["data"].items()
        if key.startswith("AIRFLOW__METRICS__")
    }
    if not rendered:
        raise RuntimeError("the chart renders no settings of metrics")
    here = {"AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1", "AIRFLOW__METRICS__STATSD_PORT": str(port)}
    disabled = {"AIRFLOW__METRICS__STATSD_DISABLED_TAGS": "job_id,run_id,dagrun_id,file_path"}
    return rendered | here | disabled


class TenantAirflow:
    """Scheduler with LocalExecutor, triggerer, DAG processor and API server over a checkout of git-sync."""

    def __init__(
        self,
        programs: Programs,
        tenant: str,
        repository: GitRepository,
        postgres: Postgres,
        *,
        parallelism: int,
        more: Mapping[str, str] | None = None,
    ) -> None:
        self.tenant = tenant
        self.folder = programs.folder / f"airflow-{tenant}"
        self.folder.mkdir()
        self.postgres = postgres
        postgres.execute("CREATE DATABASE airflow")
        udp, self.statsd = statsd_exporter(programs, tenant, MAPPING)
        self.port = free_port()
        bundle = {
            "name": "main",
            "classpath": "tenant_bundles.GitSyncDagBundle",  # as the chart has it
            "kwargs": {"root": str(repository.checkout), "refresh_interval": 5},
        }
        (self.folder / "config").mkdir()
        shutil.copy(TENANT_CHART / "files" / "tenant_bundles.py", self.folder / "config")
        own = {
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://postgres@127.0.0.1:{postgres.port}/airflow",
            "AIRFLOW__CORE__PARALLELISM": str(parallelism),
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.folder / "logs"),
            "DO_NOT_TRACK": "1",
        }
        settings = own | _FAST | metrics_settings(udp) | dict(more or {})
        self.server = AirflowServer(
            self.folder, f"http://127.0.0.1:{self.port}", environment(self.folder, self.port, settings)
        )

    def prepare(self) -> None:
        """Migrate the database and make the operator's user; nothing runs yet."""
        self._airflow("db", "migrate")
        self._airflow(
            *("users", "create", "--username", USERNAME, "--password", PASSWORD, "--role", "Admin"),
            *("--firstname", "Platform", "--lastname", "Operator", "--email", "operator@example.com"),
        )

    def start(self, dags: int) -> None:
        """Start every component, wait for so many DAGs."""
        self.server.run("api-server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1")
        wait_until(self._answers, _READY_SECONDS, lambda: self.server.log("api-server"), pause=1)
        for component in ("dag-processor", "scheduler", "triggerer"):
            self.server.run(component)
        wait_until(lambda: len(self.dags()) >= dags, _READY_SECONDS, self._explain, pause=2)

    def stop(self) -> None:
        """End every process."""
        self.server.stop()

    def kill_scheduler(self) -> None:
        """SIGKILL to the scheduler and its tasks, as on a node that loses power."""
        process = self.server.processes.pop("scheduler")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request as the administrator."""
        return self.server.call(method, path, body)

    def dags(self) -> list[str]:
        """Ids of the DAGs that were parsed."""
        return [dag["dag_id"] for dag in self.call("GET", "/api/v2/dags?limit=100")["dags"]]

    def unpause(self, *dags: str) -> None:
        """Let the scheduler run them."""
        for dag in dags:
            self.call("PATCH", f"/api/v2/dags/{dag}", {"is_paused": False})

    def trigger(self, dag: str, **conf: Any) -> None:
        """Start a run, the DAG unpaused; one that cannot be started (a run is under way) is left out."""
        now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(microseconds=random.randrange(10**6))  # noqa: S311
        try:
            self.unpause(dag)
            body = {"logical_date": now.isoformat(), "conf": conf}
            self.call("POST", f"/api/v2/dags/{dag}/dagRuns", body)
        except urllib.error.HTTPError as error:
            print(f"{self.tenant}: {dag}: {error} {error.read()[:300]!r}", flush=True)  # noqa: T201

    def pool(self, name: str, slots: int) -> None:
        """Resize a pool as a person in the UI does it."""
        body = {"pool": name, "slots": slots, "include_deferred": False}
        self.call("PATCH", f"/api/v2/pools/{name}?update_mask=slots", body)

    def _answers(self) -> bool:
        try:
            return bool(self.call("GET", "/api/v2/version"))
        except OSError:
            return False

    def _explain(self) -> str:
        errors = self.call("GET", "/api/v2/importErrors?limit=20")["import_errors"]
        logs = "\n".join(self.server.log(name, 10) for name in self.server.processes)
        return f"{self.dags()}\n{json.dumps(errors)[:3000]}\n{logs}"

    def _airflow(self, *arguments: str) -> None:
        done = subprocess.run(
            [str(airflow_bin() / "airflow"), *arguments],
            env=dict(self.server.environment), cwd=self.folder, capture_output=True, text=True,
            timeout=_COMMAND_SECONDS, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"airflow {' '.join(arguments[:2])} failed:\n{done.stderr[-3000:]}")
