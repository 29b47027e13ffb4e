from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from tests.devcluster.nodes import TestNode

from devcluster import oci
from devcluster.node.images import BUSYBOX_IMAGE
from devcluster.node.loading import ImageStore
from devcluster.oci import Entry
from devcluster.tools import tool

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

MANIFESTS = Path(__file__).with_name("manifests")


@pytest.fixture(scope="module")
def node() -> Iterator[TestNode]:
    running = TestNode(f"test-{os.getpid()}")
    running.cli("up")
    try:
        yield running
    finally:
        running.cli("down", "--purge")


def apply(node: TestNode, file: str) -> None:
    node.kubectl("apply", "-f", "-", stdin=(MANIFESTS / file).read_text().replace("BUSYBOX", BUSYBOX_IMAGE))


@pytest.fixture(scope="module")
def web(node: TestNode) -> TestNode:
    """Two web servers behind a Service, in namespace ``web``."""
    apply(node, "web.yaml")
    node.kubectl("-n", "web", "rollout", "status", "deployment/web", "--timeout=60s")
    return node


def eventually(check: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.3)
    return True


def test_the_node_is_ready_and_is_the_version_it_claims(node: TestNode) -> None:
    (item,) = node.json("get", "nodes")["items"]
    info = item["status"]["nodeInfo"]
    assert info["kubeletVersion"] == "v1.34.4"
    assert info["containerRuntimeVersion"] == "containerd://2.4.2"


def test_up_again_does_nothing_and_says_so(node: TestNode) -> None:
    before = node.json("get", "nodes")["items"][0]["status"]["nodeInfo"]["bootID"]
    pids = node.members()
    assert f"Cluster '{node.name}' is already up at https://127.0.0.1:" in node.cli("up").stderr
    assert node.json("get", "nodes")["items"][0]["status"]["nodeInfo"]["bootID"] == before
    assert pids & node.members() == pids


def test_standard_is_the_default_storage_class(node: TestNode) -> None:
    (storage,) = node.json("get", "storageclasses")["items"]
    assert storage["metadata"]["name"] == "standard"
    assert storage["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"


def test_services_are_found_by_name_and_balance_over_their_pods(web: TestNode) -> None:
    web.kubectl("-n", "web", "wait", "--for=condition=Ready", "pod/client", "--timeout=60s")
    for name in ("web", "web.web", "web.web.svc.cluster.local"):
        answer = web.kubectl(
            "-n", "web", "exec", "client", "--", "timeout", "5", "wget", "-qO-", f"http://{name}/"
        )
        assert answer.startswith("web-")
    seen = set()

    def both() -> bool:
        seen.add(web.kubectl("-n", "web", "exec", "client", "--", "wget", "-qO-", "http://web/"))
        return len(seen) == 2

    assert eventually(both)


def test_a_foreign_name_is_answered_at_once_with_no_such_name(web: TestNode) -> None:
    began = time.monotonic()
    lookup = ("-n", "web", "exec", "client", "--", "nslookup", "example.com.")
    done = web.try_kubectl(*lookup)
    assert done.returncode != 0
    assert "NXDOMAIN" in done.stdout + done.stderr
    assert time.monotonic() - began < 5


def test_a_job_writes_to_a_volume_that_another_pod_reads_and_that_is_removed_with_its_claim(
    node: TestNode,
) -> None:
    apply(node, "volume.yaml")
    node.kubectl("-n", "volume", "wait", "--for=condition=Complete", "job/writer", "--timeout=60s")
    node.kubectl("-n", "volume", "wait", "--for=condition=Ready", "pod/reader", "--timeout=60s")
    assert node.kubectl("-n", "volume", "exec", "reader", "--", "cat", "/data/file") == "written\n"
    # A local volume obeys fsGroup, as those of real clusters do.
    assert node.kubectl("-n", "volume", "exec", "reader", "--", "stat", "-c", "%g", "/data") == "4321\n"
    (volume,) = node.json("get", "pv")["items"]
    directory = Path(volume["spec"]["local"]["path"])
    assert (directory / "file").read_text() == "written\n"
    node.kubectl("delete", "namespace", "volume", "--timeout=60s")
    assert eventually(lambda: node.json("get", "pv")["items"] == [])
    assert not directory.exists()


def test_logs_exec_and_its_exit_code(web: TestNode) -> None:
    assert "serving" in web.kubectl("-n", "web", "logs", "deployment/web")
    done = web.try_kubectl("-n", "web", "exec", "client", "--", "sh", "-c", "cat; exit 7", stdin="")
    assert done.returncode == 7
    command = ("-n", "web", "exec", "-i", "client", "--", "cat")
    assert web.kubectl(*command, stdin="through\n") == "through\n"


def test_port_forward_from_the_machine(web: TestNode) -> None:
    command = [str(tool("kubectl")), f"--kubeconfig={web.kubeconfig}", "-n", "web", "port-forward"]
    with subprocess.Popen([*command, "svc/web", ":80"], stdout=subprocess.PIPE, text=True) as forward:
        try:
            assert forward.stdout is not None
            port = forward.stdout.readline().split("127.0.0.1:")[1].split(" ")[0]
            url = f"http://127.0.0.1:{port}/"
            fetched = subprocess.run(
                ["curl", "-sS", "--max-time", "5", url], capture_output=True, text=True, check=True
            )
            assert fetched.stdout.startswith("web-")
        finally:
            forward.terminate()


def test_a_memory_limit_is_enforced(web: TestNode) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "greedy", "namespace": "web"},
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "c",
                    "image": BUSYBOX_IMAGE,
                    "imagePullPolicy": "Never",
                    "command": ["sh", "-c", "tail /dev/zero"],
                    "resources": {"limits": {"memory": "32Mi"}},
                }
            ],
        },
    }
    web.kubectl("apply", "-f", "-", stdin=json.dumps(pod))
    web.kubectl("-n", "web", "wait", "--for=jsonpath={.status.phase}=Failed", "pod/greedy", "--timeout=60s")
    reason = "jsonpath={.status.containerStatuses[0].state.terminated.reason}"
    assert web.kubectl("-n", "web", "get", "pod", "greedy", "-o", reason) == "OOMKilled"


