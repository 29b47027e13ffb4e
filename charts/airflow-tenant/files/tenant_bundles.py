"""DAG bundles from the working trees that git-sync keeps.

git-sync's layout, with the tenant chart's flags:

    <root>/.worktrees/<commit>/   one tree for each commit; old ones stay for --stale-worktree-timeout
    <root>/current                a link to the newest of them, replaced in one step after a fetch

A bundle that only followed the link would mix commits: Airflow would parse one file before a push and
the next one after it, and a DAG run would take its later tasks from newer code. So the link is read at
`refresh()` only, which the DAG processor calls every few seconds, and the path handed to Airflow is the
tree behind it. The commit is the bundle's version: the API shows it as `bundle_version`, and a DAG run
keeps the commit that it began with for as long as git-sync keeps the tree.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path, PurePosixPath
from typing import Any

import structlog
from airflow.dag_processing.bundles.base import BaseDagBundle, BundleVersion

COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")  # SHA-1, or SHA-256

log = structlog.get_logger(__name__)


class GitSyncDagBundle(BaseDagBundle):
    """One git-sync root as a versioned bundle.

    `root`: git-sync's --root. `subdir`: the DAGs' folder in the repository, "" for all of it. `link`:
    git-sync's --link. Further arguments are BaseDagBundle's (name, version, refresh_interval,
    view_url_template with {version} and {subdir}).

    Raises ValueError for a subdir that is not inside the repository. `initialize` and `refresh` raise
    FileNotFoundError until git-sync has published its first tree; the DAG processor tries again.
    """

    supports_versioning = True

    def __init__(self, *, root: str, subdir: str = "", link: str = "current", **arguments: Any) -> None:
        super().__init__(**arguments)
        parts = PurePosixPath(subdir or ".")
        if parts.is_absolute() or ".." in parts.parts:
            raise ValueError(f"bundle {self.name}: subdir {subdir!r} is not inside the repository")
        self.root = Path(root)
        self.subdir = str(parts) if parts.parts else ""
        self.link = self.root / link
        self._tree: Path | None = None

    def initialize(self) -> None:
        """Choose the tree: that of the wanted version while there is one, else the current one."""
        if self.version:
            self._tree = self._pinned(self.version)
            # Airflow removes its own copy of versions that are no longer used and fails if there is none.
            with contextlib.suppress(OSError):
                (self.versions_dir / self.version).mkdir(parents=True, exist_ok=True)
        if self._tree is None:
            self._tree = self._current()
        super().initialize()

    def refresh(self) -> None:
        """Take up the tree that git-sync has published last. git-sync does the fetching."""
        if not self.version:
            self._tree = self._current()

    def get_current_version(self) -> BundleVersion | None:
        """The commit of the tree in use; None if its folder is not named by a commit."""
        if self.version:
            return BundleVersion(version=self.version)
        tree = self._tree or self._current()
        return BundleVersion(version=tree.name) if COMMIT.fullmatch(tree.name) else None

    @property
    def path(self) -> Path:
        """The DAGs' folder in the tree in use."""
        return (self._tree or self.link) / self.subdir

    def _pinned(self, version: str) -> Path | None:
        """The tree of a commit, None when git-sync has removed it (or in a pod that cloned later)."""
        tree = self.root / ".worktrees" / version
        if COMMIT.fullmatch(version) and tree.is_dir():
            return self._checked(tree)
        log.warning(
            "The code of this version is no longer here; the current code is used instead",
            bundle=self.name,
            version=version,
            root=str(self.root),
        )
        return None

    def _current(self) -> Path:
        """The tree behind the link."""
        return self._checked(self.link.resolve(strict=True))

    def _checked(self, tree: Path) -> Path:
        """The tree, if the DAGs' folder in it does not lead out of it by a link that somebody committed."""
        if not (tree / self.subdir).resolve().is_relative_to(tree.resolve()):
            raise ValueError(f"bundle {self.name}: subdir {self.subdir!r} leads out of the repository")
        return tree
