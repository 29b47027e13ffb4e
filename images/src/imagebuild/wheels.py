"""Our own Python packages as layers: the wheel, unpacked into an environment's folder and compiled."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from imagebuild import bytecode, process, venv
from imagebuild.chroot import Bind, Chroot
from imagebuild.errors import BuildError
from imagebuild.layers import LayerSource
from imagebuild.workshop import Workshop

PYTHON_MINOR = "3.11"
PACKAGES = f"lib/python{PYTHON_MINOR}/site-packages"


def fill(
    workshop: Workshop, below: Sequence[LayerSource], package: Path, tools: Path, target: Path, place: str
) -> None:
    """Build `package` and put what it installs into `target`, which stands for the environment `place`.

    `tools` pins what builds the wheel, whose name is written into it. Raises BuildError when none comes out.
    """
    packages = target / PACKAGES
    packages.mkdir(parents=True)
    name = package.name
    with workshop.console.step(f"  {name}: wheel"), TemporaryDirectory() as wheels:
        options: list[str | Path] = ["--build-constraints", tools, "-o", wheels]
        process.run(
            [venv.find_uv(), "build", "--wheel", "-q", *options, package],
            workshop.log(f"{name}-wheel"),
            env=process.environment(SOURCE_DATE_EPOCH=str(workshop.settings.epoch)),
        )
        wheel = next(iter(Path(wheels).glob("*.whl")), None)
        if wheel is None:
            raise BuildError(f"no wheel came out of {package}")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)
    plain(target, workshop.settings.epoch)
    site = f"{place}/{PACKAGES}"
    inside = Chroot(
        workshop.root(_with_interpreter(below)), binds=(Bind(target, "/mnt"), Bind(packages, site))
    )
    bytecode.compile_folder(inside, ["/usr/bin/python3"], packages, site, workshop.log(f"{name}-compile"))


def plain(folder: Path, epoch: int) -> None:
    """Readable by everybody, writable by the owner alone, one time stamp."""
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    bytecode.settle(folder, epoch)


def _with_interpreter(below: Sequence[LayerSource]) -> list[LayerSource]:
    """Only the layers that an interpreter needs: a change of another one must not unpack everything again."""
    return [source for source in below if source.name in {"base", "debs-python3"}]
