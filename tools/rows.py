"""Count the catalogue's rows that a passing test proves.

A test claims rows by ``@pytest.mark.covers("ID", ...)``. The plugin ``tools/pytest_covers.py`` writes what
each run showed into ``.rows/``; this program reads those files and prints ``UNCOVERED <id>`` a line, then
``rows: N of M proven``.

A test function counts when every case of it passed the last time it ran, when it still exists, and when it
still names the row: results of deleted or rewritten tests prove nothing.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = Path(__file__).resolve().parent / "catalogue-ids.txt"
KEPT_RUNS = 100


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One case of one run: its outcome (``passed``, ``failed`` or ``skipped``) and the rows it claims."""

    outcome: str
    ids: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """What one run showed: cases by node id; ``partial`` names functions of which only some cases ran."""

    cases: Mapping[str, Case]
    partial: frozenset[str]


def load_catalogue(path: Path = CATALOGUE) -> list[str]:
    """Return the row ids in the catalogue's order. Raises ValueError when one is listed twice."""
    ids = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    doubles = sorted({i for i in ids if ids.count(i) > 1})
    if doubles:
        raise ValueError(f"{path} lists twice: {', '.join(doubles)}")
    return ids


def function_of(node_id: str) -> str:
    """Return the node id of the function a case belongs to (``a.py::test[x]`` -> ``a.py::test``)."""
    path, _, name = node_id.partition("::")
    return f"{path}::{name.partition('[')[0]}"


def write_run(directory: Path, name: str, run: Run) -> Path:
    """Write one run as ``<name>.json``, atomically: readers see all of it or nothing."""
    directory.mkdir(parents=True, exist_ok=True)
    body = {
        "cases": {node: {"outcome": case.outcome, "ids": list(case.ids)} for node, case in run.cases.items()},
        "partial": sorted(run.partial),
    }
    target = directory / f"{name}.json"
    scratch = target.with_suffix(".tmp")
    scratch.write_text(json.dumps(body, indent=0, sort_keys=True), encoding="utf-8")
    scratch.replace(target)
    return target


def compact(directory: Path, keep: int = KEPT_RUNS) -> None:
    """Fold the oldest runs into one file: the folder stays small and nothing is forgotten."""
    files = sorted(directory.glob("*.json"))
    if len(files) <= keep:
        return
    old = files[: len(files) - keep + 1]
    functions = merge(_read_run(path) for path in old)
    cases = {node: case for group in functions.values() for node, case in group.items()}
    write_run(directory, old[-1].stem, Run(cases=cases, partial=frozenset()))
    for path in old[:-1]:
        path.unlink(missing_ok=True)


def read_runs(directory: Path) -> list[Run]:
    """Return the runs, oldest first (file names sort by time)."""
    return [_read_run(path) for path in sorted(directory.glob("*.json"))]


def _read_run(path: Path) -> Run:
    body = json.loads(path.read_text(encoding="utf-8"))
    cases = {
        node: Case(outcome=case["outcome"], ids=tuple(case["ids"])) for node, case in body["cases"].items()
    }
    return Run(cases=cases, partial=frozenset(body["partial"]))


def merge(runs: Iterable[Run]) -> dict[str, dict[str, Case]]:
    """Fold the runs, oldest first, into the last known cases of each function."""
    functions: dict[str, dict[str, Case]] = {}
    for run in runs:
        seen: dict[str, dict[str, Case]] = {}
        for node, case in run.cases.items():
            seen.setdefault(function_of(node), {})[node] = case
        for function, cases in seen.items():
            if function in run.partial:
                functions.setdefault(function, {}).update(cases)
            else:
                functions[function] = cases
    return functions


class Sources:
    """What the test files hold today: the functions they define and the text in which rows are named."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[str, tuple[frozenset[str], frozenset[str]]] = {}

    def defines(self, function: str) -> bool:
        """Say whether ``path::Class::test`` still exists."""
        path, _, name = function.partition("::")
        return name in self._read(path)[0]

    def names(self, function: str, row: str) -> bool:
        """Say whether the file of ``function`` still holds the string literal ``row``."""
        return row in self._read(function.partition("::")[0])[1]

    def _read(self, path: str) -> tuple[frozenset[str], frozenset[str]]:
        if path not in self._files:
            file = self._root / path
            tree = ast.parse(file.read_text(encoding="utf-8")) if file.is_file() else ast.Module([], [])
            strings = {
                n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)
            }
            self._files[path] = (frozenset(_definitions(tree)), frozenset(strings))
        return self._files[path]


def _definitions(node: ast.AST, prefix: str = "") -> Iterable[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + child.name
        elif isinstance(child, ast.ClassDef):
            yield from _definitions(child, f"{prefix}{child.name}::")


def proven(functions: Mapping[str, Mapping[str, Case]], sources: Sources) -> set[str]:
    """Return the rows that at least one wholly passing, still existing test function claims."""
    rows: set[str] = set()
    for function, cases in functions.items():
        if not sources.defines(function) or any(case.outcome != "passed" for case in cases.values()):
            continue
        claimed = {row for case in cases.values() for row in case.ids}
        rows.update(row for row in claimed if sources.names(function, row))
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Print the uncovered rows and the count; the exit code is 1 only below ``--at-least``."""
    parser = argparse.ArgumentParser(description="Count the catalogue's rows that a passing test proves.")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository")
    parser.add_argument("--catalogue", type=Path, default=CATALOGUE)
    parser.add_argument("--quiet", action="store_true", help="print only the count")
    parser.add_argument("--at-least", type=int, default=0, metavar="N", help="fail when fewer are proven")
    arguments = parser.parse_args(argv)
    catalogue = load_catalogue(arguments.catalogue)
    rows = proven(merge(read_runs(arguments.root / ".rows")), Sources(arguments.root))
    if not arguments.quiet:
        for row in catalogue:
            if row not in rows:
                print(f"UNCOVERED {row}")
    count = sum(row in rows for row in catalogue)
    print(f"rows: {count} of {len(catalogue)} proven")
    return 1 if count < arguments.at_least else 0


if __name__ == "__main__":
    sys.exit(main())