class Reachability:
    """Who reaches whom, over the network."""

    def __init__(self, node: TestNode):
        self._node = node
        self.database = node.kubectl("-n", "team-b", "get", "pod", "db", "-o", "jsonpath={.status.podIP}")

    def http(self, namespace: str, pod: str, target: str) -> bool:
        fetch = ("--", "timeout", "2", "wget", "-qO-", f"http://{target}/")
        done = self._node.try_kubectl("-n", namespace, "exec", pod, *fetch)
        return done.stdout == "DB\n"

    def api(self, namespace: str) -> bool:
        connect = ("--", "timeout", "2", "sh", "-c", "nc -w 1 10.96.0.1 443 < /dev/null")
        return self._node.try_kubectl("-n", namespace, "exec", "client", *connect).returncode == 0


@pytest.fixture(scope="module")
def teams(node: TestNode) -> Reachability:
    """A database of team b, clients of both teams and a monitor; no policy yet."""
    apply(node, "teams.yaml")
    for pod in ("team-b/db", "team-a/client", "team-b/client", "monitoring/prom"):
        namespace, name = pod.split("/")
        node.kubectl("-n", namespace, "wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
    return Reachability(node)


def test_without_policy_everybody_reaches_the_database(teams: Reachability) -> None:
    assert eventually(lambda: teams.http("team-a", "client", "db.team-b:5432"))
    assert teams.http("team-a", "client", f"{teams.database}:9187")
    assert teams.http("monitoring", "prom", "db.team-b:9187")


@pytest.fixture(scope="module")
def walled(teams: Reachability, node: TestNode) -> Reachability:
    """The same with policies: the database admits its clients, team a may only talk to itself and DNS."""
    assert eventually(lambda: teams.http("team-a", "client", "db.team-b:5432"))
    apply(node, "policies.yaml")
    assert eventually(lambda: not teams.http("team-a", "client", "db.team-b:5432"))
    return teams


def test_a_client_of_the_same_namespace_is_admitted_by_label_and_named_port(walled: Reachability) -> None:
    assert walled.http("team-b", "client", "db:5432")


def test_a_port_that_the_policy_does_not_name_is_closed(walled: Reachability) -> None:
    assert not walled.http("team-b", "client", "db:9187")


def test_another_namespace_is_shut_out_by_service_and_by_pod_address(walled: Reachability) -> None:
    assert not walled.http("team-a", "client", "db.team-b:5432")
    assert not walled.http("team-a", "client", f"{walled.database}:5432")


def test_a_pod_of_a_selected_namespace_reaches_its_port_only(walled: Reachability) -> None:
    assert walled.http("monitoring", "prom", "db.team-b:9187")
    assert not walled.http("monitoring", "prom", "db.team-b:5432")


def test_a_changed_label_changes_what_a_pod_may_do(walled: Reachability, node: TestNode) -> None:
    node.kubectl("-n", "team-b", "label", "pod", "client", "app=x", "--overwrite")
    assert eventually(lambda: not walled.http("team-b", "client", "db:5432"))
    node.kubectl("-n", "team-b", "label", "pod", "client", "app=client", "--overwrite")
    assert eventually(lambda: walled.http("team-b", "client", "db:5432"))


def test_egress_to_the_api_server_is_closed_for_one_team_and_open_for_the_other(walled: Reachability) -> None:
    assert not walled.api("team-a")
    assert walled.api("team-b")


def test_probes_of_the_kubelet_pass_a_closed_pod(walled: Reachability, node: TestNode) -> None:
    status = node.json("-n", "team-b", "get", "pod", "db")["status"]["containerStatuses"][0]
    assert status["ready"]
    assert status["restartCount"] == 0


def image(path: Path, reference: str, *contents: bytes) -> str:
    entries = [Entry(f"file-{number}", 0o644, content) for number, content in enumerate(contents)]
    return oci.write(path, reference, entries, {"Cmd": ["/none"]}, "amd64")


def digests(node: TestNode) -> dict[str, str]:
    return ImageStore(node.node.namespaces(), tool("ctr")).digests()


def test_load_imports_an_image_once(node: TestNode, tmp_path: Path) -> None:
    digest = image(tmp_path / "a.tar", "localhost/test/a:1", b"one")
    assert "imported" in node.cli("load", str(tmp_path / "a.tar")).stderr
    assert digests(node)["localhost/test/a:1"] == digest
    assert "already there" in node.cli("load", str(tmp_path / "a.tar")).stderr


def test_load_gives_a_known_image_another_name_without_importing(node: TestNode, tmp_path: Path) -> None:
    digest = image(tmp_path / "a.tar", "localhost/test/b:1", b"two")
    node.cli("load", str(tmp_path / "a.tar"))
    image(tmp_path / "b.tar", "localhost/test/b:2", b"two")
    assert "tagged" in node.cli("load", str(tmp_path / "b.tar")).stderr
    assert digests(node)["localhost/test/b:2"] == digest


def test_load_moves_a_name_to_a_changed_image(node: TestNode, tmp_path: Path) -> None:
    image(tmp_path / "a.tar", "localhost/test/c:dev", b"old")
    node.cli("load", str(tmp_path / "a.tar"))
    digest = image(tmp_path / "b.tar", "localhost/test/c:dev", b"new")
    assert "imported" in node.cli("load", str(tmp_path / "b.tar")).stderr
    assert digests(node)["localhost/test/c:dev"] == digest


def test_a_tar_without_the_layers_that_the_node_has_is_enough_for_a_running_pod(
    node: TestNode, tmp_path: Path
) -> None:
    busybox = next(path for path in node.own_images() if path.stem == "busybox")
    (known,) = oci.images(busybox)
    with (tmp_path / "thin.tar").open("wb") as thin:
        oci.copy_without(busybox, thin, set(known.layers))
    renamed = rename(tmp_path / "thin.tar", tmp_path / "renamed.tar", "localhost/test/thin:1")
    assert renamed.stat().st_size < 20_000
    assert "imported" in node.cli("load", str(renamed)).stderr
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "thin"},
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "c",
                    "image": "localhost/test/thin:1",
                    "imagePullPolicy": "Never",
                    "command": ["echo", "hi"],
                }
            ],
        },
    }
    node.kubectl("apply", "-f", "-", stdin=json.dumps(pod))
    node.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/thin", "--timeout=60s")
    assert node.kubectl("logs", "thin") == "hi\n"


