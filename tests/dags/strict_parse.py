"""Parse the library as a strict machine would, in a process of its own; print what was found as JSON.

    python strict_parse.py LIBRARY all|core

With `core` no provider may be imported but those that Airflow itself depends on, and no package that a DAG
may only import inside a task.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import DagBag

OF_CORE = {"standard", "smtp", "common"}
HEAVY = {
    *("boto3", "botocore", "confluent_kafka", "feast", "great_expectations", "hvac", "kubernetes", "mlflow"),
    *("numpy", "openlineage", "pandas", "paramiko", "psycopg2", "scipy", "sklearn", "slack_sdk"),
}
OUTSIDE = {"socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "sqlite3.connect"}


class Refuse:
    """An importer that knows nothing of what is refused."""

    def __init__(self) -> None:
        loaded = {name.split(".")[0] for name in sys.modules}
        self.heavy = HEAVY - loaded  # what Airflow itself has imported is there

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Raise for what is refused, leave the rest to the others."""
        first, *rest = name.split(".")
        provider = rest[1] if first == "airflow" and rest[:1] == ["providers"] and len(rest) > 1 else None
        if first in self.heavy or (provider is not None and provider not in OF_CORE):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def main(library: Path, core_only: bool) -> dict[str, Any]:
    """The DAGs, the import errors and what reached outside."""
    sys.path.insert(0, str(library))
    if core_only:
        sys.meta_path.insert(0, Refuse())  # type: ignore[arg-type]
    events: list[tuple[str, str]] = []

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event in OUTSIDE:
            events.append((event, repr(arguments)[:200]))

    sys.addaudithook(watch)
    bag = DagBag(str(library), bundle_path=library, bundle_name="library", load_op_links=False)
    return {"ids": sorted(bag.dags), "errors": bag.import_errors, "events": events}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2] == "core")))  # noqa: T201
