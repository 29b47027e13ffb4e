"""What is released is a commit that was reviewed: in the branch, the tag's own, and nothing beside it."""

from __future__ import annotations

from pathlib import Path

from tools.release.common import ReleaseError, git


def commit(root: Path) -> str:
    """The full hash of what is checked out."""
    return git(root, "rev-parse", "HEAD").strip()


def check_branch(root: Path, branch: str) -> None:
    """Raise ReleaseError when what is checked out is not a part of `branch`, for example origin/main.

    Whoever may push a tag could otherwise release a commit that nobody has reviewed.
    """
    try:
        git(root, "rev-parse", "--verify", "--quiet", f"{branch}^{{commit}}")
    except ReleaseError:
        raise ReleaseError(f"there is no branch {branch} here: fetch it (git fetch origin)") from None
    try:
        git(root, "merge-base", "--is-ancestor", "HEAD", branch)
    except ReleaseError:
        raise ReleaseError(
            f"{commit(root)} is not in {branch}: merge it first, then tag the commit that is there"
        ) from None


def check_tag(root: Path, tag: str) -> None:
    """Raise ReleaseError when what is checked out is not exactly the commit of `tag`."""
    try:
        tagged = git(root, "rev-parse", "--verify", "--quiet", f"refs/tags/{tag}^{{commit}}")
    except ReleaseError:
        raise ReleaseError(
            f"there is no tag {tag} here: fetch it (git fetch --tags), or rehearse without --tag"
        ) from None
    if tagged.strip() != commit(root):
        raise ReleaseError(f"{commit(root)} is checked out, {tag} is {tagged.strip()}: git switch -d {tag}")
    changed = changes(root)
    if changed:
        raise ReleaseError(
            f"a release is what is in Git, and these files are not as in {tag}: {', '.join(changed)}"
        )


def changes(root: Path) -> list[str]:
    """Files that differ from the commit, untracked ones too: any of them may get into an image."""
    said = git(root, "status", "--porcelain", "--no-renames")
    return [line[3:] for line in said.splitlines()]


def released(root: Path) -> list[str]:
    """The tags of all releases that this clone knows."""
    return git(root, "tag", "--list", "v*").split()
