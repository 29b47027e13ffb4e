"""Run other programs: by list, with a deadline, with secrets on standard input only."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TypeVar

from demo.errors import CommandError, WaitTimeoutError

T = TypeVar("T")
TAIL = 4000
STOP_SECONDS = 5.0


def run(
    command: Sequence[str | Path],
    *,
    stdin: str = "",
    timeout: float = 120.0,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> str:
    """Run a program and return its standard output; CommandError holds the end of its standard error."""
    program = Path(command[0]).name
    try:
        done = subprocess.run(
            [str(part) for part in command],
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env=None if environment is None else dict(environment),
            cwd=directory,
        )
    except subprocess.TimeoutExpired as exc:
        raise CommandError(program, -1, f"no end after {timeout:.0f} s") from exc
    except OSError as exc:
        raise CommandError(program, -1, str(exc)) from exc
    if done.returncode != 0:
        raise CommandError(program, done.returncode, (done.stderr or done.stdout)[-TAIL:])
    return done.stdout


@contextlib.contextmanager
def background(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    log: IO[bytes] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Keep a program running inside the block; it is stopped at the end, whatever happens."""
    process = subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=log or subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        env=None if environment is None else dict(environment),
    )
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and insist after some seconds."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def wait_for(
    what: str,
    check: Callable[[], T | None],
    *,
    seconds: float,
    poll: float = 1.0,
    seen: Callable[[], object] | None = None,
) -> T:
    """Call ``check`` until it returns something true and return that; raise WaitTimeoutError at the deadline.

    ``check`` is called once more after the deadline has passed, so that a machine that slept through the wait
    gets its chance. ``seen`` says what to blame when it never came.
    """
    deadline = time.monotonic() + seconds
    while True:
        late = time.monotonic() >= deadline
        value = check()
        if value:
            return value
        if late:
            raise WaitTimeoutError(what, seconds, seen() if seen else value)
        time.sleep(poll)
