"""What stands in for the earlier stages of a Containerfile: `COPY --from=<stage> <path>` is answered here.

Everything in the final stage is read from the Containerfile itself; only these functions have to be kept in
step with the RUN instructions of the earlier stages, and they use the same requirement files and sources.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from imagebuild import bytecode, golang, lockfile, process, venv
from imagebuild.binaries import tool
from imagebuild.chroot import Bind, Chroot
from imagebuild.errors import BuildError
from imagebuild.hashing import digest, file_digest, tree_key
from imagebuild.layers import LayerSource
from imagebuild.workshop import Workshop

PYTHON_MINOR = "3.11"


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
    """The operator's wheel, unpacked and compiled: the small layer that changes with our code."""
    folder = workshop.settings.project / "operator"
    tools = workshop.settings.images / "operator" / "build-requirements.txt"

    def fill(target: Path) -> None:
        packages = target / f"lib/python{PYTHON_MINOR}/site-packages"
        packages.mkdir(parents=True)
        with workshop.console.step("  operator-code: wheel"), TemporaryDirectory() as wheels:
            process.run(
                [
                    venv.find_uv(),
                    "build",
                    "--wheel",
                    "-q",
                    "--build-constraints",
                    tools,
                    "-o",
                    wheels,
                    folder,
                ],
                workshop.log("operator-wheel"),
                env=process.environment(SOURCE_DATE_EPOCH=str(workshop.settings.epoch)),
            )
            wheel = next(iter(Path(wheels).glob("*.whl")), None)
            if wheel is None:
                raise BuildError(f"no wheel came out of {folder}")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(packages)
        for path in target.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        bytecode.settle(target, workshop.settings.epoch)
        inside = Chroot(
            workshop.root(_environment(below)), binds=(Bind(target, "/mnt"), Bind(packages, _SITE))
        )
        bytecode.compile_folder(
            inside, ["/usr/bin/python3"], packages, _SITE, workshop.log("operator-compile")
        )

    return Artifact(digest(bytecode.RECIPE, PYTHON_MINOR, tree_key(folder), file_digest(tools)), fill)


_SITE = f"/opt/venv/lib/python{PYTHON_MINOR}/site-packages"


def _environment(below: Sequence[LayerSource]) -> list[LayerSource]:
    """Only the layers that an interpreter needs: a change of another one must not unpack everything again."""
    return [source for source in below if source.name in {"base", "debs-python3"}]


def _tool(name: str) -> Recipe:
    return lambda _workshop, _below: file_artifact(tool(name))


def _git_sync(workshop: Workshop, _below: Sequence[LayerSource]) -> Artifact:
    folder = workshop.settings.images / "git-sync-standin"
    return file_artifact(golang.build(workshop.settings, workshop.console, folder / "src", "git-sync"))


#: (image, "<stage>:<path>") -> what is there
RECIPES: Mapping[tuple[str, str], Recipe] = {
    ("airflow", "build:/home/airflow"): _airflow,
    ("operator", "build:/opt/venv"): _operator_dependencies,
    ("operator", "code:/out"): _operator_code,
    ("operator", "helm:/out/helm"): _tool("helm"),
    ("git-sync-standin", "build:/out/git-sync"): _git_sync,
    ("statsd-exporter", "build:/out/statsd_exporter"): _tool("statsd_exporter"),
}