def rename(source: Path, target: Path, reference: str) -> Path:
    """Copy an image under another name and with another manifest, so that it must be imported."""
    import hashlib
    import io
    import tarfile

    with tarfile.open(source) as archive:
        files = {m.name: archive.extractfile(m).read() for m in archive}  # type: ignore[union-attr]
    index = json.loads(files["index.json"])
    (entry,) = index["manifests"]
    manifest = json.loads(files.pop(f"blobs/sha256/{entry['digest'].removeprefix('sha256:')}"))
    manifest["annotations"] = {"changed": "yes"}
    content = json.dumps(manifest).encode()
    digest = hashlib.sha256(content).hexdigest()
    names = {"io.containerd.image.name": reference}
    index["manifests"] = [{**entry, "digest": f"sha256:{digest}", "size": len(content), "annotations": names}]
    files["index.json"] = json.dumps(index).encode()
    files[f"blobs/sha256/{digest}"] = content
    with tarfile.open(target, "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return target


def test_a_file_that_is_no_image_is_refused(node: TestNode, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_text("x")
    done = node.try_cli("load", str(tmp_path / "x.tar"))
    assert done.returncode == 1
    assert "x.tar is not an image in OCI layout" in done.stderr


def test_logs_and_shell_of_the_command_line(node: TestNode) -> None:
    assert "applied" in node.cli("logs", "netpol").stdout
    inside = node.cli("shell", "--", "sh", "-c", "hostname; kubectl get nodes -o name; ls /sys/class/net")
    name, listed, *links = inside.stdout.split()
    assert name == f"devcluster-{node.name}"
    assert listed == f"node/{name}"
    assert "node0" in links


def test_manifests_are_yaml_of_namespaced_objects() -> None:
    for path in MANIFESTS.glob("*.yaml"):
        for item in yaml.safe_load_all(path.read_text()):
            assert item["kind"] == "Namespace" or "namespace" in item["metadata"]
