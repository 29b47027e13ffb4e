"""What stands in for the earlier stages of a Containerfile: `COPY --from=<stage> <path>` is answered here.

Everything in the final stage is read from the Containerfile itself; only these functions have to be kept in
step with the RUN instructions of the earlier stages, and they use the same requirement files and sources.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagebuild import bytecode, golang, lockfile, venv, wheels
from imagebuild.binaries import tool
from imagebuild.hashing import digest, file_digest, tree_key
from imagebuild.layers import LayerSource
from imagebuild.wheels import PYTHON_MINOR
from imagebuild.workshop import Workshop


@dataclass(frozen=True)
class Artifact:
    """`key`: what it is made of; `fill`: put it where the path (a file or a new folder) says."""

    key: str
    fill: Callable[[Path], None]


#: (workshop, layers below in the final stage) -> artifact
Recipe = Callable[[Workshop, Sequence[LayerSource]], Artifact]


def file_artifact(path: Path) -> Artifact:
    """One program file."""

    def fill(target: Path) -> None:
        shutil.copyfile(path, target)
        target.chmod(0o755)

    return Artifact(file_digest(path), fill)


def _airflow(workshop: Workshop, below: Sequence[LayerSource]) -> Artifact:
    """/home/airflow with Airflow's environment; group 0 may do what the user may (any uid can run it)."""
    requirements = workshop.settings.images / "airflow" / "requirements.lock"
    plan = venv.VenvPlan("airflow-venv", "/home/airflow/.local", "/home/airflow", requirements)

    def fill(target: Path) -> None:
        target.mkdir(parents=True)
        venv.fill(workshop, plan, workshop.root(below), target)
        _group_like_user(target)

    return Artifact(digest(venv.RECIPE, bytecode.RECIPE, PYTHON_MINOR, file_digest(requirements)), fill)


def _group_like_user(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode & 0o7707 | (mode & 0o700) >> 3)


def _operator_dependencies(workshop: Workshop, below: Sequence[LayerSource]) -> Artifact:
    """/opt/venv with what the operator needs at run time, without the operator."""
    project = workshop.settings.project
    requirements = lockfile.closure(
        workshop.settings, project / "operator/pyproject.toml", project / "requirements.lock"
    )
    plan = venv.VenvPlan("operator-venv", "/opt/venv", "/opt", requirements, hashes=True)

    def fill(target: Path) -> None:
        venv.fill(workshop, plan, workshop.root(below), target.parent)

    return Artifact(digest(venv.RECIPE, bytecode.RECIPE, PYTHON_MINOR, requirements.read_text()), fill)


def _operator_code(workshop: Workshop, below: Sequence[LayerSource]) -> Artifact:
    """The operator: the small layer that changes with our code."""
    return _package(workshop, below, workshop.settings.project / "operator", "/opt/venv")


def _library_package(workshop: Workshop, below: Sequence[LayerSource]) -> Artifact:
    """What the DAG library and the teams' DAGs import, inside Airflow's environment."""
    return _package(workshop, below, workshop.settings.project / "dags" / "lib", "/home/airflow/.local")


def _package(workshop: Workshop, below: Sequence[LayerSource], package: Path, place: str) -> Artifact:
    tools = workshop.settings.images / "wheel-requirements.txt"

    def fill(target: Path) -> None:
        wheels.fill(workshop, below, package, tools, target, place)

    return Artifact(digest(bytecode.RECIPE, PYTHON_MINOR, tree_key(package), file_digest(tools)), fill)


def _library_dags(workshop: Workshop, _below: Sequence[LayerSource]) -> Artifact:
    """The DAG files and the logic beside them, without the packages that have a place of their own."""
    folder = workshop.settings.project / "dags"
    apart = ("lib", "lint")
    parts = [part for part in sorted(folder.iterdir()) if part.name not in (*apart, "__pycache__")]

    def fill(target: Path) -> None:
        shutil.copytree(folder, target, ignore=shutil.ignore_patterns(*apart, "__pycache__"))
        wheels.plain(target, workshop.settings.epoch)

    return Artifact(digest(*((part.name, tree_key(part)) for part in parts)), fill)


def _tool(name: str) -> Recipe:
    return lambda _workshop, _below: file_artifact(tool(name))


def _git_sync(workshop: Workshop, _below: Sequence[LayerSource]) -> Artifact:
    folder = workshop.settings.images / "git-sync-standin"
    return file_artifact(golang.build(workshop.settings, workshop.console, folder / "src", "git-sync"))


#: (image, "<stage>:<path>") -> what is there
RECIPES: Mapping[tuple[str, str], Recipe] = {
    ("airflow", "build:/home/airflow"): _airflow,
    ("airflow", "library:/out/site"): _library_package,
    ("airflow", "library:/out/dags"): _library_dags,
    ("operator", "build:/opt/venv"): _operator_dependencies,
    ("operator", "code:/out"): _operator_code,
    ("operator", "helm:/out/helm"): _tool("helm"),
    ("git-sync-standin", "build:/out/git-sync"): _git_sync,
    ("prometheus", "build:/out/prometheus"): _tool("prometheus"),
    ("statsd-exporter", "build:/out/statsd_exporter"): _tool("statsd_exporter"),
}
