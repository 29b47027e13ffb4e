from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from devcluster import processes
from devcluster.processes import Process


def sleeper(log: Path, seconds: str = "60") -> Process:
    return processes.start(["sleep", seconds], log)


def open_files(pid: int) -> set[str]:
    """Return what the process holds open; not what it closes meanwhile (its own libraries)."""
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(os.readlink(descriptor))
    return found


def test_a_daemon_writes_to_its_log_and_has_its_own_session(tmp_path: Path) -> None:
    log = tmp_path / "log" / "x.log"
    process = processes.start(["sh", "-c", "echo out; echo err >&2; sleep 60"], log)
    try:
        assert processes.wait_until(lambda: log.read_text() == "out\nerr\n", seconds=10)
        assert os.getsid(process.pid) == process.pid
        assert process.alive()
    finally:
        processes.stop([process], grace=0)
    assert not process.alive()


def test_a_daemon_inherits_no_open_file(tmp_path: Path) -> None:
    with (tmp_path / "open").open("w") as handle:
        process = sleeper(tmp_path / "x.log")
        try:
            inherited = open_files(process.pid)
        finally:
            processes.stop([process], grace=0)
        assert str(tmp_path / "x.log") in inherited
        assert str(tmp_path / "open") not in inherited
        assert handle.writable()


def test_a_process_that_ended_is_not_alive_even_as_a_zombie(tmp_path: Path) -> None:
    process = sleeper(tmp_path / "x.log", "0")
    assert processes.wait_until(lambda: not process.alive(), seconds=10)


def test_a_reused_process_id_is_somebody_else(tmp_path: Path) -> None:
    process = sleeper(tmp_path / "x.log")
    try:
        stranger = Process(process.pid, process.started - 1)
        assert not stranger.alive()
        stranger.kill()
        assert process.alive()
    finally:
        processes.stop([process], grace=0)


def test_a_process_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    process = processes.start(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"], log)
    assert processes.wait_until(lambda: "ready" in log.read_text(), seconds=10)
    began = time.monotonic()
    assert processes.stop([process], grace=0.3)
    assert 0.3 <= time.monotonic() - began < 5


def test_a_process_that_ends_when_asked_is_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    assert processes.stop([sleeper(tmp_path / "x.log")], grace=30)
    assert time.monotonic() - began < 10


def test_the_parent_of_a_process_is_known(tmp_path: Path) -> None:
    process = sleeper(tmp_path / "x.log")
    try:
        assert processes.parent(process.pid) == os.getpid()
    finally:
        processes.stop([process], grace=0)


WATCHED = """
import sys, time
from pathlib import Path
from devcluster import processes
from devcluster.watchdog import Watchdog
dog = Watchdog()
process = processes.start(["sleep", "60"], Path(sys.argv[1]))
dog.watch(process)
print(process.pid, process.started, flush=True)
if sys.argv[2] == "dismiss":
    dog.dismiss()
else:
    time.sleep(60)
"""


def run_watched(tmp_path: Path, how: str) -> tuple[subprocess.Popen[str], Process]:
    command = [sys.executable, "-c", WATCHED, str(tmp_path / "x.log"), how]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    if owner.stdout is None:
        pytest.fail("no pipe")
    pid, started = owner.stdout.readline().split()
    return owner, Process(int(pid), int(started))


def test_the_watchdog_kills_what_a_killed_owner_left(tmp_path: Path) -> None:
    owner, process = run_watched(tmp_path, "wait")
    with owner:
        assert process.alive()
        owner.send_signal(signal.SIGKILL)
    assert processes.wait_until(lambda: not process.alive(), seconds=10)


def test_a_dismissed_watchdog_leaves_the_process_alone(tmp_path: Path) -> None:
    owner, process = run_watched(tmp_path, "dismiss")
    with owner:
        assert owner.wait(timeout=20) == 0
    try:
        assert process.alive()
    finally:
        process.kill()
