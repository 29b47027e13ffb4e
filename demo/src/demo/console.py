"""What the user reads. The only module of the demo that prints.

Progress and results both go to standard output: they are one story. On a terminal the line of a running step
counts its seconds and tables are redrawn in place; elsewhere every change is one plain line.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TextIO

_WIDTH = 58


def duration(seconds: float) -> str:
    """Return seconds for people: ``0.4 s``, ``12.3 s``, ``3 min 05 s``."""
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


class Console:
    """Prints steps with their times, live tables, and text."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out
        self._lock = threading.Lock()
        #: (title, seconds) of every finished step, in order
        self.timings: list[tuple[str, float]] = []

    @property
    def out(self) -> TextIO:
        """The stream, looked up late because test runners replace ``sys.stdout``."""
        return self._out or sys.stdout

    @property
    def live(self) -> bool:
        """Whether lines can be redrawn."""
        return self.out.isatty()

    def say(self, text: str = "") -> None:
        """Print text of the story."""
        self._write(f"{text}\n")

    def title(self, text: str) -> None:
        """Print a heading."""
        self._write(f"\n\x1b[1m{text}\x1b[0m\n" if self.live else f"\n{text}\n")

    @contextlib.contextmanager
    def step(self, title: str, *, long: bool = False) -> Iterator[None]:
        """Show one line and its seconds for the work in the block; ``long`` work prints lines of its own."""
        started = time.monotonic()
        done = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(title, started, done), daemon=True)
        if long:
            self._write(f"  {title} ...\n")
        elif self.live:
            ticker.start()
        outcome = "  failed"
        try:
            yield
            outcome = ""
        finally:
            done.set()
            if ticker.is_alive():
                ticker.join()
            seconds = time.monotonic() - started
            self.timings.append((title, seconds))
            clear = "\r\x1b[K" if self.live and not long else ""
            self._write(f"{clear}  {title:<{_WIDTH}} {duration(seconds):>12}{outcome}\n")

    def _tick(self, title: str, started: float, done: threading.Event) -> None:
        while not done.wait(0.2):
            self._write(f"\r\x1b[K  {title:<{_WIDTH}} {duration(time.monotonic() - started):>12}")

    def table(self) -> Table:
        """Return a table that can be redrawn."""
        return Table(self)

    def _write(self, text: str) -> None:
        with self._lock:
            self.out.write(text)
            self.out.flush()

    def write(self, text: str) -> None:
        """Write raw text (for Table)."""
        self._write(text)


class Table:
    """Lines that are redrawn in place on a terminal; elsewhere only the news are printed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._height = 0

    def show(self, lines: Sequence[str], news: Sequence[str]) -> None:
        """Draw ``lines`` over the earlier ones, or print ``news`` where nothing can be redrawn."""
        if not self._console.live:
            for line in news:
                self._console.say(f"    {line}")
            return
        up = f"\x1b[{self._height}A" if self._height else ""
        # A line that wraps would count twice on the way up.
        room = shutil.get_terminal_size().columns - 1
        self._console.write(up + "".join(f"\x1b[K{f'  {line}'[:room]}\n" for line in lines))
        self._height = len(lines)
