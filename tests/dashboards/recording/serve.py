"""Serve the recording until Ctrl-C.

`python -m tests.dashboards.recording.serve` prints the address of its Prometheus, the time range as the end
of a board's address and in words, and waits. With --for-programs it prints "URL START END STEP" instead.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from datetime import UTC, datetime

from tests.dashboards.recording.playback import play


def told(url: str, start: int, end: int, step: int) -> str:
    """What a person needs who looks at the recording in a Grafana; times are seconds since 1970."""
    first, last = (f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}" for at in (start, end))
    return (
        f"Prometheus:    {url}\n"
        f"Grafana's URL: ?from={start * 1000}&to={end * 1000}\n"
        f"Time range:    {first} to {last} UTC, a sample every {step} s\n"
        "Ctrl-C ends it.\n"
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Serve the recording until Ctrl-C.")
    parser.add_argument("--for-programs", action="store_true", help='print one line, "URL START END STEP"')
    options = parser.parse_args()
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    with play() as recorded:
        facts = (recorded.url, recorded.start, recorded.end, recorded.step)
        sys.stdout.write(" ".join(map(str, facts)) + "\n" if options.for_programs else told(*facts))
        sys.stdout.flush()
        over.wait()


if __name__ == "__main__":
    main()
