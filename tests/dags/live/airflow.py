"""A whole Airflow over the library: scheduler, LocalExecutor, triggerer, DAG processor, API, PostgreSQL.

What `dag.test()` cannot prove (pools, priority, deadlines, DAG callbacks, assets, runs that start runs) runs
here.
"""

from __future__ import annotations

import datetime
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml
from tests.airflow.environment import airflow_bin
from tests.airflow.server import PASSWORD, USERNAME, AirflowServer, environment, free_port, http, wait_until
from tests.dags import home
from tests.dags.home import LIBRARY, ROOT
from tests.dags.services.postgres import PostgresServer

SAMPLES = ROOT / "manifests" / "tenants" / "base"
LOCAL_SETTINGS = Path(__file__).with_name("airflow_local_settings.py")
DONE = {"success", "failed"}
_COMMAND_DEADLINE = 300.0  # seconds; a busy machine takes minutes
_READY_DEADLINE = 400.0
_A_PERSON_READS = 2.0


class LiveAirflow:
    """The running Airflow. Every DAG is paused until a test triggers or unpauses it."""

    def __init__(self, folder: Path, postgres: PostgresServer, settings: Mapping[str, str]) -> None:
        self.directory = folder / "data"  # tasks find it as DAG_TEST_DIRECTORY
        self.directory.mkdir(parents=True)
        port = free_port()
        database = f"live_{uuid.uuid4().hex[:8]}"
        postgres.execute("postgres", f"CREATE DATABASE {database}")
        address = postgres.url(database).replace("postgresql://", "postgresql+psycopg2://")
        own = home.settings(folder, LIBRARY) | _QUICK | {"DAG_TEST_DIRECTORY": str(self.directory)}
        own |= {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": address} | settings
        self.server = AirflowServer(folder, f"http://127.0.0.1:{port}", environment(folder, port, own))
        self._port = port

    def start(self) -> None:
        """Migrate, create users, roles and pools, start every component, wait for the DAGs."""
        config = self.server.directory / "config"
        config.mkdir()
        shutil.copyfile(LOCAL_SETTINGS, config / LOCAL_SETTINGS.name)
        self._airflow("db", "migrate")
        self._airflow(
            *("users", "create", "--username", USERNAME, "--password", PASSWORD, "--role", "Admin"),
            *("--firstname", "Test", "--lastname", "Operator", "--email", "operator@example.com"),
        )
        self.server.run("api-server", "--host", "127.0.0.1", "--port", str(self._port), "--workers", "1")
        self.until(self._answers, _READY_DEADLINE)
        for team in _teams():
            self.call("POST", "/auth/fab/v1/roles", {"name": team, "actions": []})
        for pool in _sample_pools():
            self.call("POST", "/api/v2/pools", pool)
        for component in ("dag-processor", "scheduler", "triggerer"):
            self.server.run(component)
        files = {path for path in LIBRARY.rglob("*.py") if _may_hold_a_dag(path)}
        self.until(lambda: self._parsed_files() >= len(files), _READY_DEADLINE)

    def stop(self) -> None:
        """End every process."""
        self.server.stop()

    # what a test does

    def call(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        """One request as the administrator, or with the given token. Raises urllib.error.HTTPError."""
        if token is None:
            return self.server.call(method, path, body)
        return http(method, self.server.url + path, body, token)

    def token(self, username: str, password: str) -> str:
        """Log a FAB user in."""
        credentials = {"username": username, "password": password}
        answer = http("POST", f"{self.server.url}/auth/token", credentials)
        token: str = answer["access_token"]
        return token

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None, **body: Any) -> str:
        """Unpause the DAG and start a run; returns its id. `logical_date` defaults to now; None is none."""
        self.unpause(dag_id)
        now = datetime.datetime.now(datetime.UTC).isoformat()
        run = {"logical_date": now, "conf": dict(conf or {})} | body
        run_id: str = self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", run)["dag_run_id"]
        return run_id

    def wait(self, dag_id: str, run_id: str, seconds: float = 120) -> str:
        """The run's final state."""
        path = self._run(dag_id, run_id)

        def final() -> str | None:
            state = self.call("GET", path)["state"]
            return state if state in DONE else None

        state: str = self.until(final, seconds, lambda: f"{dag_id}: {self.states(dag_id, run_id)}")
        return state

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Every run of a DAG, oldest first."""
        path = f"/api/v2/dags/{dag_id}/dagRuns?limit=100&order_by=run_after"
        found: list[dict[str, Any]] = self.call("GET", path)["dag_runs"]
        return found

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The run's task instances as the API shows them."""
        path = f"{self._run(dag_id, run_id)}/taskInstances?limit=100"
        found: list[dict[str, Any]] = self.call("GET", path)["task_instances"]
        return found

    def states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """Task -> state; mapped ones as `task[0]`."""
        return {
            task["task_id"] if task["map_index"] < 0 else f"{task['task_id']}[{task['map_index']}]": task[
                "state"
            ]
            for task in self.tasks(dag_id, run_id)
        }

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """A value that a task pushed."""
        path = f"{self._run(dag_id, run_id)}/taskInstances/{task_id}/xcomEntries/{key}?deserialize=true"
        return self.call("GET", path)["value"]

    def asked(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        """What a task asks a person, once it is parked and waits for the answer."""
        self.until(
            lambda: self.states(dag_id, run_id).get(task_id) == "awaiting_input",
            explain=lambda: str(self.states(dag_id, run_id)),
        )
        return self.question(dag_id, run_id, task_id)

    def question(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        """What a task asks a person, and what was answered."""
        found: dict[str, Any] = self.call("GET", self._question(dag_id, run_id, task_id))
        return found

    def answer(self, dag_id: str, run_id: str, task_id: str, option: str) -> None:
        """Answer as a person does, later: while its process ends, a task may park a second time."""
        time.sleep(_A_PERSON_READS)
        body = {"chosen_options": [option], "params_input": {}}
        self.call("PATCH", self._question(dag_id, run_id, task_id), body)

    def _question(self, dag_id: str, run_id: str, task_id: str) -> str:
        return f"{self._run(dag_id, run_id)}/taskInstances/{task_id}/-1/hitlDetails"

    def pause(self, dag_id: str) -> None:
        """No new runs."""
        self.call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": True})

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run it."""
        self.call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})

    def pool(self, name: str, slots: int) -> None:
        """Create a pool, or give it that size."""
        entity = {"name": name, "slots": slots, "include_deferred": False}
        action = {"action": "create", "action_on_existence": "overwrite", "entities": [entity]}
        self.call("PATCH", "/api/v2/pools", {"actions": [action]})

    def log(self, component: str, lines: int = 60) -> str:
        """The end of a component's output."""
        return self.server.log(component, lines)

    def until(
        self, condition: Callable[[], Any], seconds: float = 120, explain: Callable[[], str] | None = None
    ) -> Any:
        """The first true value of `condition`; AssertionError with the logs after the deadline."""
        return wait_until(condition, seconds, explain or self._logs, pause=0.25)

    def _run(self, dag_id: str, run_id: str) -> str:
        return f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"

    def _logs(self) -> str:
        return "\n".join(f"--- {name}\n{self.log(name, 15)}" for name in self.server.processes)

    def _answers(self) -> bool:
        try:
            return bool(self.call("GET", "/api/v2/version"))
        except OSError:
            return False

    def _parsed_files(self) -> int:
        parsed: set[str] = set()
        total, offset = 1, 0
        while offset < total:
            page = self.call("GET", f"/api/v2/dags?limit=100&offset={offset}&exclude_stale=false")
            parsed |= {dag["relative_fileloc"] for dag in page["dags"]}
            total, offset = page["total_entries"], offset + 100
        broken = self.call("GET", "/api/v2/importErrors?limit=100")["import_errors"]
        return len(parsed | {error["filename"] for error in broken})

    def _airflow(self, *arguments: str) -> None:
        done = subprocess.run(
            [str(airflow_bin() / "airflow"), *arguments],
            env=dict(self.server.environment),
            cwd=self.server.directory,
            capture_output=True,
            text=True,
            timeout=_COMMAND_DEADLINE,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"airflow {' '.join(arguments[:2])} failed:\n{done.stderr[-3000:]}")


_QUICK = {
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__PARALLELISM": "8",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "2",
    # the library does not change while the tests run: read it once
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "3600",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    # a machine that stands still for half a minute has no dead scheduler: another would start its tasks again
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "120",
}


def _teams() -> list[str]:
    tenants = [yaml.safe_load(path.read_text()) for path in sorted(SAMPLES.glob("*/tenant.yaml"))]
    return [tenant["spec"]["owner"]["team"] for tenant in tenants if tenant.get("kind") == "AirflowTenant"]


def _sample_pools() -> list[dict[str, Any]]:
    pools: dict[str, dict[str, Any]] = {}
    for path in sorted(SAMPLES.glob("*/tenant.yaml")):
        tenant = yaml.safe_load(path.read_text())
        for pool in tenant.get("spec", {}).get("pools", []):
            body = {"name": pool["name"], "slots": pool["slots"], "description": pool.get("description", "")}
            pools[pool["name"]] = body | {"include_deferred": pool.get("includeDeferred", False)}
    return list(pools.values())


def _may_hold_a_dag(path: Path) -> bool:
    if path.relative_to(LIBRARY).parts[0] in ("airflow_usecases", "lib", "lint"):
        return False
    text = path.read_text().lower()
    return "dag" in text and "airflow" in text
