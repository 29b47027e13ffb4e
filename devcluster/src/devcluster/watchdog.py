"""Kills given processes when the process that wrote their ids ends without taking its leave.

Run as a program with a pipe as standard input: lines ``<pid> <start ticks>`` name processes, ``done``
means that all is well. When the pipe closes without ``done`` the writer died (kill -9, out of memory)
and its daemons must not outlive it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from types import TracebackType

from devcluster.processes import Process


class Watchdog:
    """The side of the process that is watched."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "devcluster.watchdog"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            cwd="/",
        )

    def watch(self, process: Process) -> None:
        """Have this process killed when we die."""
        self._write(f"{process.pid} {process.started}\n")

    def dismiss(self) -> None:
        """End the watch and leave the processes alone."""
        self._write("done\n")
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _write(self, line: str) -> None:
        if self._process.stdin and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(line)
                self._process.stdin.flush()

    def __enter__(self) -> Watchdog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.dismiss()


def main() -> None:
    """Read process ids until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    watched: list[Process] = []
    for line in sys.stdin:
        if line.strip() == "done":
            return
        pid, started = line.split()
        watched.append(Process(int(pid), int(started)))
    for process in watched:
        process.kill()


if __name__ == "__main__":
    main()
    os._exit(0)
