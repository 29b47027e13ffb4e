"""What the user reads: progress on standard error, results on standard output.

The only module that prints. A step is one line with its elapsed time; on a terminal the line counts the
seconds while it runs, elsewhere a step that takes long says now and then that it is still at work.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import TextIO

_WIDTH = 46
_FIRST_NOTE_SECONDS = 20.0
_NOTE_SECONDS = 60.0


def duration(seconds: float) -> str:
    """Format seconds for people: ``0.4 s``, ``12.3 s``, ``3 min 05 s``."""
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


class Console:
    """Prints progress and results; ``quiet`` leaves only warnings and results."""

    def __init__(self, *, quiet: bool = False, progress: TextIO | None = None, results: TextIO | None = None):
        self.quiet = quiet
        self._progress = progress
        self._results = results
        self._lock = threading.Lock()

    @property
    def progress(self) -> TextIO:
        """The stream for progress; looked up late, because test runners replace ``sys.stderr``."""
        return self._progress or sys.stderr

    def result(self, text: str) -> None:
        """Print what the user asked for."""
        print(text, file=self._results or sys.stdout, flush=True)

    def info(self, text: str) -> None:
        """Print one line of progress."""
        if not self.quiet:
            self._write(f"{text}\n")

    def warning(self, text: str) -> None:
        """Print something that the user should know although the command goes on."""
        self._write(f"devcluster: {text}\n")

    def error(self, text: str) -> None:
        """Print why the command failed."""
        self._write(f"devcluster: error: {text}\n")

    @contextlib.contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show one line for the work inside the block, with the time that it took."""
        if self.quiet:
            yield
            return
        started = time.monotonic()
        done = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(text, started, done), daemon=True)
        ticker.start()
        outcome = "failed"
        try:
            yield
            outcome = ""
        finally:
            done.set()
            ticker.join()
            elapsed = duration(time.monotonic() - started)
            self._write(f"{self._clear()}  {text:<{_WIDTH}} {elapsed:>12}  {outcome}".rstrip() + "\n")

    def _tick(self, text: str, started: float, done: threading.Event) -> None:
        live = self.progress.isatty()
        wait = 0.2 if live else _FIRST_NOTE_SECONDS
        while not done.wait(wait):
            elapsed = duration(time.monotonic() - started)
            if live:
                self._write(f"{self._clear()}  {text:<{_WIDTH}} {elapsed:>12}")
            else:
                self._write(f"  {text:<{_WIDTH}} {elapsed:>12}  so far\n")
                wait = _NOTE_SECONDS

    def _clear(self) -> str:
        return "\r\x1b[K" if self.progress.isatty() else ""

    def _write(self, text: str) -> None:
        with self._lock:
            self.progress.write(text)
            self.progress.flush()
