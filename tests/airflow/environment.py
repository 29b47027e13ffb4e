"""The Python environment of a real Airflow for tests: made once per lock file, shared by all checkouts.

It lives in the cache folder, named by the digest of the lock file that the Airflow image is built from,
so tests and image run the same versions.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "images" / "airflow" / "requirements.lock"
PYTHON = "3.11"
BUILD_DEADLINE = 540.0  # seconds; a cold build downloads about 250 packages


def cache_folder() -> Path:
    """Where this project keeps what may be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "airflow-tenants"


def airflow_bin(lock: Path | None = None) -> Path:
    """The `bin` folder of an environment that holds exactly what `lock` pins, made if missing.

    Safe in several processes at once. Raises RuntimeError with the installer's last lines.
    """
    source = lock or Path(os.environ.get("AIRFLOW_REQUIREMENTS_LOCK") or LOCK)
    key = hashlib.sha256(source.read_bytes() + PYTHON.encode()).hexdigest()[:12]
    venv = cache_folder() / "venvs" / f"airflow-{key}"
    complete = venv / ".complete"
    if not complete.exists():
        venv.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(venv.with_suffix(".lock")):
            if not complete.exists():
                _build(venv, source)
                complete.touch()
    return venv / "bin"


def _build(venv: Path, lock: Path) -> None:
    # Scripts in an environment hold its absolute path: it is built in place and marked when whole.
    shutil.rmtree(venv, ignore_errors=True)
    _run("uv", "venv", "--quiet", "--python", PYTHON, str(venv))
    _run(
        *("uv", "pip", "install", "--quiet", "--python", str(venv / "bin" / "python")),
        *("--compile-bytecode", "-r", str(lock)),
    )


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_DEADLINE, check=False)
    if done.returncode:
        tail = "\n".join(done.stderr.splitlines()[-15:])
        raise RuntimeError(f"{' '.join(command[:3])} failed:\n{tail}")


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock file that other processes of this machine wait for."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.stdout.write(f"{airflow_bin()}\n")
