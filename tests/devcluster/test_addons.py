from __future__ import annotations

import datetime
from typing import Any, cast

from devcluster import kubeapi
from devcluster.kubeapi import KubeApi
from devcluster.node import addons

NOW = datetime.datetime(2030, 1, 1, 12, 0, 0, tzinfo=datetime.UTC)


class Answers:
    """An API that gives the same answer to every question."""

    def __init__(self, answer: dict[str, Any]):
        self._answer = answer

    def get(self, path: str) -> dict[str, Any]:
        return self._answer


def api(answer: dict[str, Any]) -> KubeApi:
    return cast("KubeApi", Answers(answer))


def test_nothing_is_left_to_fill_in_and_every_kind_has_a_path() -> None:
    found = list(addons.objects("example/coredns:1"))
    text = str(found)
    for placeholder in ("{image}", "{address}", "{provisioner}"):
        assert placeholder not in text
    assert "example/coredns:1" in text
    paths = [kubeapi.object_path(item) for item in found]
    assert "/apis/apps/v1/namespaces/kube-system/deployments/coredns" in paths
    assert "/apis/storage.k8s.io/v1/storageclasses/standard" in paths


def test_the_storage_class_is_the_default_one() -> None:
    (storage,) = [item for item in addons.objects("x") if item["kind"] == "StorageClass"]
    assert storage["metadata"]["annotations"] == {"storageclass.kubernetes.io/is-default-class": "true"}


def node(status: str, heartbeat: str) -> dict[str, Any]:
    return {"status": {"conditions": [{"type": "Ready", "status": status, "lastHeartbeatTime": heartbeat}]}}


def test_a_node_is_ready_when_it_said_so_since_the_start() -> None:
    assert addons.node_ready(api(node("True", "2030-01-01T12:00:00Z")), "n", NOW)
    assert not addons.node_ready(api(node("False", "2030-01-01T12:00:00Z")), "n", NOW)
    assert not addons.node_ready(api(node("True", "2030-01-01T11:59:59Z")), "n", NOW)
    assert not addons.node_ready(api({}), "n", NOW)


def pods(started: str, *, ready: bool) -> dict[str, Any]:
    status = {"ready": ready, "state": {"running": {"startedAt": started}}}
    return {"items": [{"status": {"containerStatuses": [status]}}]}


def test_dns_is_ready_when_a_container_of_this_start_is() -> None:
    assert addons.dns_ready(api(pods("2030-01-01T12:00:05Z", ready=True)), NOW)
    assert not addons.dns_ready(api(pods("2030-01-01T12:00:05Z", ready=False)), NOW)
    assert not addons.dns_ready(api(pods("2030-01-01T11:00:00Z", ready=True)), NOW)
    assert not addons.dns_ready(api({"items": []}), NOW)
