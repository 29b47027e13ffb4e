from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import forwarder, process

FAKE_KUBECTL = """#!/bin/sh
# port-forward: the last argument is local:remote
for last; do :; done
exec {python} -m http.server --bind 127.0.0.1 "${{last%%:*}}"
"""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "state"
    folder.mkdir()
    yield folder
    forwarder.stop(folder)


@pytest.fixture
def kubectl(tmp_path: Path) -> Path:
    path = tmp_path / "kubectl"
    path.write_text(FAKE_KUBECTL.format(python=sys.executable))
    path.chmod(0o755)
    (tmp_path / "kubeconfig").write_text("")
    return path


def start(state: Path, kubectl: Path, preferred: int = 0) -> str:
    spec = {"namespace": "n", "target": "svc/x", "port": 8080, "local": preferred or forwarder.free_port(0)}
    return forwarder.start(state, kubectl, kubectl.parent / "kubeconfig", {"x": spec})["x"]


def test_a_free_port_is_kept_and_a_taken_one_replaced() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert forwarder.free_port(port) != port
    assert forwarder.free_port(port) == port


def test_the_urls_work_until_it_is_stopped(state: Path, kubectl: Path) -> None:
    url = start(state, kubectl)
    assert forwarder.answers(url)
    assert forwarder.running(state)
    assert forwarder.stop(state)
    assert not forwarder.answers(url)
    assert not forwarder.stop(state)


def test_a_second_start_changes_nothing(state: Path, kubectl: Path) -> None:
    url = start(state, kubectl)
    pid = forwarder.running(state)
    assert start(state, kubectl, preferred=1) == url
    assert forwarder.running(state) == pid


def test_the_port_is_the_same_after_a_stop(state: Path, kubectl: Path) -> None:
    url = start(state, kubectl)
    forwarder.stop(state)
    assert start(state, kubectl) == url


def test_a_dead_forward_comes_back(state: Path, kubectl: Path) -> None:
    url = start(state, kubectl)
    supervisor = forwarder.running(state)
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    process.wait_for("its end", lambda: not forwarder.answers(url), seconds=5, poll=0.02)
    process.wait_for("its return", lambda: forwarder.answers(url), seconds=15, poll=0.1)


def test_it_ends_when_the_cluster_is_gone(state: Path, kubectl: Path) -> None:
    url = start(state, kubectl)
    (kubectl.parent / "kubeconfig").unlink()
    process.wait_for("its end", lambda: not forwarder.answers(url), seconds=10, poll=0.1)


def test_a_stranger_with_the_remembered_pid_is_left_alone(state: Path) -> None:
    (state / forwarder.PID).write_text(str(os.getpid()))
    assert forwarder.running(state) is None
    assert not forwarder.stop(state)


def test_a_forward_that_answers_no_more_is_restarted() -> None:
    forward = forwarder.Forward(["sleep", "30"], dict(os.environ), "http://127.0.0.1:9")
    try:
        forward.tend(100.0)
        assert forward.child is not None
        first = forward.child.pid
        for now in (110.0, 120.0):
            forward.tend(now)
        assert forward.child.poll() is not None, "two strikes end it"
        forward.tend(121.0)
        assert forward.child.pid != first
    finally:
        forward.stop()


def test_the_state_file_holds_no_secret(state: Path, kubectl: Path) -> None:
    start(state, kubectl)
    config = json.loads((state / forwarder.CONFIG).read_text())
    assert set(config) == {"kubectl", "kubeconfig", "forwards"}
