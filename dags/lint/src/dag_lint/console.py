"""The one place that prints."""

from __future__ import annotations

import os
import sys


def out(text: str) -> None:
    """Write to standard output; a reader that went away is no error."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def err(text: str) -> None:
    """Write a line to standard error."""
    sys.stderr.write(text + "\n")


def color() -> bool:
    """Whether standard output is a terminal and nobody forbids colour."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
