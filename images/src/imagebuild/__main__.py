"""Command line of imagebuild."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence

from imagebuild.build import build, names, read_index
from imagebuild.console import Console
from imagebuild.containerfile import read
from imagebuild.errors import BuildError
from imagebuild.settings import Settings

DESCRIPTION = """\
Build the project's OCI images without Docker, a daemon or a registry.

Each image is defined by images/<name>/Containerfile, which docker, podman and buildah build as well. The
results are tars (OCI layout and docker-archive in one) in the cache folder, listed in index.json there.
Only what changed is made again. Needs root, Debian 12, uv and, for the programs written in Go, a Go
toolchain.
"""
EPILOG = """\
examples:
  imagebuild                      all images
  imagebuild operator             one image
  imagebuild --list               names, tags and sizes
  imagebuild --index              index.json: references, digests, paths
  imagebuild --refresh airflow    with the newest packages of Debian
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="imagebuild",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="images to build (default: all)")
    parser.add_argument(
        "--list", action="store_true", help="show all images and what is built of them, build nothing"
    )
    parser.add_argument(
        "--index", action="store_true", help="print the index of built images as JSON, build nothing"
    )
    parser.add_argument(
        "--refresh",
        action="store_true",
        help="run apt-get update and resolve the packages again (else once a day)",
    )
    return parser


def _list(settings: Settings, console: Console) -> None:
    index = read_index(settings)
    console.say(f"{'IMAGE':<18} {'USER':<12} {'MB':>6}  REFERENCES")
    for name in names(settings):
        config = read(settings.images / name / "Containerfile").config()
        entry = index.get(name, {})
        size, refs = entry.get("size"), entry.get("refs")
        shown = f"{size / 1e6:.0f}" if isinstance(size, int) else "-"
        console.say(
            f"{name:<18} {config.user:<12} {shown:>6}  "
            f"{' '.join(str(ref) for ref in refs) if isinstance(refs, list) else 'not built'}"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code (1: could not build, 2: wrong arguments)."""
    options = _parser().parse_args(argv)
    console = Console()
    try:
        settings = Settings.default()
        if options.list:
            _list(settings, console)
        elif options.index:
            console.say(json.dumps(read_index(settings), indent=2))
        else:
            start = time.monotonic()
            built = build(options.names, settings=settings, console=console, refresh=options.refresh)
            for image in built.values():
                console.say(f"{image.ref}  {image.tar}")
            console.note(f"{len(built)} images in {time.monotonic() - start:.1f} s")
    except BuildError as error:
        console.note(f"imagebuild: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
