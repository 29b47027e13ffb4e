"""Where things are: the project, the caches, and the few constants that every image shares."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from imagebuild.errors import BuildError

#: every file of every image carries this time (seconds since 1970): the same input gives the same bytes
EPOCH = 1_700_000_000
PREFIX = "localhost/airflow-tenants"
ARCHITECTURE = "amd64"


def cache_home() -> Path:
    """`${XDG_CACHE_HOME:-~/.cache}/airflow-tenants`, shared by all tools of this project."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "airflow-tenants"


def project_root() -> Path:
    """The checkout; AIRFLOW_TENANTS_PROJECT names it when the package is not installed from one."""
    named = os.environ.get("AIRFLOW_TENANTS_PROJECT")
    root = Path(named) if named else Path(__file__).resolve().parents[3]
    if not (root / "images").is_dir():
        raise BuildError(f"{root} is not a checkout of this project: set AIRFLOW_TENANTS_PROJECT to one")
    return root


@dataclass(frozen=True)
class Settings:
    """`project` is only read; everything that is written is below `cache`."""

    project: Path
    cache: Path
    prefix: str = PREFIX
    epoch: int = EPOCH

    @classmethod
    def default(cls) -> Settings:
        """The checkout and the user's cache folder."""
        return cls(project=project_root(), cache=cache_home() / "images")

    @property
    def images(self) -> Path:
        """One folder an image, each with a Containerfile."""
        return self.project / "images"

    @property
    def out(self) -> Path:
        """The finished tars and index.json."""
        return self.folder("out")

    def folder(self, name: str) -> Path:
        """A folder of the cache, made when absent."""
        path = self.cache / name
        path.mkdir(parents=True, exist_ok=True)
        return path
