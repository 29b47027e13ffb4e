"""Builds recipes with ``go build`` and keeps the result by content."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from devcluster import cache, prerequisites
from devcluster.console import Console
from devcluster.errors import BuildFailedError
from devcluster.recipes import Recipe

_BUILD_SECONDS = 3600
_TAIL_LINES = 15


def environment(recipe: Recipe) -> dict[str, str]:
    """Return the environment of ``go``: the user's, but for what would change the result."""
    fixed = {"CGO_ENABLED": "1" if recipe.cgo else "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}
    return {**os.environ, **fixed}


def key(recipe: Recipe) -> str:
    """Return the 12 hex digits that name a result: pins, our sources, flags and the Go version."""
    go = prerequisites.require_go()
    version = subprocess.run(
        [go, "version"],
        cwd=recipe.directory,
        env=environment(recipe),
        capture_output=True,
        text=True,
        timeout=300,
    )
    if version.returncode != 0:
        raise BuildFailedError(f"`go version` failed in {recipe.directory}: {version.stderr.strip()}")
    digest = hashlib.sha256()
    parts = [version.stdout, str(recipe.cgo), *recipe.packages, *recipe.build_flags()]
    digest.update("\0".join(parts).encode())
    for path in _inputs(recipe):
        digest.update(f"\0{path.relative_to(recipe.directory)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _inputs(recipe: Recipe) -> list[Path]:
    paths = [recipe.directory / "go.mod", recipe.directory / "go.sum"]
    for source in recipe.sources:
        place = recipe.directory / source
        paths += sorted(place.rglob("*.go")) if place.is_dir() else [place]
    return [path for path in paths if not path.name.endswith("_test.go")]


def destination(recipe: Recipe) -> Path:
    """Return the folder that holds, or will hold, what the recipe makes."""
    return cache.binaries() / f"{recipe.name}-{key(recipe)}"


def artefact(recipe: Recipe, folder: Path) -> Path:
    """Return the binary (or the folder of binaries) inside the recipe's result."""
    return folder if recipe.folder else folder / recipe.name


def built(recipe: Recipe) -> Path | None:
    """Return what was built earlier, if it is there."""
    path = artefact(recipe, destination(recipe))
    return path if path.exists() else None


def build(recipe: Recipe, console: Console) -> Path:
    """Build a recipe unless that was done before; return its binary, or its folder for several binaries."""
    folder = destination(recipe)
    path = artefact(recipe, folder)
    if path.exists():
        return path
    if recipe.cgo:
        prerequisites.ensure(prerequisites.CGO, console)
    lock = cache.binaries() / f".{recipe.name}.lock"
    with cache.locked(lock, seconds=_BUILD_SECONDS, waiting_for=f"building {recipe.name}"):
        if not path.exists():
            with console.step(f"building {recipe.label}"):
                _go_build(recipe, folder)
    return path


def _go_build(recipe: Recipe, folder: Path) -> None:
    log = cache.binaries() / "log" / f"{recipe.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{recipe.name}-", dir=folder.parent))
    try:
        output = work / "out"
        output.mkdir()
        target = f"{output}/" if recipe.folder else str(output / recipe.name)
        command = [prerequisites.require_go(), "build", *recipe.build_flags(), "-o", target, *recipe.packages]
        with log.open("w") as handle:
            done = subprocess.run(
                command,
                cwd=recipe.directory,
                env=environment(recipe),
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=subprocess.STDOUT,
                timeout=_BUILD_SECONDS,
            )
        if done.returncode != 0:
            raise BuildFailedError(f"Building {recipe.name} failed.\n{tail(log)}")
        output.chmod(0o755)
        output.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """Return the last lines of a log, indented, followed by the log's path."""
    text = log.read_text(errors="replace") if log.exists() else ""
    last = [f"    {line}" for line in text.splitlines()[-lines:]]
    return "\n".join([*last, f"  The whole log: {log}"])
