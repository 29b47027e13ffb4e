"""The Python environment of a real Airflow for tests: .venv-airflow, which `make setup` makes.

It holds the versions that the Airflow image is built from, and beside them what the tests of the DAG library
need.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def cache_folder() -> Path:
    """Where this project keeps what may be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "airflow-tenants"


def airflow_bin() -> Path:
    """The `bin` folder of Airflow's environment. Raises RuntimeError when it has not been made."""
    programs = ROOT / ".venv-airflow" / "bin"
    if not (programs / "airflow").exists():
        raise RuntimeError("there is no .venv-airflow: run 'make setup'")
    return programs


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock file that other processes of this machine wait for."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
