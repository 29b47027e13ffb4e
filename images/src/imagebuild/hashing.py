"""Content keys: what a layer is made of, as one hexadecimal text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

#: what editors, interpreters and tools leave behind in a source folder
LITTER_DIRS = frozenset(
    {"__pycache__", ".git", ".mypy_cache", ".ruff_cache", ".pytest_cache", "node_modules"}
)
LITTER_SUFFIXES = (".pyc", ".pyo", ".swp", "~", ".orig", ".rej")


def digest(*parts: object) -> str:
    """SHA-256 of the parts' representations: use plain values (text, numbers, tuples, lists) only."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(repr(part).encode() + b"\0")
    return whole.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def source_files(folder: Path) -> Iterator[Path]:
    """Every file and link below `folder` in a fixed order, without what tools leave behind."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or path.is_file():
            if not path.name.endswith(LITTER_SUFFIXES):
                yield path
        elif path.name not in LITTER_DIRS and not path.name.endswith(".egg-info"):
            yield from source_files(path)


def plain_mode(path: Path) -> int:
    """0755 or 0644 by the owner's execute bit: the checkout's umask must not reach an image."""
    return 0o755 if path.stat().st_mode & 0o100 else 0o644


def tree_key(path: Path) -> list[tuple[str, int, str]]:
    """(relative name, mode, digest or link target) of a file or of every source file of a folder."""
    if path.is_file():
        return [(path.name, plain_mode(path), file_digest(path))]
    rows = []
    for item in source_files(path):
        name = str(item.relative_to(path))
        rows.append(
            (name, 0, str(item.readlink()))
            if item.is_symlink()
            else (name, plain_mode(item), file_digest(item))
        )
    return rows
