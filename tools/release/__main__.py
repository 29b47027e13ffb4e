"""Command line of a release; docs/releasing.md says when to call what."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from devcluster.errors import DevclusterError
from imagebuild.errors import BuildError
from tools.release import changelog, images, mirror, signing, source, steps, versions
from tools.release.common import ROOT, Dist, ReleaseError, everything, read_json

DESCRIPTION = """\
The steps of a release, in their order. Every step but `sign` runs on any machine; without --tag `build` is a
rehearsal with the version of pyproject.toml and the notes of what is unreleased.
"""
EPILOG = """\
examples:
  python -m tools.release check v0.2.0             are all versions and the changelog ready for this tag?
  python -m tools.release notes v0.2.0             the notes of a release
  python -m tools.release build --no-images        charts, bills of material, provenance, checksums in dist/
  python -m tools.release build --tag v0.2.0       all of a release, images too (root, Debian 12)
  python -m tools.release push localhost:5000/airflow-tenants
  python -m tools.release sign --dry-run           show what cosign would be called with
  python -m tools.release tag                      now others find it
  python -m tools.release mirror registry.example.com/airflow-tenants

exit codes: 0 done, 1 the step failed, 2 wrong arguments
"""


def _check(options: argparse.Namespace) -> None:
    versions.check(options.tag, options.root)
    if options.branch:
        source.check_branch(options.root, options.branch)
    print(f"{options.tag} can be released")


def _notes(options: argparse.Namespace) -> None:
    print(changelog.section(options.root / "CHANGELOG.md", versions.version_of(options.tag)), end="")


def _build(options: argparse.Namespace) -> None:
    wanted = [] if options.no_images else options.images or list(images.RELEASED)
    index = steps.build(options.root, Dist(options.dist), options.tag, wanted)
    for entry in index["images"]:
        print(f"{entry['name']}: {', '.join(entry['tags'])}  {entry['digest']}")
    for entry in index["charts"]:
        print(f"{entry['file']}  sha256:{entry['sha256']}")


def _push(options: argparse.Namespace) -> None:
    pushed = steps.push(Dist(options.dist), options.registry.lower())
    for entry in everything(pushed):
        print(entry["reference"])


def _tag(options: argparse.Namespace) -> None:
    for reference in steps.tag(Dist(options.dist)):
        print(reference)


def _mirror(options: argparse.Namespace) -> None:
    for image in mirror.everything(options.root, options.origin):
        print(f"crane copy {image.source} {options.registry.lower()}/{image.name}:{image.tag}")


def _sign(options: argparse.Namespace) -> None:
    dist = Dist(options.dist)
    published = read_json(dist.published, "push REGISTRY")
    if not options.dry_run:
        signing.sign(dist, published)
        return
    for command in signing.commands(dist, published):
        print(shlex.join(command))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m tools.release",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--root", type=Path, default=ROOT, help="(default: this clone)")
    made.add_argument("--dist", type=Path, default=ROOT / "dist", help="(default: dist/)")
    commands = made.add_subparsers(metavar="STEP", required=True)

    def step(name: str, action: Callable[[argparse.Namespace], None], words: str) -> argparse.ArgumentParser:
        found = commands.add_parser(name, help=words, description=words)
        found.set_defaults(action=action)
        return found

    check = step("check", _check, "Check that every version and the changelog fit a tag.")
    check.add_argument("tag", metavar="TAG")
    check.add_argument(
        "--branch", help="what is checked out has to be in it, for example origin/main (default: not asked)"
    )
    notes = step("notes", _notes, "Print the changelog's section of a tag.")
    notes.add_argument("tag", metavar="TAG")
    build = step("build", _build, "Make charts, images, bills of material, provenance and checksums.")
    build.add_argument("--tag", default="", help="the release (default: a rehearsal)")
    build.add_argument(
        "--no-images", action="store_true", help="without images: needs neither root nor Debian"
    )
    build.add_argument(
        "--images", nargs="+", choices=images.RELEASED, help="(default: all that are released)"
    )
    push = step("push", _push, "Push it all by digest, without tags; logged in as docker is.")
    push.add_argument(
        "registry", metavar="REGISTRY", help="host and path, for example ghcr.io/your-org (in lower case)"
    )
    sign = step("sign", _sign, "Sign by digest what was pushed, with cosign.")
    sign.add_argument("--dry-run", action="store_true", help="print the commands instead")
    step("tag", _tag, "Give what was pushed its tags: from here on others find it.")
    copies = step("mirror", _mirror, "Print the commands that bring every image of a tenant to a registry.")
    copies.add_argument(
        "registry", metavar="REGISTRY", help="for example registry.example.com/airflow-tenants"
    )
    copies.add_argument(
        "--from",
        dest="origin",
        default="ghcr.io/your-org/airflow-tenants",
        help="where the releases are (default: %(default)s)",
    )
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run one step; returns the exit code."""
    options = parser().parse_args(argv)
    try:
        options.action(options)
    except (ReleaseError, BuildError, DevclusterError, OSError) as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
