"""Where the demo keeps what it must remember: ports, the forwarder's pid, logs. Never a secret."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def state_directory(name: str) -> Path:
    """Return (and make) the folder of a named demo, below the project's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    path = Path(base) / "airflow-tenants" / "demo" / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def project_root() -> Path:
    """Return the checkout that this package is installed from."""
    return Path(__file__).resolve().parents[3]


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a file; an absent or broken file is an empty object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_json(path: Path, value: object) -> None:
    """Write a file in one step: a reader never sees half of it."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    scratch.replace(path)
