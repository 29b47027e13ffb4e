from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from devcluster import controlplane, processes
from devcluster.components import Ports
from devcluster.controlplane import ControlPlane
from devcluster.errors import StartFailedError
from devcluster.tools import tool

# The first run on a machine builds Kubernetes.
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with ControlPlane.start(tmp_path_factory.mktemp("plane")) as running:
        yield running


def kubectl(plane: ControlPlane, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [str(tool("kubectl")), f"--kubeconfig={plane.kubeconfig}", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60)


def ok(plane: ControlPlane, *arguments: str, stdin: str = "") -> str:
    done = kubectl(plane, *arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


def processes_of(directory: Path) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(directory) in line:
                found.append(line)
    return found


def test_the_api_is_kubernetes_and_listens_on_the_loopback_interface_only(plane: ControlPlane) -> None:
    version = json.loads(ok(plane, "version", "-o", "json"))
    assert version["serverVersion"]["gitVersion"] == "v1.34.4"
    assert plane.server.startswith("https://127.0.0.1:")
    port = int(plane.server.rpartition(":")[2])
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    addresses = {address for address in listening if address.endswith(f":{port:04X}")}
    assert f"0100007F:{port:04X}" in addresses
    assert f"00000000:{port:04X}" not in addresses


def test_rbac_is_enforced(plane: ControlPlane) -> None:
    ok(plane, "create", "serviceaccount", "reader")
    ok(plane, "create", "role", "reader", "--verb=get,list", "--resource=configmaps")
    ok(plane, "create", "rolebinding", "reader", "--role=reader", "--serviceaccount=default:reader")
    token = ok(plane, "create", "token", "reader").strip()
    admin = json.loads(plane.kubeconfig.read_text())
    admin["users"][0]["user"] = {"token": token}
    config = plane.directory / "reader.json"
    config.write_text(json.dumps(admin))
    as_reader = f"--kubeconfig={config}"
    allowed = kubectl(plane, as_reader, "get", "configmaps")
    assert allowed.returncode == 0, allowed.stderr
    refused = kubectl(plane, as_reader, "get", "secrets")
    assert refused.returncode == 1
    assert 'cannot list resource "secrets"' in refused.stderr


def test_nobody_gets_in_without_credentials(plane: ControlPlane) -> None:
    context = ssl.create_default_context(cafile=str(plane.directory / "pki" / "ca.crt"))
    with pytest.raises(HTTPError) as refused, urlopen(f"{plane.server}/api/v1/secrets", context=context):  # noqa: S310
        pass
    assert refused.value.code in (401, 403)
    refused.value.close()


def test_the_garbage_collector_removes_what_an_owner_leaves(plane: ControlPlane) -> None:
    ok(plane, "create", "configmap", "owner")
    uid = ok(plane, "get", "configmap", "owner", "-o", "jsonpath={.metadata.uid}")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    child = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "child", "ownerReferences": [reference]},
    }
    ok(plane, "create", "-f", "-", stdin=json.dumps(child))
    ok(plane, "delete", "configmap", "owner")
    ok(plane, "wait", "--for=delete", "configmap/child", "--timeout=40s")


def test_a_pod_that_is_held_does_not_end_because_no_node_has_it(plane: ControlPlane) -> None:
    """The pod garbage collector calls such pods failed, at a moment that no test can know."""
    ok(plane, "run", "held", "--image=none")
    patch = ["patch", "pod", "held", "--type=merge", "-p"]
    ok(plane, *patch, '{"metadata":{"finalizers":["example.com/hold"]}}')
    ok(plane, "delete", "pod", "held", "--wait=false")
    # what its disabled controllers are, it says before it starts the others; two of the collector's rounds
    # of 20 seconds were waited for once by hand
    log = plane.log("kube-controller-manager").read_text()
    disabled = [line for line in log.splitlines() if "controller is disabled" in line]
    assert any('"pod-garbage-collector-controller"' in line for line in disabled), disabled
    assert ok(plane, "get", "pod", "held", "-o", "jsonpath={.status.phase}") == "Pending"
    ok(plane, *patch, '{"metadata":{"finalizers":null}}')
    ok(plane, "wait", "--for=delete", "pod/held", "--timeout=30s")


def test_controllers_work_on_deployments_jobs_and_namespaces(plane: ControlPlane) -> None:
    ok(plane, "create", "namespace", "temporary")
    ok(plane, "-n", "temporary", "create", "deployment", "web", "--image=none", "--replicas=2")
    ok(plane, "-n", "temporary", "create", "job", "once", "--image=none")
    ok(
        plane,
        "-n",
        "temporary",
        "wait",
        "--for=jsonpath={.status.replicas}=2",
        "deployment/web",
        "--timeout=30s",
    )
    ok(plane, "-n", "temporary", "wait", "--for=jsonpath={.status.active}=1", "job/once", "--timeout=30s")
    ok(plane, "delete", "namespace", "temporary", "--timeout=40s")


