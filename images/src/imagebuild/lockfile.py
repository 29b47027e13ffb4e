"""Requirement files: the runtime closure of the operator out of the workspace's lock, with its hashes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from imagebuild import process
from imagebuild.errors import BuildError
from imagebuild.hashing import digest
from imagebuild.settings import Settings
from imagebuild.venv import find_uv, index_environment

_NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)")


def normal(name: str) -> str:
    """A distribution's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def blocks(lock: str) -> dict[str, str]:
    """Name -> its requirement with the lines of hashes that belong to it."""
    found: dict[str, str] = {}
    current = ""
    for line in lock.splitlines():
        match = _NAME.match(line)
        if match:
            current = normal(match.group(1))
            found[current] = line + "\n"
        elif current and line.startswith(" ") and not line.lstrip().startswith("#"):
            found[current] += line + "\n"
    return {name: text.rstrip().removesuffix("\\").rstrip() + "\n" for name, text in found.items()}


def pins(lock: str) -> str:
    """The lock as plain `name==version` lines: what a constraint file may say."""
    return "".join(
        f"{match.group(1)}=={match.group(2)}\n" for line in lock.splitlines() if (match := _NAME.match(line))
    )


def dependencies(pyproject: Path) -> list[str]:
    """`project.dependencies` of a pyproject.toml."""
    found = tomllib.loads(pyproject.read_text())["project"].get("dependencies", [])
    return [str(item) for item in found]


def closure(settings: Settings, pyproject: Path, lock: Path) -> Path:
    """A requirement file with hashes: what `pyproject` needs at run time, at the versions of `lock`.

    Kept in the cache by the content of both, so that only a change of either asks the index.
    """
    wanted, text = dependencies(pyproject), lock.read_text()
    key = digest(1, wanted, text)[:16]
    result = settings.folder("locks") / f"{pyproject.parent.name}-{key}.txt"
    if result.exists():
        return result
    source, constraints = result.with_suffix(".in"), result.with_suffix(".constraints")
    source.write_text("\n".join(wanted) + "\n")
    constraints.write_text(pins(text))
    resolved = process.output(
        [
            find_uv(),
            "pip",
            "compile",
            "-q",
            "--no-header",
            "--no-annotate",
            "--python-version",
            "3.11",
            "--python-platform",
            "x86_64-manylinux_2_28",
            "-c",
            constraints,
            source,
        ],
        env=process.environment(**index_environment()),
    )
    known = blocks(text)
    names = [normal(match.group(1)) for line in resolved.splitlines() if (match := _NAME.match(line))]
    absent = [name for name in names if name not in known]
    if absent:
        raise BuildError(
            f"{lock.name} does not hold {', '.join(absent)}, which {pyproject} needs: make the lock anew"
        )
    result.write_text("".join(known[name] for name in sorted(names)))
    return result
