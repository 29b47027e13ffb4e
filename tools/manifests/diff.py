"""Show what a change of manifests/ does to every cluster: build two revisions, compare object by object.

A line in a base may change five overlays, or none. This program builds every overlay at both revisions with
kustomize and shows each object that comes, goes or changes, with what is dangerous on top. The text is for
people; ``--format markdown`` is the comment of a pull request.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools import git
from tools.manifests import overlays, report
from tools.manifests.changes import compare

ROOT = Path(__file__).resolve().parents[2]
_GIT_SECONDS = 120

DESCRIPTION = """\
Show what would change in the clusters: every overlay of manifests/ is built at two revisions and compared.

Values of Secrets are never shown. On top: tenants, namespaces and CRDs that go, changes of deletionPolicy,
and objects that lose their protection from being pruned.
"""
EPILOG = """\
examples:
  python -m tools.manifests.diff origin/main                 this working tree against main
  python -m tools.manifests.diff v0.1.0 v0.2.0               two releases
  python -m tools.manifests.diff origin/main --format markdown --output diff.md
  make manifests-diff BASE=origin/main

exit codes: 0 done (with --exit-code: nothing changes), 1 with --exit-code: something changes,
            2 wrong arguments, no such revision, or an overlay that cannot be built
"""


class DiffError(Exception):
    """Something that keeps us from comparing; the message says what to do."""


def _git(repository: Path, *arguments: str) -> str:
    command = git.command(repository, *arguments)
    try:
        done = subprocess.run(
            command, env=git.environment(), capture_output=True, text=True, timeout=_GIT_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise DiffError(f"git {' '.join(arguments)} took longer than {_GIT_SECONDS} s") from None
    if done.returncode != 0:
        raise DiffError(f"git {' '.join(arguments)} in {repository}: {done.stderr.strip()}")
    return done.stdout.strip()


def resolve(repository: Path, revision: str) -> str:
    """The full hash of a revision. Raises DiffError for one that is not there, and where no repository is."""
    _git(repository, "rev-parse", "--git-dir")
    try:
        return _git(
            repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
        )
    except DiffError:
        raise DiffError(
            f"there is no revision {revision!r} here: fetch it (git fetch origin), or name another one"
        ) from None


@contextmanager
def checked_out(repository: Path, revision: str) -> Iterator[Path]:
    """A worktree of a revision in a temporary folder; the user's own files stay as they are."""
    commit = resolve(repository, revision)
    with tempfile.TemporaryDirectory(prefix="manifests-diff-") as folder:
        tree = Path(folder) / "tree"
        _git(repository, "worktree", "add", "--detach", "--quiet", str(tree), commit)
        try:
            yield tree
        finally:
            _git(repository, "worktree", "remove", "--force", str(tree))


def _built_at(repository: Path, revision: str | None) -> overlays.Built:
    if revision is None:
        return overlays.build(repository / "manifests")
    with checked_out(repository, revision) as tree:
        return overlays.build(tree / "manifests")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m tools.manifests.diff",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("base", metavar="BASE", help="the revision to compare with, for example origin/main")
    made.add_argument("head", metavar="HEAD", nargs="?", help="(default: the working tree)")
    made.add_argument("--format", choices=("text", "markdown"), default="text")
    made.add_argument("--output", type=Path, metavar="FILE", help="(default: standard output)")
    made.add_argument("--exit-code", action="store_true", help="exit with 1 when something changes")
    made.add_argument("--repository", type=Path, default=ROOT, help="(default: this clone)")
    return made


def _whole(tree: overlays.Built, other: overlays.Built) -> dict[str, tuple[overlays.Json, ...]]:
    """The overlays of a tree, without the parts of one that is broken there: they only look like overlays."""
    return {
        name: items
        for name, items in tree.objects.items()
        if name in other.objects or not any(name.startswith(f"{broken}/") for broken in tree.failures)
    }


def _say(said: str, file: Path | None) -> bool:
    """Write it out; False, and told, when the file cannot be written."""
    if file is None:
        sys.stdout.write(said)
        return True
    try:
        file.write_text(said, encoding="utf-8")
    except OSError as error:
        print(f"manifests-diff: cannot write {file}: {error.strerror}", file=sys.stderr)
        return False
    return True


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    options = parser().parse_args(argv)
    try:
        before = _built_at(options.repository, options.base)
        after = _built_at(options.repository, options.head)
    except DiffError as error:
        print(f"manifests-diff: {error}", file=sys.stderr)
        return 2
    # What could not be built before counts as empty: the change may be the one that repairs it.
    # What cannot be built now would look removed: it is left out, and told.
    known = {name: items for name, items in _whole(before, after).items() if name not in after.failures}
    comparison = compare(known, _whole(after, before))
    show = report.markdown if options.format == "markdown" else report.text
    said = show(comparison, before.failures, after.failures)
    if not _say(said, options.output):
        return 2
    if after.failures:
        for overlay, message in after.failures.items():
            print(f"manifests-diff: {overlay} cannot be built: {message}", file=sys.stderr)
        return 2
    return 1 if options.exit_code and comparison.changes else 0


if __name__ == "__main__":
    sys.exit(main())
