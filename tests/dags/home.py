"""The Airflow in which one test process runs DAGs: its own home, its own migrated database, one bundle.

`prepare()` must run before anything imports Airflow: Airflow reads its settings from the environment, once.
"""

from __future__ import annotations

import atexit
import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "dags"
BUNDLE = "library"
_MIGRATION_DEADLINE = 180.0  # seconds


def prepare() -> Path:
    """Make the home, point Airflow's settings at it and return it; it is removed when the process ends."""
    home = Path(tempfile.mkdtemp(prefix="airflow-dags-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    bundle = home / "bundle"
    bundle.mkdir()
    for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
        del os.environ[name]
    os.environ.update(settings(home, bundle))
    sys.path.insert(0, str(LIBRARY))  # as Airflow does with a bundle's root
    shutil.copyfile(_migrated_database(), home / "airflow.db")
    return home


def settings(home: Path, bundle: Path) -> dict[str, str]:
    """AIRFLOW__SECTION__KEY variables of an Airflow in `home` with `bundle` as its one bundle."""
    local = {
        "name": BUNDLE,
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(bundle)},
    }
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(bundle),
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(b"0" * 32).decode(),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([local]),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__API__SECRET_KEY": "test" * 16,
        "AIRFLOW__API_AUTH__JWT_SECRET": "test" * 16,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        "AIRFLOW__METRICS__STATSD_ON": "False",
        "DO_NOT_TRACK": "1",
    }


def _migrated_database() -> Path:
    """A migrated sqlite database, made once in the environment's folder and copied by every process."""
    folder = Path(sys.prefix) / "migrated-database"
    complete = folder / "complete.db"
    if not complete.exists():
        folder.mkdir(exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not complete.exists():
                _migrate(folder)
                (folder / "airflow.db").rename(complete)
    return complete


def _migrate(folder: Path) -> None:
    (folder / "airflow.db").unlink(missing_ok=True)
    done = subprocess.run(
        [str(Path(sys.prefix) / "bin" / "airflow"), "db", "migrate"],
        env=os.environ | settings(folder, folder),
        capture_output=True,
        text=True,
        timeout=_MIGRATION_DEADLINE,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"airflow db migrate failed:\n{done.stderr[-3000:]}")
