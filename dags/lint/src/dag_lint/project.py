"""What rules over the whole repository get to see."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dag_lint.config import Config
from dag_lint.findings import Finding, Severity


@dataclass(frozen=True)
class DagFact:
    """A DAG id with its place."""

    dag_id: str
    line: int
    col: int
    end_line: int


@dataclass
class Facts:
    """What one file tells about the repository."""

    path: str
    dags: list[DagFact] = field(default_factory=list)
    dag_ids: bool = False
    imports: dict[str, int] = field(default_factory=dict)
    guarded: set[str] = field(default_factory=set)
    is_dag_file: bool = False


@dataclass
class Project:
    """All files of a run. Paths of facts are relative to `base`; `root` is the repository."""

    config: Config
    facts: list[Facts]
    base: Path
    root: Path

    def finding(
        self, path: str, line: int, message: str, *, severity: Severity = Severity.WARNING
    ) -> Finding:
        """A finding in any file of the repository."""
        return Finding(path, line, 1, line, "", severity, message)

    def relative(self, path: Path) -> str:
        """A path as reports show it."""
        try:
            return path.resolve().relative_to(self.base.resolve()).as_posix()
        except ValueError:
            return path.as_posix()
