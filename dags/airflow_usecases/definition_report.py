"""Look after definition files: what each defines in each of its environments, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from tenant_airflow_lib.factory import Policy


class FileReport(TypedDict):
    """One definition file: `dags` by environment ('' when it has none), `problems` as text."""

    file: str
    version: str
    dags: dict[str, list[str]]
    problems: list[str]


def check_file(path: str, policy: Policy) -> FileReport:
    """Check a definition file in every environment that it declares."""
    from tenant_airflow_lib.factory import read_definitions

    file = Path(path)
    first = read_definitions(file, policy)
    dags: dict[str, list[str]] = {}
    problems: dict[str, None] = {}
    for environment in first.environments or (None,):
        loaded = read_definitions(file, policy, environment=environment)
        dags[loaded.environment] = [definition.dag_id for definition in loaded.definitions]
        problems.update(dict.fromkeys(map(str, loaded.problems)))
    return {"file": file.name, "version": first.version or "", "dags": dags, "problems": list(problems)}


def summarise(reports: Iterable[FileReport]) -> dict[str, str]:
    """File -> its version. Raises ValueError with every problem when there is one."""
    found = list(reports)
    problems = [problem for report in found for problem in report["problems"]]
    if problems:
        raise ValueError("\n".join(problems))
    return {report["file"]: report["version"] for report in found}
