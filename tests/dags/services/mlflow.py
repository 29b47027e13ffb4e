"""A real MLflow tracking server with model registry, in an environment of its own."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from tests.airflow.environment import cache_folder, exclusive
from tests.airflow.server import free_port, wait_until
from tests.dags.services.connections import Connect

LOCK = Path(__file__).with_name("mlflow-requirements.lock")
# no telemetry, and no eight processes that wait for jobs
_QUIET = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}
_BUILD_DEADLINE = 540.0  # seconds
_START_DEADLINE = 180.0


class MLflow:
    """`url` of the server. Experiments and models stay for the session: use names of your own."""

    def __init__(self, url: str, connect: Connect) -> None:
        self.url = url
        self._connect = connect

    def connection(self, conn_id: str = "mlflow_default") -> str:
        """Let a connection of type http point here."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        return self._connect(conn_id, "http", host=f"http://{host}", port=int(port))


@pytest.fixture(scope="session")
def mlflow_server() -> Iterator[str]:
    """The process' server; its address."""
    folder = Path(tempfile.mkdtemp(prefix="airflow-dags-mlflow-"))
    port = free_port()
    command = [
        *(str(_environment() / "bin" / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", "1", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
        *("--artifacts-destination", str(folder / "artifacts")),
    ]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=clean | _QUIET,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: _answers(url), _START_DEADLINE, (folder / "log").read_text)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def mlflow(mlflow_server: str, connect: Connect) -> MLflow:
    """A running tracking server; `mlflow.connection(conn_id)` lets a DAG use it."""
    return MLflow(mlflow_server, connect)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=5).ok
    except requests.RequestException:
        return False


def _environment() -> Path:
    """The server's virtual environment, made once per lock file and shared by all checkouts."""
    key = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    venv = cache_folder() / "venvs" / f"mlflow-{key}"
    complete = venv / ".complete"
    if not complete.exists():
        venv.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(venv.with_suffix(".lock")):
            if not complete.exists():
                shutil.rmtree(venv, ignore_errors=True)
                _run("uv", "venv", "--quiet", "--python", sys.executable, str(venv))
                python = str(venv / "bin" / "python")
                _run(
                    "uv",
                    "pip",
                    "install",
                    "--quiet",
                    "--compile-bytecode",
                    "--python",
                    python,
                    "-r",
                    str(LOCK),
                )
                complete.touch()
    return venv


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=_BUILD_DEADLINE)
