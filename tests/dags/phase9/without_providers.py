"""Load a DAG file where some providers are not installed."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.dags.library import file_of

_LOAD = """
import importlib.util, json, sys

file, missing = sys.argv[1], tuple(sys.argv[2:])

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(missing):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

import airflow.sdk
from airflow.providers_manager import ProvidersManager

# Airflow itself asks each installed package what it is; afterwards it is as if they were gone
ProvidersManager().initialize_providers_configuration()
for name in [name for name in sys.modules if name.startswith(missing)]:
    del sys.modules[name]
sys.meta_path.insert(0, Missing())

dags = []
remember = airflow.sdk.DAG.__enter__

def entered(dag):
    dags.append(dag)
    return remember(dag)

airflow.sdk.DAG.__enter__ = entered
spec = importlib.util.spec_from_file_location("loaded", file)
spec.loader.exec_module(importlib.util.module_from_spec(spec))
loaded = [name for name in sys.modules if name.startswith(missing)]
print(json.dumps({"tasks": sorted(task for dag in dags for task in dag.task_ids), "loaded": loaded}))
"""


def tasks_without(dag_id: str, *providers: str) -> list[str]:
    """The task ids of the DAG when `airflow.providers.<each>` cannot be imported."""
    file = file_of(dag_id)
    missing = [f"airflow.providers.{name}" for name in providers]
    done = subprocess.run(
        [sys.executable, "-c", _LOAD, str(file), *missing],
        cwd=file.parents[1],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["loaded"] == []
    return found["tasks"]
