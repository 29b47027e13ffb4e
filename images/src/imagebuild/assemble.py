"""From a Containerfile to layers: the instructions of the final stage, one after the other."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from imagebuild import base, bytecode, containerfile, runsteps
from imagebuild.chroot import Bind, Chroot
from imagebuild.containerfile import Containerfile, ContainerfileError, Copy
from imagebuild.debian import DROP
from imagebuild.hashing import digest, plain_mode, source_files, tree_key
from imagebuild.layers import LayerSource, Owner
from imagebuild.recipes import RECIPES
from imagebuild.runsteps import Folder, RunStep
from imagebuild.workshop import Workshop

RECIPE = 1
_STDLIB = "usr/lib/python3.11"


class Assembler:
    """Plans the layers of one image.

    Planning reads and hashes; making happens when a layer is not in the cache.
    """

    def __init__(self, workshop: Workshop, name: str) -> None:
        self._workshop = workshop
        self._name = name
        self._file = containerfile.read(workshop.settings.images / name / "Containerfile")

    @property
    def containerfile(self) -> Containerfile:
        """The definition of the image."""
        return self._file

    def plan(self) -> list[LayerSource]:
        """The layers from the lowest up."""
        scratch = self._file.final.base == containerfile.SCRATCH
        layers = [] if scratch else [base.source(self._workshop.debian)]
        for item in self._file.final.instructions:
            if item.keyword == "RUN":
                layers += self._run(runsteps.read(item), len(layers))
            elif item.keyword == "COPY":
                layers.append(self._copy(containerfile.copy_of(item), tuple(layers)))
        return layers

    def _run(self, step: RunStep, position: int) -> Iterable[LayerSource]:
        if step.users or step.folders:
            yield self._setup(step, position)
        if step.packages:
            known = {item.name for item in base.packages(self._workshop.debian)}
            if set(step.packages) - known:
                yield self._debs(step, known)

    def _setup(self, step: RunStep, position: int) -> LayerSource:
        def fill(tree: Path) -> None:
            if step.users:
                base.write_accounts(tree, step.users, step.groups)
            for folder in step.folders:
                _make_folder(tree, folder)

        owners = tuple(Owner(item.path, item.uid, item.gid) for item in step.folders)
        key = digest(RECIPE, base.RECIPE, step.users, step.groups, step.folders)
        return LayerSource(f"{self._name}-setup{position}", key, fill, owners)

    def _debs(self, step: RunStep, known: set[str]) -> LayerSource:
        """Packages over the base.

        The other layers below do not count, so that images share this one byte by byte.
        """
        debian = self._workshop.debian
        found = [item for item in debian.resolve(step.packages) if item.name not in known]

        def fill(tree: Path) -> None:
            debian.unpack(found, tree)
            for name in step.removed:
                if "*" not in name:
                    _remove(tree / name.lstrip("/"))
            if (tree / _STDLIB).is_dir():
                self._compile_stdlib(tree)

        first = next(name for name in step.packages if name not in known)
        key = digest(RECIPE, bytecode.RECIPE, found, DROP, step.removed)
        return LayerSource(f"debs-{first}", key, fill)

    def _compile_stdlib(self, tree: Path) -> None:
        """Debian compiles at installation; here the unpacked interpreter does it."""
        bytecode.settle(tree, self._workshop.settings.epoch)
        root = self._workshop.root([base.source(self._workshop.debian)])
        env = {"LD_LIBRARY_PATH": "/mnt/usr/lib/x86_64-linux-gnu", "PYTHONHOME": "/usr"}
        inside = Chroot(root, env=env, binds=(Bind(tree, "/mnt"), Bind(tree / _STDLIB, f"/{_STDLIB}")))
        with self._workshop.console.step("  python3: compile the standard library"):
            bytecode.compile_folder(
                inside,
                ["/mnt/usr/bin/python3.11"],
                tree / _STDLIB,
                f"/{_STDLIB}",
                self._workshop.log("python3-compile"),
            )

    def _copy(self, copy: Copy, below: Sequence[LayerSource]) -> LayerSource:
        name = f"{self._name}-{copy.stage or _short(copy.target)}"
        owners = (Owner(copy.target.rstrip("/"), copy.uid, copy.gid),) if copy.uid or copy.gid else ()
        if copy.stage:
            return self._copy_artifact(copy, below, name, owners)
        sources = [self._workshop.settings.project / source for source in copy.sources]
        for source in sources:
            if not source.exists():
                raise ContainerfileError(f"{self._file.path}: COPY {source}: no such file or folder")

        def fill(tree: Path) -> None:
            for source in sources:
                _copy_source(source, copy, tree)

        return LayerSource(name, digest(RECIPE, copy, [tree_key(source) for source in sources]), fill, owners)

    def _copy_artifact(
        self, copy: Copy, below: Sequence[LayerSource], name: str, owners: tuple[Owner, ...]
    ) -> LayerSource:
        recipe = RECIPES.get((self._name, f"{copy.stage}:{copy.sources[0]}"))
        if copy.stage not in self._file.stage_names or recipe is None or len(copy.sources) != 1:
            raise ContainerfileError(
                f"{self._file.path}: no recipe for COPY --from={copy.stage} {copy.sources[0]}"
            )
        artifact = recipe(self._workshop, below)

        def fill(tree: Path) -> None:
            target = tree / copy.target.strip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            artifact.fill(target)
            if copy.mode is not None:
                target.chmod(copy.mode)

        return LayerSource(name, digest(RECIPE, copy, artifact.key), fill, owners)


def _short(path: str) -> str:
    return path.strip("/").replace("/", "-").replace(".", "")[-40:].strip("-")


def _make_folder(tree: Path, folder: Folder) -> None:
    path = tree / folder.path.lstrip("/")
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(folder.mode)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _copy_source(source: Path, copy: Copy, tree: Path) -> None:
    """As COPY does: a folder's content to the target, a file to the target or, with a final /, into it."""
    target = tree / copy.target.strip("/")
    if source.is_dir():
        files = [(item, target / item.relative_to(source)) for item in source_files(source)]
        target.mkdir(parents=True, exist_ok=True)
    else:
        into = copy.target.endswith("/") or len(copy.sources) > 1
        files = [(source, target / source.name if into else target)]
    for item, place in files:
        place.parent.mkdir(parents=True, exist_ok=True)
        if item.is_symlink():
            place.symlink_to(item.readlink())
            continue
        shutil.copyfile(item, place)
        place.chmod(plain_mode(item) if copy.mode is None else copy.mode)
