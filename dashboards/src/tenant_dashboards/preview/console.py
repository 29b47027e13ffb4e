"""The command line: `python -m tenant_dashboards.preview`."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tenant_dashboards.preview import (
    PICTURES,
    PreviewError,
    Source,
    build_page,
    draw,
    pictures,
    recording,
)


def _source(given: argparse.Namespace) -> contextlib.AbstractContextManager[Source]:
    if not given.prometheus:
        return recording()
    end = given.end or time.time()
    source = Source(given.prometheus, given.start or end - 6 * 3600, end, given.scrape_interval)
    return contextlib.nullcontext(source)


def main(arguments: list[str] | None = None) -> int:
    """Draw the boards over the tests' recording or another Prometheus; 1 when there is a problem."""
    parser = argparse.ArgumentParser(prog="tenant_dashboards.preview", description=main.__doc__)
    parser.add_argument("--board", action="append", help="only this one (repeat for more), e.g. overview")
    parser.add_argument("--out", type=Path, default=PICTURES, help="folder of the pictures")
    parser.add_argument("--prometheus", help="address of a Prometheus (default: the recording of the tests)")
    parser.add_argument(
        "--from", dest="start", type=float, help="unix seconds (default: 6 hours before --to)"
    )
    parser.add_argument("--to", dest="end", type=float, help="unix seconds (default: now)")
    parser.add_argument("--scrape-interval", type=float, default=30, help="of that Prometheus, in seconds")
    given = parser.parse_args(arguments)
    try:
        with TemporaryDirectory() as work, _source(given) as source:
            page = build_page(Path(work) / "page")
            results = draw(page, source, pictures(given.out, Path(work), given.board))
    except PreviewError as error:
        print(error, file=sys.stderr)
        return 1
    for result in results:
        size = f"{result['width']} x {result['height']}, {result['bytes'] / 1000:.0f} kB"
        print(f"{result['name']}: {size}, {len(result['problems'])} problems")
    return 1 if any(result["problems"] for result in results) else 0
