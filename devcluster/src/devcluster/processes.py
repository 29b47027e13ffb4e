"""Daemons: started in sessions of their own, identified beyond doubt, stopped within a deadline."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process: its id and its start time (clock ticks since boot), so that a reused id is noticed."""

    pid: int
    started: int

    def alive(self) -> bool:
        """Say whether this very process still runs; a zombie does not."""
        with contextlib.suppress(ChildProcessError, OSError):
            os.waitpid(self.pid, os.WNOHANG)  # reap it when it is our child
        state = _state(self.pid)
        return state is not None and state[0] not in "ZX" and state[1] == self.started

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal unless the process ended already."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _fields(pid: int) -> list[str]:
    try:
        # The command name is in parentheses and may hold anything, so split after the last one.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _state(pid: int) -> tuple[str, int] | None:
    fields = _fields(pid)
    return (fields[0], int(fields[19])) if fields else None


def parent(pid: int) -> int | None:
    """Return the id of a process's parent, or None when the process is gone."""
    fields = _fields(pid)
    return int(fields[1]) if fields else None


def identify(pid: int) -> Process:
    """Return the running process with that id, or one that counts as ended."""
    state = _state(pid)
    return Process(pid, state[1] if state else -1)


def start(command: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None) -> Process:
    """Start a daemon whose output is appended to ``log``.

    It has its own session, so that Ctrl-C in a terminal does not reach it, and it inherits no open
    file. ``posix_spawn`` rather than ``Popen``: the daemon is to outlive us, and a forgotten Popen
    object complains.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    full = dict(os.environ if environment is None else environment)
    pid = os.posix_spawnp(command[0], list(command), full, file_actions=actions, setsid=True)
    return identify(pid)


def wait_until(condition: Callable[[], bool], *, seconds: float, interval: float = 0.05) -> bool:
    """Wait for a condition; return False when it did not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True


def stop(processes: Iterable[Process], *, grace: float, seconds: float = 10.0) -> bool:
    """Ask processes to end, kill those left after ``grace`` seconds; say whether all are gone."""
    remaining = [process for process in processes if process.alive()]
    if grace > 0:
        for process in remaining:
            process.kill(signal.SIGTERM)
        wait_until(lambda: not any(process.alive() for process in remaining), seconds=grace, interval=0.02)
    for process in remaining:
        process.kill()
    return wait_until(
        lambda: not any(process.alive() for process in remaining), seconds=seconds, interval=0.02
    )
