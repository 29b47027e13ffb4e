from __future__ import annotations

from typing import Any, cast

import pytest

from demo import cluster, diagnosis, gitserver, process
from demo.errors import CommandError, WaitTimeoutError
from demo.kube import Kube

IMAGES = {name: f"localhost/airflow-tenants/{name}:0123456789ab" for name in cluster.CLUSTER_IMAGES}


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("localhost/a/b:1", {"repository": "localhost/a/b", "tag": "1"}),
        ("registry.example:5000/a/b:v4.4.2", {"repository": "registry.example:5000/a/b", "tag": "v4.4.2"}),
        ("registry.example:5000/a/b", {"repository": "registry.example:5000/a/b", "tag": "latest"}),
        ("a/b@sha256:12", {"repository": "a/b", "digest": "sha256:12"}),
        ("a/b:v1@sha256:12", {"repository": "a/b", "digest": "sha256:12"}),
    ],
)
def test_an_image_reference_is_split(reference: str, parts: dict[str, str]) -> None:
    assert cluster.split_reference(reference) == parts


def test_the_operator_gets_our_images_by_content() -> None:
    values = cluster.operator_values(IMAGES, {})
    assert values["image"] == {
        "repository": "localhost/airflow-tenants/operator",
        "tag": "0123456789ab",
        "pullPolicy": "IfNotPresent",
    }
    assert {name: image["repository"] for name, image in values["tenantDefaults"]["images"].items()} == {
        "airflow": "localhost/airflow-tenants/airflow",
        "statsd": "localhost/airflow-tenants/statsd-exporter",
        "gitSync": "localhost/airflow-tenants/git-sync-standin",
        "postgresql": "localhost/airflow-tenants/postgresql",
    }


def test_another_git_sync_can_be_named() -> None:
    values = cluster.operator_values(IMAGES, {"GIT_SYNC_IMAGE": "registry.k8s.io/git-sync/git-sync:v4.4.2"})
    assert values["tenantDefaults"]["images"]["gitSync"] == {
        "repository": "registry.k8s.io/git-sync/git-sync",
        "tag": "v4.4.2",
        "pullPolicy": "IfNotPresent",
    }


class Nodes:
    def __init__(self, *images: list[str]) -> None:
        self._images = images

    def items(self, path: str) -> list[dict[str, Any]]:
        assert path == "/api/v1/nodes"
        return [{"status": {"images": [{"names": [name]} for name in names]}} for names in self._images]


@pytest.mark.parametrize(
    ("nodes", "missing"),
    [
        ((), ["a", "b"]),
        ((["x/a:1", "x/b:1"],), []),
        ((["x/a:1"],), ["b"]),
        ((["x/a:1", "x/b:1"], ["x/b:1"]), ["a"]),
    ],
)
def test_only_images_that_some_node_lacks_are_loaded(
    nodes: tuple[list[str], ...], missing: list[str]
) -> None:
    assert cluster.missing_images(cast(Kube, Nodes(*nodes)), {"a": "x/a:1", "b": "x/b:1"}) == missing


def test_the_git_server_pod_fits_restricted_pod_security() -> None:
    deployment = gitserver.objects("image", ["payments"], "IfNotPresent")[-1]
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    context = pod["containers"][0]["securityContext"]
    assert (context["allowPrivilegeEscalation"], context["capabilities"]) == (False, {"drop": ["ALL"]})


def test_no_password_is_in_what_a_failing_test_would_print() -> None:
    assert "hidden" not in repr(gitserver.GitServer(cast(Kube, None), "airflow", "hidden"))


def test_no_password_is_in_the_git_servers_objects() -> None:
    sources = [
        e
        for e in gitserver.objects("i", ["x"], "Never")[-1]["spec"]["template"]["spec"]["containers"][0][
            "env"
        ]
    ]
    assert [("valueFrom" in source) for source in sources] == [False, True, True]


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(CommandError, match="sh ended with code 3: broken") as caught:
        process.run(["sh", "-c", "echo broken >&2; exit 3"])
    assert caught.value.code == 3


def test_a_command_that_hangs_is_ended() -> None:
    with pytest.raises(CommandError, match="no end after 0 s"):
        process.run(["sleep", "30"], timeout=0.1)


def test_a_missing_program_is_an_error_for_people() -> None:
    with pytest.raises(CommandError, match="no-such-program ended with code -1"):
        process.run(["no-such-program"])


def test_a_wait_returns_what_was_found() -> None:
    answers = iter([None, 0, "here"])
    assert process.wait_for("it", lambda: next(answers), seconds=5, poll=0) == "here"


def test_a_wait_ends_at_its_deadline() -> None:
    with pytest.raises(WaitTimeoutError, match="waited 0 s for it; last seen: blame"):
        process.wait_for("it", lambda: None, seconds=0, poll=0, seen=lambda: "blame")


def pod(**container: Any) -> dict[str, Any]:
    status = {"containerStatuses": [{"name": "main", "restartCount": 3, **container}]}
    return {"metadata": {"name": "p", "namespace": "n"}, "status": status}


@pytest.mark.parametrize(
    ("state", "lines"),
    [
        ({"running": {}}, []),
        ({"waiting": {"reason": "PodInitializing"}}, []),
        (
            {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
            ["n/p main: CrashLoopBackOff back-off (restarts 3)"],
        ),
        ({"terminated": {"exitCode": 0}}, []),
        (
            {"terminated": {"exitCode": 1, "message": "no database\n"}},
            ["n/p main: ended with code 1: no database"],
        ),
    ],
)
def test_pods_are_reported_when_they_are_unhappy(state: dict[str, Any], lines: list[str]) -> None:
    assert diagnosis.unhappy_pods([pod(state=state)]) == lines


def test_conditions_are_reported_when_they_are_unhappy() -> None:
    conditions = [
        {"type": "Ready", "status": "False", "reason": "SecretMissing", "message": "create it"},
        {"type": "NamespaceReady", "status": "True"},
        {"type": "Stalled", "status": "False"},
    ]
    tenant = {"metadata": {"name": "t", "generation": 1}, "spec": {}, "status": {"conditions": conditions}}
    assert diagnosis.unhappy_conditions([tenant]) == ["t: Ready=False SecretMissing: create it"]


def test_a_report_survives_a_dead_cluster(tmp_path: Any) -> None:
    class Dead:
        def items(self, path: str) -> list[Any]:
            raise CommandError("kubectl", 1, "refused")

        def kubectl(self, *arguments: str, timeout: float) -> str:
            raise CommandError("kubectl", 1, "refused")

    assert diagnosis.report(cast(Kube, Dead()), tmp_path / "r.txt") == []
    assert "refused" in (tmp_path / "r.txt").read_text()
