from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.devcluster.nodes import TestNode, machine

from devcluster import processes

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]


@pytest.fixture
def node() -> Iterator[TestNode]:
    """A node whose data survives from test to test would hide what a test leaves: each has its own."""
    fresh = TestNode(f"life-{os.getpid()}")
    try:
        yield fresh
    finally:
        fresh.cli("down", "--purge")
        assert not fresh.node.spec.directory.exists()


def assert_no_trace(node: TestNode) -> None:
    assert node.traces() == {"processes": [], "mounts": [], "cgroups": []}


def wait_for_log(node: TestNode, component: str) -> None:
    log = node.node.spec.log(component)
    assert processes.wait_until(lambda: log.exists() and log.stat().st_size > 0, seconds=120)


def test_down_leaves_nothing_but_the_data_and_the_next_up_finds_it(node: TestNode) -> None:
    before = machine()
    node.cli("up")
    assert machine() == before
    server = node.kubeconfig.read_text()
    node.kubectl("create", "configmap", "kept")
    assert node.traces()["processes"] != []
    assert "its data is kept for the next up" in node.cli("down").stderr
    assert_no_trace(node)
    assert machine() == before
    node.cli("up")
    node.kubectl("get", "configmap", "kept")
    assert node.kubeconfig.read_text() == server
    assert "its data is deleted" in node.cli("down", "--purge").stderr
    assert_no_trace(node)
    assert not node.node.spec.directory.exists()


@pytest.mark.parametrize("victim", ["containerd", "kubelet", "kube-apiserver", "forward"])
def test_a_component_that_was_killed_is_reported_and_up_recovers(node: TestNode, victim: str) -> None:
    node.cli("up")
    node.kubectl("create", "configmap", "kept")
    pids = [pid for pid in node.members() if Path(f"/proc/{pid}/comm").read_text().strip() == victim[:15]]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert processes.wait_until(lambda: f"broken: {victim} ended" in node_row(node), seconds=20, interval=0.5)
    assert f"{victim} ended unexpectedly; starting it again" in node.cli("up").stderr
    node.kubectl("get", "configmap", "kept")
    node.cli("down")
    assert_no_trace(node)


def node_row(node: TestNode) -> str:
    status = subprocess.run(
        [*node.command("status")[:-2]], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    return next(line for line in status.splitlines() if re.match(rf"{node.name}\s", line))


def test_the_end_of_its_first_process_is_the_end_of_the_node(node: TestNode) -> None:
    node.cli("up")
    state = node.node.state()
    assert state is not None
    state.init.kill()
    assert processes.wait_until(lambda: "ended unexpectedly" in node_row(node), seconds=20, interval=0.5)
    assert processes.wait_until(lambda: node.traces()["processes"] == [], seconds=10)
    node.cli("up")
    assert "broken" not in node_row(node)


def test_down_after_components_were_killed_leaves_nothing(node: TestNode) -> None:
    node.cli("up")
    for pid in node.members():
        if Path(f"/proc/{pid}/comm").read_text().strip() in ("containerd", "kubelet", "etcd", "nsenter"):
            os.kill(pid, signal.SIGKILL)
    node.cli("down")
    assert_no_trace(node)


@pytest.mark.parametrize("moment", ["init", "etcd", "kubelet"])
def test_down_and_up_cope_with_a_command_line_that_was_killed_while_starting(
    node: TestNode, moment: str
) -> None:
    with subprocess.Popen(node.command("up"), stderr=subprocess.DEVNULL) as starting:
        log = node.node.spec.log(moment)
        assert processes.wait_until(log.exists, seconds=600)
        starting.kill()
    assert node.traces()["cgroups"] != []
    node.cli("down")
    assert_no_trace(node)
    node.cli("up")


def test_up_cleans_up_after_a_command_line_that_was_killed_while_starting(node: TestNode) -> None:
    with subprocess.Popen(node.command("up"), stderr=subprocess.DEVNULL) as starting:
        assert processes.wait_until(node.node.spec.log("kubelet").exists, seconds=600)
        starting.kill()
    old = node.members()
    node.cli("up")
    assert not old & node.members()
    node.kubectl("get", "nodes")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Children of a test run in the background of a script would ignore SIGINT: they inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_up_takes_down_what_it_started(
    node: TestNode, interruptible: None, number: signal.Signals
) -> None:
    with subprocess.Popen(node.command("up"), stderr=subprocess.PIPE, text=True) as starting:
        wait_for_log(node, "kube-apiserver")
        starting.send_signal(number)
        error = starting.communicate(timeout=60)[1]
    assert starting.returncode == 130
    assert "interrupted; what was started has been stopped" in error
    assert "Traceback" not in error
    assert_no_trace(node)


def test_ctrl_c_in_the_terminal_of_up_does_not_reach_a_running_node(node: TestNode) -> None:
    """A terminal sends the signal to the whole process group."""
    with subprocess.Popen(node.command("up"), stderr=subprocess.DEVNULL, process_group=0) as starting:
        assert starting.wait(timeout=1200) == 0
        with pytest.raises(ProcessLookupError):
            os.killpg(starting.pid, signal.SIGINT)
    time.sleep(0.5)
    assert "running" in node_row(node)


def test_two_nodes_with_different_names_live_side_by_side(node: TestNode) -> None:
    other = TestNode(f"b-{node.name}")  # not a longer form of the first: traces are found by name
    try:
        with subprocess.Popen(other.command("up"), stderr=subprocess.DEVNULL) as starting:
            node.cli("up")
            assert starting.wait(timeout=600) == 0
        node.kubectl("create", "configmap", "mine")
        assert other.try_kubectl("get", "configmap", "mine").returncode == 1
        node.cli("down")
        assert_no_trace(node)
        other.kubectl("get", "nodes")
    finally:
        other.cli("down", "--purge")


def test_two_ups_of_one_name_start_it_once(node: TestNode) -> None:
    with subprocess.Popen(node.command("up"), stderr=subprocess.PIPE, text=True) as first:
        second = node.cli("up").stderr
        error = first.communicate(timeout=600)[1]
    assert first.returncode == 0, error
    assert sorted("already up" in text for text in (error, second)) == [False, True]
