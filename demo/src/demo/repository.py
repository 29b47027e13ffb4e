"""Make Git histories from folders: the same folders always give the same commits.

Author, dates and configuration are fixed, so a commit's hash depends on its content alone and a second run
pushes nothing new.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demo import process

FIRST_COMMIT = 1_767_225_600  # 2026-01-01T00:00:00Z
SECONDS_BETWEEN_COMMITS = 60
BRANCH = "main"


@dataclass(frozen=True, slots=True)
class WorkingCopy:
    """A Git working copy on disk. ``remote`` holds Git settings for the server (an authorisation header)."""

    directory: Path
    team: str
    remote: Mapping[str, str]

    def git(self, *arguments: str, timeout: float = 60.0, number: int = 0) -> str:
        """Run git here: no prompt, none of the user's configuration; ``number`` sets the date of a commit."""
        return process.run(
            ["git", *arguments],
            directory=self.directory,
            timeout=timeout,
            environment=self._environment(number),
        )

    def _environment(self, number: int) -> dict[str, str]:
        date = f"{FIRST_COMMIT + SECONDS_BETWEEN_COMMITS * number} +0000"
        who = {"NAME": f"{self.team} team", "EMAIL": f"{self.team}@example.com", "DATE": date}
        people = {
            f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()
        }
        kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        return {**kept, **quiet, **people, **settings(self.remote)}

    def commit(self, message: str) -> str:
        """Commit everything and return the hash. The number of earlier commits sets the date."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message, number=self.commits())
        return self.head()

    def head(self) -> str:
        """Return the current commit's hash."""
        return self.git("rev-parse", "HEAD").strip()

    def commits(self) -> int:
        """Return how many commits there are."""
        return int(self.git("rev-list", "--count", "--all"))

    def push(self, url: str, *, force: bool = False) -> None:
        """Push the branch."""
        self.git(
            "push",
            "--quiet",
            *(["--force"] if force else []),
            url,
            f"HEAD:refs/heads/{BRANCH}",
            timeout=120.0,
        )


def settings(config: Mapping[str, str]) -> dict[str, str]:
    """Return Git configuration as environment variables: unlike `-c` they do not show in the process list."""
    found = {"GIT_CONFIG_COUNT": str(len(config))}
    for number, (key, value) in enumerate(config.items()):
        found[f"GIT_CONFIG_KEY_{number}"] = key
        found[f"GIT_CONFIG_VALUE_{number}"] = value
    return found


def start(directory: Path, team: str, folder: Path, message: str, remote: Mapping[str, str]) -> WorkingCopy:
    """Make a new history in ``directory`` whose first commit is ``folder``."""
    directory.mkdir(parents=True)
    copy = WorkingCopy(directory, team, remote)
    copy.git("init", "--quiet", f"--initial-branch={BRANCH}")
    overlay(copy, folder)
    copy.commit(message)
    return copy


def overlay(copy: WorkingCopy, folder: Path) -> None:
    """Copy a folder's files over the working copy's."""
    shutil.copytree(
        folder,
        copy.directory,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".git"),
    )


def remote_head(copy: WorkingCopy, url: str) -> str:
    """Return the commit that the server's branch is at, or nothing when it has none."""
    return copy.git("ls-remote", url, f"refs/heads/{BRANCH}").partition("\t")[0].strip()


def clone(directory: Path, team: str, url: str, remote: Mapping[str, str]) -> WorkingCopy:
    """Clone a repository whose branch has commits."""
    directory.mkdir(parents=True)
    copy = WorkingCopy(directory, team, remote)
    copy.git("init", "--quiet", f"--initial-branch={BRANCH}")
    copy.git("fetch", "--quiet", url, f"refs/heads/{BRANCH}", timeout=120.0)
    copy.git("reset", "--quiet", "--hard", "FETCH_HEAD")
    return copy


def root_commit(copy: WorkingCopy) -> str:
    """Return the hash of the first commit."""
    return copy.git("rev-list", "--max-parents=0", "HEAD").split()[0]
