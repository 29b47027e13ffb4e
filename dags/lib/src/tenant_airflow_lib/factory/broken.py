"""How the problems of some definitions become an import error that leaves the other DAGs of the file alone.

Airflow (3.3) keeps one import error for each file, and an import error takes every DAG of its file off
the schedule (`airflow.dag_processing.collection._update_import_errors` marks them stale). So the error
must belong to another file than the Python one that also makes the good DAGs: it belongs to the
definition file. A DAG says which file it is from, and one that cannot be serialized is reported under
that file. `BrokenDefinitions` is a DAG without tasks that does both. Outside of the DAG processor (a
DagBag in a test, `airflow dags` on a laptop), where nothing is scheduled, it fails validation instead,
so that `DagBag.import_errors` has the problems, too.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from airflow.sdk import DAG

from tenant_airflow_lib.factory.problems import DefinitionError

_NO_ID = re.compile(r"[^A-Za-z0-9_.-]+")


class BrokenDefinitions(DAG):
    """Never runs and is never stored; exists to be refused with the text of `problems`."""

    def __init__(self, dag_id: str, file: Path, problems: DefinitionError) -> None:
        name = _NO_ID.sub("_", dag_id)[:200]
        super().__init__(dag_id=f"{name}__definition_errors", schedule=None, auto_register=False)
        self._problems = problems
        self._file = file
        self._ready = True

    def validate(self) -> None:
        """Called by the DagBag, when it has noted which file the DAG is from."""
        if not _in_dag_processor():
            raise self._problems
        folder = os.path.dirname(self.relative_fileloc or "")
        beside = os.path.relpath(self._file, os.path.dirname(self.fileloc))
        self.relative_fileloc = os.path.normpath(os.path.join(folder, beside))
        self.fileloc = str(self._file)

    # What the serializer (3.3.2) reads of each DAG and nothing before it does. A test names the version and
    # fails when another one does not, since this DAG would then be stored instead of refused.
    def __getattribute__(self, name: str) -> Any:
        if name == "edge_info" and "_ready" in object.__getattribute__(self, "__dict__"):
            raise object.__getattribute__(self, "_problems")
        return super().__getattribute__(name)


def _in_dag_processor() -> bool:
    """Whether a supervisor of Airflow's listens, by the test that Airflow itself uses (models/variable)."""
    return hasattr(sys.modules.get("airflow.sdk.execution_time.task_runner"), "SUPERVISOR_COMMS")
