"""Programs of others that an image holds: built from source by devcluster, or named by the caller."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

from imagebuild.errors import BuildError


def tool(name: str) -> Path:
    """The binary. AIRFLOW_TENANTS_TOOL_<NAME> names one that exists; else devcluster builds or finds it."""
    named = os.environ.get("AIRFLOW_TENANTS_TOOL_" + name.upper().replace("-", "_"))
    if named:
        path = Path(named)
        if not path.is_file():
            raise BuildError(f"{path} is not a file (AIRFLOW_TENANTS_TOOL_...)")
        return path
    # imported late: images that hold no such program can be built without devcluster
    tools = importlib.import_module("devcluster.tools")
    found = tools.tool(name)
    if not isinstance(found, Path):
        raise BuildError(f"devcluster.tools.tool({name!r}) gave {found!r}")
    return found
