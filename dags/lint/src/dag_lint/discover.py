"""Which files are linted: folders, `.airflowignore`, excludes, git."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

SKIPPED = {
    "__pycache__", "node_modules", "site-packages", "venv", "env", "build", "dist", ".git", ".hg", ".tox",
    ".nox", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".eggs",
}  # fmt: skip


class DiscoverError(Exception):
    """A path that does not exist, or git that does not answer."""


def find(paths: list[Path], exclude: list[str]) -> list[Path]:
    """Python files of folders (less what `.airflowignore` leaves out), and files named themselves."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            for file in _walk(path, _rules_above(path)):
                if not _excluded(file, exclude):
                    found[file] = None
        elif path.is_file():
            if path.suffix == ".py" and not _excluded(path, exclude):
                found[path] = None
        else:
            raise DiscoverError(f"{path}: no such file or directory")
    return list(found)


def _excluded(path: Path, globs: list[str]) -> bool:
    text = path.as_posix()
    return any(
        fnmatch(text, glob) or fnmatch("/" + text, "*/" + glob) or fnmatch(text, "*" + glob) for glob in globs
    )


Rules = list[tuple[Path, list[str]]]


def _rules_above(folder: Path) -> Rules:
    """`.airflowignore` files of the folders around, up to the repository's root."""
    rules: Rules = []
    for parent in folder.resolve().parents:
        lines = _read(parent)
        if lines:
            rules.append((parent, lines))
        if (parent / ".git").exists():
            break
    return rules


def _read(folder: Path) -> list[str]:
    file = folder / ".airflowignore"
    if not file.is_file():
        return []
    lines = (
        line.partition("#")[0].strip()
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines()
    )
    return [line for line in lines if line]


def _walk(folder: Path, rules: Rules) -> Iterator[Path]:
    lines = _read(folder)
    if lines:
        rules = [*rules, (folder.resolve(), lines)]
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            if (
                entry.name not in SKIPPED
                and not entry.name.startswith(".")
                and not _ignored(path, rules, folder=True)
            ):
                yield from _walk(path, rules)
        elif entry.name.endswith(".py") and entry.is_file() and not _ignored(path, rules, folder=False):
            yield path


def _ignored(path: Path, rules: Rules, *, folder: bool) -> bool:
    resolved = path.resolve()
    ignored = False
    for base, lines in rules:
        try:
            relative = resolved.relative_to(base).as_posix()
        except ValueError:
            continue
        for line in lines:
            pattern, negated = (line[1:], True) if line.startswith("!") else (line, False)
            if _matches(pattern, relative, folder=folder):
                ignored = not negated
    return ignored


def _matches(pattern: str, relative: str, *, folder: bool) -> bool:
    """Airflow 3 reads globs as in .gitignore; surely regular expressions (of Airflow 2) work too."""
    only_folder = pattern.endswith("/")
    glob = pattern.rstrip("/")
    if only_folder and not folder:
        return False
    anchored = "/" in glob
    glob = glob.lstrip("/")
    if re.fullmatch(_translate(glob), relative) or (
        not anchored and re.fullmatch(_translate(glob), relative.rpartition("/")[2])
    ):
        return True
    if re.search(r"\.\*|\\|\^|\$|\.\+", pattern):
        try:
            return re.search(pattern, relative + ("/" if folder else "")) is not None
        except re.error:
            return False
    return False


def _translate(glob: str) -> str:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    table = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(table.get(part, re.escape(part)) for part in parts)


def changed_since(ref: str, cwd: Path) -> set[Path]:
    """Files that differ from a commit, with those git does not know yet. Raises DiscoverError."""
    if ref.startswith("-"):
        raise DiscoverError(f"{ref!r} is no commit")
    top = Path(_git(["rev-parse", "--show-toplevel"], cwd).strip())
    names = _git(["diff", "--name-only", "--diff-filter=d", "-z", ref, "--"], top).split("\0")
    names += _git(["ls-files", "--others", "--exclude-standard", "-z"], top).split("\0")
    return {(top / name).resolve() for name in names if name}


def _git(arguments: list[str], cwd: Path) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    except OSError as error:
        raise DiscoverError(f"git: {error}") from error
    if done.returncode:
        raise DiscoverError(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout
