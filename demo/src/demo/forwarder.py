"""The small supervisor behind the demo's URLs: keeps `kubectl port-forward` alive after the demo has ended.

``demo up`` writes ``forwards.json`` and starts ``python -m demo.forwarder <state folder>`` detached from the
terminal; ``demo down`` ends it by its pid file. A forward dies with the pod behind it, so each is looked at
now and then and started again; when the pid file names somebody else or the kubeconfig is gone, the
supervisor ends.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from demo import process
from demo.errors import DemoError
from demo.state import read_json, write_json

CONFIG, PID, LOG = "forwards.json", "forwarder.pid", "forwarder.log"
LOOK_SECONDS = 10.0
STRIKES = 2
FIRST_DELAY, LONGEST_DELAY = 1.0, 15.0
START_SECONDS = 20.0


def free_port(preferred: int) -> int:
    """Return ``preferred`` when it is free on this machine, else some free port."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise DemoError("this machine has no free port")


def running(state: Path) -> int | None:
    """Return the pid of the supervisor of this state folder, if it is alive and really is ours."""
    try:
        pid = int((state / PID).read_text(encoding="ascii"))
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except (OSError, ValueError):
        return None
    return pid if "demo.forwarder" in command and str(state) in command else None


def stop(state: Path) -> bool:
    """End the supervisor and its forwards; return whether there was one."""
    pid = running(state)
    (state / PID).unlink(missing_ok=True)
    if pid is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 2 * process.STOP_SECONDS
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return True


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def start(
    state: Path, kubectl: Path, kubeconfig: Path, wanted: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """Make the URLs work: name -> ``{namespace, target, port, local}``; return name -> URL.

    ``local`` is the preferred port of this machine; the one used last time wins while it is free. A
    supervisor that already does exactly this is left alone.
    """
    before = read_json(state / CONFIG)
    kept = before.get("forwards", {})
    fixed = {"kubectl": str(kubectl), "kubeconfig": str(kubeconfig)}
    same = {name: {**spec, "local": kept.get(name, {}).get("local")} for name, spec in wanted.items()}
    if running(state) and before == {**fixed, "forwards": same}:
        return _urls(same)
    stop(state)
    forwards = {
        name: {**spec, "local": free_port(int(kept.get(name, {}).get("local") or spec["local"]))}
        for name, spec in wanted.items()
    }
    write_json(state / CONFIG, {**fixed, "forwards": forwards})
    process.run([sys.executable, "-m", "demo.forwarder", str(state)])
    urls = _urls(forwards)
    for name, url in urls.items():
        process.wait_for(f"{name} at {url}", functools.partial(answers, url), seconds=START_SECONDS, poll=0.2)
    return urls


def _urls(forwards: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {name: f"http://127.0.0.1:{spec['local']}" for name, spec in forwards.items()}


def answers(url: str) -> bool:
    """Whether an HTTP server answers there, whatever it says."""
    try:
        with urllib.request.urlopen(url, timeout=5.0):  # noqa: S310 - our own loopback address
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


@dataclass
class Forward:
    """One `kubectl port-forward` and its luck so far."""

    command: list[str]
    environment: dict[str, str]
    url: str
    child: subprocess.Popen[bytes] | None = None
    next_start: float = 0.0
    next_look: float = 0.0
    delay: float = FIRST_DELAY
    strikes: int = field(default=0)

    def tend(self, now: float) -> None:
        """Start it when it is down and due; look at it now and then; end it when it answers no more."""
        if self.child is None or self.child.poll() is not None:
            if now >= self.next_start:
                self._start(now)
        elif now >= self.next_look:
            self._look(now)

    def _start(self, now: float) -> None:
        self.child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, env=self.environment)
        self.next_start, self.next_look = now + self.delay, now + LOOK_SECONDS
        self.delay, self.strikes = min(2 * self.delay, LONGEST_DELAY), 0

    def _look(self, now: float) -> None:
        self.next_look = now + LOOK_SECONDS
        if answers(self.url):
            self.delay, self.strikes = FIRST_DELAY, 0
            return
        self.strikes += 1
        if self.strikes >= STRIKES:
            self.stop()

    def stop(self) -> None:
        """End the process."""
        if self.child is not None:
            process.stop(self.child)


def forwards_of(config: Mapping[str, Any]) -> list[Forward]:
    """Return the forwards that a state file asks for."""
    environment = {**os.environ, "KUBECONFIG": config["kubeconfig"]}
    return [
        Forward(
            command=[
                config["kubectl"], "-n", spec["namespace"], "port-forward", "--address=127.0.0.1",
                spec["target"], f"{spec['local']}:{spec['port']}",
            ],
            environment=environment,
            url=f"http://127.0.0.1:{spec['local']}",
        )
        for spec in config["forwards"].values()
    ]  # fmt: skip


def serve(state: Path) -> None:
    """Tend the forwards until told to stop, replaced, or the cluster's kubeconfig disappears."""
    config = read_json(state / CONFIG)
    forwards = forwards_of(config)
    stopping: list[int] = []

    def on_signal(number: int, _: FrameType | None) -> None:
        stopping.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    try:
        while not stopping and Path(config["kubeconfig"]).exists() and _ours(state):
            for forward in forwards:
                forward.tend(time.monotonic())
            time.sleep(0.5)
    finally:
        _stop_all(forwards)


def detach(state: Path) -> bool:
    """Leave the terminal and the caller behind; True in the process that goes on (its pid is written)."""
    if os.fork():
        return False
    os.setsid()
    if os.fork():  # no longer a session leader: it can never get a terminal again
        os._exit(0)
    (state / PID).write_text(f"{os.getpid()}\n", encoding="ascii")
    log = os.open(state / LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    return True


def _ours(state: Path) -> bool:
    try:
        return (state / PID).read_text(encoding="ascii").strip() == str(os.getpid())
    except OSError:
        return False


def _stop_all(forwards: Iterable[Forward]) -> None:
    for forward in forwards:
        forward.stop()


def main(argv: Sequence[str]) -> None:
    """Serve the state folder in the background; return at once in the caller's process."""
    state = Path(argv[0])
    if detach(state):
        serve(state)


if __name__ == "__main__":
    main(sys.argv[1:])
