"""Every image that a tenant or the operator runs, and where to copy it from into a company's registry.

The releases of this project hold the images that it builds. The rest is of others, at the versions that the
tenant chart asks for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.release import images, versions
from tools.release.common import ReleaseError

_VERSION = re.compile(rf"{re.escape(images.VERSION_LABEL)}=(\S+)")


@dataclass(frozen=True)
class Mirrored:
    """An image to copy: where it comes from (with its tag), and what it is called in the registry."""

    source: str
    name: str
    tag: str


def images_of_others(root: Path) -> list[Mirrored]:
    """What the tenant chart runs and this project does not build: as the chart names it."""
    values: dict[str, Any] = yaml.safe_load(
        (root / versions.TENANT_CHART / "values.yaml").read_text(encoding="utf-8")
    )
    found = []
    for image in values["images"].values():
        repository = str(image["repository"] if isinstance(image, dict) else "")
        name = repository.rpartition("/")[2]
        if name and name not in images.RELEASED and name != "postgres":  # our postgresql is used instead
            found.append(Mirrored(f"{repository}:{image['tag']}", name, str(image["tag"])))
    return found


def images_of_ours(root: Path, origin: str) -> list[Mirrored]:
    """What the release with the version of pyproject.toml holds at `origin`, by the tags that never move."""
    version = versions.current(root)
    found = []
    for name in images.RELEASED:
        recipe = (root / "images" / name / "Containerfile").read_text(encoding="utf-8")
        program = _VERSION.search(recipe)
        if program is None:
            raise ReleaseError(f"images/{name}/Containerfile has no label {images.VERSION_LABEL}")
        tag = images.tags(name, program[1], version, newest=False)[0]
        found.append(Mirrored(f"{origin}/{name}:{tag}", name, tag))
    return found


def everything(root: Path, origin: str) -> list[Mirrored]:
    """Both, the own ones first."""
    return [*images_of_ours(root, origin), *images_of_others(root)]
