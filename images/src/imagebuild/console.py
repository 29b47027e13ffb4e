"""What the command line shows: one line per step with the seconds that it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO


@dataclass
class Console:
    """Progress on standard error, results on standard output."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    _open: bool = False

    def say(self, text: str) -> None:
        """A result, for people and for pipes."""
        print(text, file=self.out, flush=True)

    def note(self, text: str) -> None:
        """A line of progress."""
        self._close()
        print(text, file=self.err, flush=True)

    def _close(self) -> None:
        if self._open:
            print(file=self.err, flush=True)
            self._open = False

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show `title ...` now and the elapsed seconds, or `failed`, at the end."""
        self._close()
        print(f"{title} ...", end="", file=self.err, flush=True)
        self._open = True
        start = time.monotonic()
        result = "failed after"
        try:
            yield
            result = "done in"
        finally:
            seconds = f"{time.monotonic() - start:.1f} s"
            print(
                f" {seconds}" if self._open and result == "done in" else f"  {title}: {result} {seconds}",
                file=self.err,
                flush=True,
            )
            self._open = False


class QuietConsole(Console):
    """Says nothing: the default of the Python interface."""

    def say(self, text: str) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    @contextmanager
    def step(self, title: str) -> Iterator[None]:  # noqa: ARG002 - as its parent
        """Nothing."""
        yield
