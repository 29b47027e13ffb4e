"""Stages of a release of DAGs that are more than a command: validate a checkout, smoke-test an Airflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import requests

PARSE_TIMEOUT = 120  # seconds for all files of a checkout
TIMEOUT = 10  # seconds for one request
_COMPONENTS = ("metadatabase", "scheduler", "dag_processor")

_PARSE = """
import json, sys
from pathlib import Path
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=sys.argv[1], bundle_path=Path(sys.argv[1]), bundle_name="release")
print(json.dumps({"dags": sorted(bag.dags), "errors": bag.import_errors}, default=str))
"""


class InvalidDags(ValueError):
    """DAG files that cannot be imported, or none at all."""


def parse_dags(folder: Path) -> list[str]:
    """The ids of all DAGs below a folder. Raises InvalidDags naming each file that fails, and its last line.

    The files run in a process of their own without this one's environment: code that nobody has reviewed
    yet must not see connections and keys. Raises subprocess.TimeoutExpired.
    """
    with tempfile.TemporaryDirectory() as home:
        environment = {
            "PATH": os.defpath,
            "HOME": home,
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/none.db",
            "PYTHONPATH": str(folder),
        }
        done = subprocess.run(
            [sys.executable, "-c", _PARSE, str(folder)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PARSE_TIMEOUT,
            check=False,
        )
    if done.returncode:
        raise InvalidDags(f"cannot parse: {_last_line(done.stderr)}")
    found = json.loads(done.stdout.splitlines()[-1])
    if found["errors"]:
        told = (f"{Path(file).name}: {_last_line(error)}" for file, error in sorted(found["errors"].items()))
        raise InvalidDags("; ".join(told))
    if not found["dags"]:
        raise InvalidDags("no DAGs")
    return list(found["dags"])


def smoke_problems(address: str, username: str, password: str) -> list[str]:
    """What is wrong with an Airflow: unhealthy components, DAG files that fail; empty when all is well.

    Raises requests' exceptions when it does not answer or refuses the login: then nothing is known.
    """
    with requests.Session() as session:
        login = session.post(
            f"{address}/auth/token", json={"username": username, "password": password}, timeout=TIMEOUT
        )
        login.raise_for_status()
        session.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        health = _get(session, f"{address}/api/v2/monitor/health")
        errors = _get(session, f"{address}/api/v2/importErrors")
    problems = [
        f"{component} is {state}"
        for component in _COMPONENTS
        if (state := (health.get(component) or {}).get("status")) != "healthy"
    ]
    return problems + [f"{error['filename']} is not imported" for error in errors["import_errors"]]


def _get(session: requests.Session, address: str) -> Any:
    answer = session.get(address, timeout=TIMEOUT)
    answer.raise_for_status()
    return answer.json()


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no message"
