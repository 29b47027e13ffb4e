"""The command line: `python -m tenant_dashboards [--check]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from tenant_dashboards import packaging


def main(arguments: list[str] | None = None) -> int:
    """Write every generated file, or with `--check` say what differs; returns the exit code."""
    parser = argparse.ArgumentParser(prog="tenant_dashboards", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file differs")
    parser.add_argument(
        "--root", type=Path, default=packaging.ROOT, help="the repository (default: this one)"
    )
    given = parser.parse_args(arguments)
    files = packaging.generate()
    changes = (packaging.differences if given.check else packaging.write)(given.root, files)
    for change in changes:
        print(change if given.check else f"written, was {change}")
    print(f"{len(files)} files, {len(changes)} " + ("not up to date" if given.check else "changed"))
    return 1 if given.check and changes else 0