def test_every_change_is_in_the_audit_log_with_its_author_and_without_its_content(
    plane: ControlPlane,
) -> None:
    ok(plane, "create", "secret", "generic", "audited", "--from-literal=password=not-for-the-log")
    ok(plane, "get", "secret", "audited")
    text = plane.log("audit").read_text()
    events = [json.loads(line) for line in text.splitlines()]
    found = [event for event in events if event["objectRef"].get("name") == "audited"]
    assert [event["verb"] for event in found] == ["create"]
    assert found[0]["user"]["username"] == "devcluster-admin"
    assert found[0]["userAgent"].startswith("kubectl")
    assert {event["verb"] for event in events}.isdisjoint({"get", "list", "watch"})
    assert "not-for-the-log" not in text


def test_two_start_at_once_and_know_nothing_of_each_other(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(ControlPlane.start, [tmp_path / "1", tmp_path / "2"])
    with first, second:
        assert first.server != second.server
        ok(first, "create", "configmap", "mine")
        assert kubectl(second, "get", "configmap", "mine").returncode == 1


def test_stop_leaves_no_process_and_a_second_start_keeps_the_data_and_the_address(tmp_path: Path) -> None:
    plane = ControlPlane.start(tmp_path / "x")
    server = plane.server
    ok(plane, "create", "configmap", "kept")
    assert len(processes_of(tmp_path)) == 3
    plane.stop()
    assert processes_of(tmp_path) == []
    assert ControlPlane.attach(tmp_path / "x").running is False  # type: ignore[union-attr]
    with ControlPlane.start(tmp_path / "x") as again:
        assert again.server == server
        ok(again, "get", "configmap", "kept")


def test_a_taken_port_is_replaced_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choose = controlplane._ports
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bad = Ports(taken.getsockname()[1], *(choose(tmp_path, fresh=True).etcd + n for n in (0, 1)))

        def first_bad(directory: Path, *, fresh: bool) -> Ports:
            return choose(directory, fresh=True) if fresh else bad

        monkeypatch.setattr(controlplane, "_ports", first_bad)
        with ControlPlane.start(tmp_path / "x") as plane:
            assert plane.server != f"https://127.0.0.1:{bad.api}"
            ok(plane, "get", "namespaces")


def test_the_scheduler_is_there_on_request(tmp_path: Path) -> None:
    with ControlPlane.start(tmp_path / "x", scheduler=True) as plane:
        assert set(plane.processes) == {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}
        ok(plane, "run", "pod", "--image=none")
        condition = "--for=condition=PodScheduled=False"
        ok(plane, "wait", condition, "pod/pod", "--timeout=30s")


def test_a_program_that_does_not_come_up_is_named_with_its_log_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(binary: Path, layout: object) -> list[str]:
        return [str(binary), "--no-such-flag", str(tmp_path)]

    monkeypatch.setattr("devcluster.components.apiserver", broken)
    with pytest.raises(StartFailedError, match=r"(?s)kube-apiserver ended at once.*unknown flag.*log:"):
        ControlPlane.start(tmp_path / "x")
    assert processes_of(tmp_path) == []


OWNER = """
import sys, time
from pathlib import Path
from devcluster.controlplane import ControlPlane
plane = ControlPlane.start(Path(sys.argv[1]))
print("up", flush=True)
time.sleep(600)
"""


def test_it_ends_with_an_owner_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(tmp_path / "x")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "up\n"
        os.kill(owner.pid, signal.SIGKILL)
    assert processes.wait_until(lambda: processes_of(tmp_path) == [], seconds=20)


def test_the_command_line_starts_one_that_outlives_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"test-{os.getpid()}"

    def devcluster(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "devcluster", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    try:
        up = devcluster("up", "--control-plane", "--name", name)
        assert up.returncode == 0, up.stderr
        assert f"Control plane '{name}' is up at https://127.0.0.1:" in up.stderr
        assert "already up" in devcluster("up", "--control-plane", "--name", name).stderr
        config = devcluster("kubeconfig", "--name", name).stdout.strip()
        command = [str(tool("kubectl")), f"--kubeconfig={config}", "get", "ns"]
        listed = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert "kube-system" in listed.stdout
        row = next(line for line in devcluster("status").stdout.splitlines() if line.startswith(name))
        assert "control plane" in row
        assert "running" in row
        assert "is a control plane without a node" in devcluster("up", "--name", name).stderr
    finally:
        down = devcluster("down", "--name", name, "--purge")
    assert "is down, its data is deleted" in down.stderr
    assert processes_of(Path(config).parent) == []
    assert not Path(config).parent.exists()
