"""A real Airflow API server for tests: real processes, FAB users, its own database, a free port.

    server = AirflowServer.start(directory)
    server.url, server.username, server.password
    server.stop()

The first start in a checkout makes an empty database (about ten seconds); later starts copy that database
and take about five seconds.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.airflow.environment import airflow_bin, exclusive

USERNAME = "operator"
PASSWORD = "operator-password"
START_DEADLINE = 120.0
#: Airflow's components that have heartbeats, as its job table calls them.
JOBS = ("SchedulerJob", "DagProcessorJob", "TriggererJob")
_FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"


@dataclass
class AirflowServer:
    """An API server and, on request, Airflow's other components beside it."""

    directory: Path
    url: str
    environment: Mapping[str, str]
    username: str = USERNAME
    password: str = PASSWORD
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @classmethod
    def start(cls, directory: Path, settings: Mapping[str, str] | None = None) -> AirflowServer:
        """Start and wait until it answers. `settings` are further AIRFLOW__SECTION__KEY variables."""
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_empty_database(), directory / "airflow.db")
        port = free_port()
        server = cls(directory, f"http://127.0.0.1:{port}", environment(directory, port, settings or {}))
        server.run("api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1")
        try:
            wait_until(lambda: _answers(server.url), START_DEADLINE, lambda: server.log("api-server"))
        except BaseException:
            server.stop()
            raise
        return server

    def run(self, component: str, *arguments: str) -> None:
        """Start one of Airflow's components in the background; its output goes to <component>.log."""
        with (self.directory / f"{component}.log").open("ab") as log:
            self.processes[component] = subprocess.Popen(
                [str(airflow_bin() / "airflow"), component, *arguments],
                env=dict(self.environment),
                cwd=self.directory,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def log(self, component: str, lines: int = 40) -> str:
        """The end of a component's output."""
        text = (self.directory / f"{component}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def heartbeat(self, *jobs: str, at: datetime | None = None) -> None:
        """As if these had their last heartbeat `at` a time (left out: always a moment ago) and were running.

        Jobs are called as Airflow calls them: SchedulerJob, DagProcessorJob, TriggererJob. Only for servers
        whose components do not run.
        """
        # A heartbeat that lies ahead is never too old.
        stamp = (at or datetime(2100, 1, 1, tzinfo=UTC)).strftime("%Y-%m-%d %H:%M:%S.%f")
        with contextlib.closing(sqlite3.connect(self.directory / "airflow.db", timeout=30)) as database:
            for job in jobs:
                database.execute("DELETE FROM job WHERE job_type = ?", (job,))
                database.execute(
                    "INSERT INTO job (job_type, state, latest_heartbeat) VALUES (?, 'running', ?)",
                    (job, stamp),
                )
            database.commit()

    def parsed(self, bundle: str, commit: str) -> None:
        """As if the DAG processor had just parsed one DAG of a bundle at this commit.

        Only for servers whose components do not run.
        """
        stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        row = {
            "dag_id": bundle,
            "bundle_name": bundle,
            "bundle_version": commit,
            "last_parsed_time": stamp,
            "is_paused": 0,
            "is_stale": 0,
            "timetable_type": "NullTimetable",
            "partition_mapper_info": "{}",
            "max_active_tasks": 16,
            "max_active_runs": 16,
            "max_consecutive_failed_dag_runs": 0,
            "has_task_concurrency_limits": 0,
            "fileloc": "/dags/dag.py",
            "relative_fileloc": "dag.py",
            "owners": "team",
        }
        with contextlib.closing(sqlite3.connect(self.directory / "airflow.db", timeout=30)) as database:
            database.execute("INSERT OR IGNORE INTO dag_bundle (name, active) VALUES (?, 1)", (bundle,))
            columns, marks = ", ".join(row), ", ".join("?" * len(row))
            database.execute(
                f"INSERT OR REPLACE INTO dag ({columns}) VALUES ({marks})",  # noqa: S608 - names of our own
                tuple(row.values()),
            )
            database.commit()

    def stop(self) -> None:
        """End every process that was started here."""
        for process in self.processes.values():
            _end(process)
        self.processes.clear()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request as the administrator, for what a test wants to do behind the operator's back."""
        if not getattr(self, "_token", ""):
            credentials = {"username": self.username, "password": self.password}
            self._token = http("POST", f"{self.url}/auth/token", credentials)["access_token"]
        return http(method, self.url + path, body, self._token)


def environment(directory: Path, port: int, settings: Mapping[str, str]) -> dict[str, str]:
    """The variables of an Airflow that lives in `directory`; nothing of the caller's Airflow gets in."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "PYTHON"))}
    return inherited | {
        "PATH": f"{airflow_bin()}{os.pathsep}{os.environ['PATH']}",
        "AIRFLOW_HOME": str(directory),
        "AIRFLOW__CORE__AUTH_MANAGER": _FAB,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(b"0" * 32).decode(),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{directory / 'airflow.db'}",
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__SECRET_KEY": "test" * 16,
        "AIRFLOW__API_AUTH__JWT_SECRET": "test" * 16,
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        **settings,
    }


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until(
    condition: Callable[[], Any], seconds: float, explain: Callable[[], str] = str, pause: float = 0.2
) -> Any:
    """The first true value of `condition`; AssertionError with `explain()` after the deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(pause)
    raise AssertionError(f"not reached in {seconds:g} s:\n{explain()}")


def _empty_database() -> Path:
    """A migrated sqlite database with the administrator in it, made once beside the environment."""
    folder = airflow_bin().parent / "empty-database"
    complete = folder / "complete.db"
    if not complete.exists():
        with exclusive(folder.with_suffix(".lock")):
            if not complete.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                _airflow(folder, "db", "migrate")
                _airflow(
                    folder,
                    *("users", "create", "--username", USERNAME, "--password", PASSWORD, "--role", "Admin"),
                    *("--firstname", "Test", "--lastname", "Operator", "--email", "operator@example.com"),
                )
                (folder / "airflow.db").rename(complete)
    return complete


def _airflow(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [str(airflow_bin() / "airflow"), *arguments],
        env=environment(folder, 1, {}),
        capture_output=True,
        text=True,
        timeout=START_DEADLINE,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"airflow {arguments[0]} {arguments[1]} failed:\n{done.stderr[-2000:]}")


def _answers(url: str) -> bool:
    try:
        return bool(http("GET", f"{url}/api/v2/version"))
    except OSError:
        return False


def http(method: str, url: str, body: Any = None, token: str = "") -> Any:
    """One JSON request and its JSON answer. Raises urllib.error.HTTPError."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - our own address
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - our own address
        text = response.read()
    return json.loads(text) if text else None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process' own group to end, and insist after ten seconds."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(10)
        except ProcessLookupError:
            process.wait(10)
            return
        except subprocess.TimeoutExpired:
            continue
        else:
            return
