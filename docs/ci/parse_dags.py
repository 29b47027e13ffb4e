"""Strict parse of a folder of DAG files, as Airflow will do it: run it in the image that the tenant runs.

    python parse_dags.py dags

Fails when a file does not import, warns of anything, takes too long, or when there is no DAG at all. Needs no
database and no connection: a file that asks for one while it is parsed fails here, and would be slow there.
"""
# ruff: noqa: T201, PLC0415 - a program for other repositories; Airflow reads its settings when it is imported

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

#: seconds for one file; the DAG processor reads all files again and again
SLOW = 10.0


def main(folder: str) -> int:
    """Parse all files below `folder`; returns the exit code: 0 clean, 1 findings, 2 no such folder."""
    path = Path(folder).resolve()
    if not path.is_dir():
        print(f"{folder} is no folder", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as home:
        os.environ["AIRFLOW_HOME"] = home  # its settings and logs, and no database
        os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "CRITICAL"
        sys.path.insert(0, str(path))  # as for a DAG bundle: shared modules lie beside the DAGs
        from airflow.dag_processing.dagbag import DagBag

        bag = DagBag(dag_folder=path, bundle_path=path, bundle_name="ci", load_op_links=False)
    findings = list(_findings(bag))
    for finding in findings:
        print(finding)
    print(f"{len(bag.dags)} DAGs in {len(bag.dagbag_stats)} files, {len(findings)} findings")
    return 1 if findings else 0


def _findings(bag: Any) -> list[str]:
    broken = [f"{file}: {error.strip()}" for file, error in bag.import_errors.items()]
    warned = [f"{file}: {text}" for file, texts in bag.captured_warnings.items() for text in texts]
    slow = [
        f"{stat.file}: takes {stat.duration.total_seconds():.1f} s to parse, more than {SLOW:.0f} s"
        for stat in bag.dagbag_stats
        if stat.duration.total_seconds() > SLOW
    ]
    empty = [] if bag.dags or broken else ["no DAG found"]
    return [*broken, *warned, *slow, *empty]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) == 2 else "dags"))
