"""Programs of a GitOps tool as processes beside a cluster: started, watched and ended together."""

from __future__ import annotations

import contextlib
import os
import socket
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devcluster import processes
from devcluster.processes import Process
from devcluster.watchdog import Watchdog

#: The rest of the caller's environment (ARGOCD_*, proxies, GIT_*) would change what is tested.
INHERITED = ("LANG", "LC_ALL", "PATH", "TZ")
LOOPBACK = "127.0.0.1"
START_SECONDS = 120.0
STOP_SECONDS = 60.0
_TAIL = 3000


class PortTakenError(Exception):
    """Somebody else got a port between the choice and the start."""


def free_ports(count: int) -> list[int]:
    """So many free ports of the loopback interface."""
    with contextlib.ExitStack() as stack:
        holders = [stack.enter_context(socket.socket()) for _ in range(count)]
        for holder in holders:
            holder.bind((LOOPBACK, 0))
        return [int(holder.getsockname()[1]) for holder in holders]


def inherited() -> dict[str, str]:
    """What every program gets of the caller's environment."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


@dataclass
class Together:
    """Processes by name. ``folder`` holds their logs."""

    folder: Path
    running: dict[str, Process] = field(default_factory=dict, kw_only=True)
    _watchdog: Watchdog | None = field(default=None, kw_only=True)

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """Around the start of all: what fails leaves nothing behind."""
        self._watchdog = Watchdog()
        try:
            yield
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all of them, by id; AssertionError when one survives."""
        gone = processes.stop(self.running.values(), grace=STOP_SECONDS)
        if self._watchdog:
            self._watchdog.dismiss()
            self._watchdog = None
        assert gone, f"a process does not end: {self.running}"
        self.running = {}

    def end(self, name: str) -> None:
        """End one of them, by id; AssertionError when it survives."""
        assert processes.stop([self.running.pop(name)], grace=STOP_SECONDS), f"{name} does not end"

    def log(self, name: str) -> Path:
        """The log of one of them."""
        return self.folder / "log" / f"{name}.log"

    def launch(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start one, with a new log."""
        self.log(name).unlink(missing_ok=True)
        process = processes.start(command, self.log(name), environment=environment)
        assert self._watchdog is not None
        self._watchdog.watch(process)
        self.running[name] = process

    def wait_answer(self, name: str, address: str) -> None:
        """Wait until a program answers 200; PortTakenError or AssertionError when one of all has ended."""

        def dead() -> list[str]:
            return [known for known, process in self.running.items() if not process.alive()]

        def up() -> bool:
            try:
                with urllib.request.urlopen(address, timeout=2) as answer:  # noqa: S310 - our own process
                    return bool(answer.status == 200)
            except OSError:
                return False

        in_time = processes.wait_until(lambda: bool(dead()) or up(), seconds=START_SECONDS)
        for known in dead():
            text = self.log(known).read_text(errors="replace")[-_TAIL:]
            if "address already in use" in text.lower():
                raise PortTakenError(known)
            raise AssertionError(f"{known} ended:\n{text}")
        assert in_time, f"{name} does not answer at {address}; log: {self.log(name)}"
