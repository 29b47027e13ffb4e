"""The same input gives the same image, byte by byte: compiled modules, owners and times too. Needs root."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

import imagebuild
from imagebuild.oci import BuiltImage
from imagebuild.settings import Settings


def copy_of_the_project(project: Path, folder: Path) -> Path:
    """What the operator's image is made of, in another place and with other time stamps."""
    for name in ("operator", "charts/airflow-tenant", "images/operator", "images/postgresql"):
        shutil.copytree(project / name, folder / name, copy_function=shutil.copyfile)
    for name in ("requirements.lock", "images/wheel-requirements.txt"):
        shutil.copyfile(project / name, folder / name)
    return folder


def fresh_cache(shared: Settings, folder: Path) -> Path:
    """Packages and resolutions are the input and shared; layers and unpacked roots are not."""
    (folder / "apt").mkdir(parents=True)
    (folder / "debs").symlink_to(shared.folder("debs"))
    (folder / "apt" / "resolved").symlink_to(shared.folder("apt/resolved"))
    return folder


@pytest.mark.timeout(1800)
def test_an_image_built_again_from_nothing_and_elsewhere_is_the_same(
    built: Mapping[str, BuiltImage], settings: Settings, tmp_path: Path
) -> None:
    wanted = ["operator", "postgresql"]
    project = copy_of_the_project(settings.project, tmp_path / "project")
    known = fresh_cache(settings, tmp_path / "known")
    (known / "layers").symlink_to(settings.folder("layers"))
    first = imagebuild.build(wanted, settings=Settings(project, known))
    second = imagebuild.build(wanted, settings=Settings(project, fresh_cache(settings, tmp_path / "fresh")))
    for name in wanted:
        assert first[name].layer_digests == second[name].layer_digests, name
        assert first[name].ref == second[name].ref
        assert first[name].tar.stat().st_size == second[name].tar.stat().st_size
