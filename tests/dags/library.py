"""The library's DAGs as objects: parsed once per process, or anew for a test that changes them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from tests.dags.home import LIBRARY

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import DAG


def parse(folder: Path, root: Path | None = None) -> DagBag:
    """A DagBag of every DAG file in `folder` (or of one file); `root` is the bundle's root."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(
        dag_folder=str(folder), bundle_path=root or folder, bundle_name="library", load_op_links=False
    )


@functools.cache
def bag() -> DagBag:
    """The whole library. Do not change its DAGs: use `fresh` for that."""
    return parse(LIBRARY)


def file_of(dag_id: str) -> Path:
    """The file that defines `dag_id`. Raises KeyError with the import errors when there is none."""
    found = bag().dags.get(dag_id)
    if found is None:
        raise KeyError(f"no DAG {dag_id!r} in the library; import errors: {bag().import_errors}")
    return Path(found.fileloc)


def fresh(dag_id: str) -> DAG:
    """A newly parsed copy of a DAG, for a test that changes it."""
    dag: DAG = parse(file_of(dag_id), LIBRARY).dags[dag_id]
    return dag
