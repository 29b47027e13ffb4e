"""Serve the recording until Ctrl-C.

`python -m tests.dashboards.recording.serve` prints address, start, end and step, and waits.
"""

from __future__ import annotations

import signal
import sys
import threading

from tests.dashboards.recording.playback import play


def main() -> None:
    """The command line."""
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    with play() as recorded:
        sys.stdout.write(f"{recorded.url} {recorded.start} {recorded.end} {recorded.step}\n")
        sys.stdout.flush()
        over.wait()


if __name__ == "__main__":
    main()
