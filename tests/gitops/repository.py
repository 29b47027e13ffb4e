"""A Git repository as a platform team would have it: this project's HEAD, served by smart HTTP on loopback.

Argo CD and Flux read it from the loopback interface, without a password. Tests change it by commits:

    with repository.served(folder) as repo:
        repo.overlay(Path(__file__).parent / "environment", {"REPOSITORY": repo.url})
        repo.commit("Our own environment")
        repo.replace("manifests/tenants/x/tenant.yaml", "slots: 4", "slots: 5")
        commit = repo.commit("More slots")  # pushed
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from tests.git_remote import Remote, http_backend

ROOT = Path(__file__).resolve().parents[2]
NAME = "airflow-tenants.git"
#: What a repository of environments needs of ours; the rest of the project only makes each clone slower.
CONTENT = ("manifests", "charts", "operator/crd")


@dataclass(frozen=True)
class Repository:
    """A served repository and its work tree."""

    remote: Remote
    url: str

    @property
    def directory(self) -> Path:
        """The work tree."""
        return self.remote.work

    def write(self, path: str, text: str) -> None:
        """Make a file of the work tree hold this text."""
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def write_yaml(self, path: str, *documents: Mapping[str, object]) -> None:
        """Make a file of the work tree hold these objects."""
        self.write(path, yaml.safe_dump_all(documents, sort_keys=False))

    def read(self, path: str) -> str:
        """A file of the work tree."""
        return (self.directory / path).read_text(encoding="utf-8")

    def replace(self, path: str, old: str, new: str) -> None:
        """Change a text that is there exactly once: a test that edits nothing, or too much, must fail."""
        text = self.read(path)
        assert text.count(old) == 1, f"{path} has {text.count(old)} times {old!r}"
        self.write(path, text.replace(old, new))

    def remove(self, path: str) -> None:
        """Remove a file or a folder."""
        self.remote.run("rm", "-r", "-q", "-f", "--", path)

    def overlay(self, folder: Path, values: Mapping[str, str] | None = None) -> None:
        """Lay a folder's files over the work tree; ``$NAME`` in them becomes its value."""
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            text = file.read_text(encoding="utf-8")
            for name, value in (values or {}).items():
                text = text.replace(f"${name}", value)
            self.write(str(file.relative_to(folder)), text)

    def replace_everywhere(self, old: str, new: str, below: str = "manifests") -> int:
        """Change a text in every file below a folder, for example the example's address; return how many."""
        changed = 0
        for file in sorted((self.directory / below).rglob("*")):
            text = file.read_text(encoding="utf-8") if file.is_file() else ""
            if old in text:
                file.write_text(text.replace(old, new), encoding="utf-8")
                changed += 1
        return changed

    def commit(self, message: str) -> str:
        """Commit everything, push it to main and return the full hash."""
        self.remote.run("add", "-A")
        self.remote.run("commit", "-q", "-m", message)
        self.remote.run("push", "-q", "origin", "HEAD:refs/heads/main")
        return self.head()

    def revert(self, commit: str) -> str:
        """Undo one commit by another, as people do; return the new hash."""
        self.remote.run("revert", "--no-edit", commit)
        self.remote.run("push", "-q", "origin", "HEAD:refs/heads/main")
        return self.head()

    def restore(self, commit: str) -> bool:
        """Have every file as in a commit, by one commit more; False when nothing differs."""
        self.remote.run("read-tree", "--reset", "-u", commit)
        self.remote.run("clean", "-q", "-f", "-d")
        if not self.remote.run("status", "--porcelain"):
            return False
        self.commit(f"As in {commit[:7]}")
        return True

    def pull(self) -> str:
        """Take what others have pushed; return the new hash."""
        self.remote.run("pull", "-q", "--ff-only", "origin", "main")
        return self.head()

    def head(self) -> str:
        """The current commit."""
        return self.remote.run("rev-parse", "HEAD")


def export(directory: Path, content: Sequence[str] = CONTENT) -> str:
    """Put these parts of the project's HEAD into a folder; return the project's commit."""
    archive = subprocess.run(
        ["git", "archive", "HEAD", "--", *content], cwd=ROOT, check=True, capture_output=True, timeout=120
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(directory, filter="data")
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True, timeout=120
    )
    return head.stdout.strip()


def uncommitted(content: Sequence[str] = CONTENT) -> list[str]:
    """Files of these parts that differ from HEAD, or are not in it: what a test would not see."""
    status = [
        "git",
        "--no-optional-locks",
        "status",
        "--porcelain",
        "--untracked-files=all",
        "--no-renames",
        "-z",
    ]
    done = subprocess.run(
        [*status, "--", *content], cwd=ROOT, check=True, capture_output=True, text=True, timeout=120
    )
    return sorted(entry[3:] for entry in done.stdout.split("\0") if entry)


def require_committed(content: Sequence[str] = CONTENT) -> None:
    """AssertionError names the files whose content in the work tree is not what will be synced.

    It is for the start of a session: an edit would silently not be tested. With E2E_KEEP nothing is refused.
    """
    if os.environ.get("E2E_KEEP"):
        return
    differ = uncommitted(content)
    assert not differ, (
        "Argo CD and Flux are given what is committed, and these files are not: "
        f"{', '.join(differ[:10])}{' ...' if len(differ) > 10 else ''}. Commit them, or set E2E_KEEP=1 to "
        "test HEAD without them."
    )


@contextmanager
def served(folder: Path, port: int = 0, content: Sequence[str] = CONTENT) -> Iterator[Repository]:
    """Serve a repository whose first commit is the project's HEAD; it lives in ``folder`` and stays there.

    A folder that holds one already (a cluster that is kept between two runs) is served as it is, so that what
    runs in the cluster still finds its commits. ``port`` 0 takes a free one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fresh = not (folder / "remotes" / NAME).exists()
    remote = Remote.make(folder, NAME) if fresh else Remote(folder / "remotes", folder / f"work-{NAME}")
    with http_backend(remote.base, port=port) as base:
        repository = Repository(remote, f"{base}/{NAME}")
        if fresh:
            repository.commit(f"The project at {export(remote.work, content)}")
        yield repository
