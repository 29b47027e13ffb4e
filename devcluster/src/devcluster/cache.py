"""Where everything lives, and how several processes share it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from devcluster.errors import DevclusterError


def cache_root() -> Path:
    """Return the project's cache directory; it follows XDG_CACHE_HOME."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base).resolve() / "airflow-tenants"


def binaries() -> Path:
    """Return the directory of built binaries, one folder per recipe and key."""
    return cache_root() / "bin"


def clusters() -> Path:
    """Return the directory of cluster state, one folder per cluster name."""
    return cache_root() / "clusters"


@contextlib.contextmanager
def locked(path: Path, *, seconds: float, waiting_for: str) -> Iterator[None]:
    """Hold an exclusive lock on a file; raise DevclusterError when another process keeps it too long.

    The lock ends with the process that holds it, however that process ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + seconds
    with path.open("a") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise DevclusterError(
                        f"Another process has been busy with {waiting_for} for {seconds:.0f} s (lock {path})."
                    ) from None
                time.sleep(0.1)
        yield


def write_atomically(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Replace a file's content in one step, so that no reader ever sees half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(text)
    temporary.replace(path)
