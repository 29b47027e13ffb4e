"""Cluster DNS and the default StorageClass."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from devcluster.kubeapi import KubeApi
from devcluster.node import spec

_FILE = Path(__file__).with_name("files") / "addons.yaml"


def objects(image: str) -> Iterator[Mapping[str, Any]]:
    """Yield the objects to apply; CoreDNS runs the given image."""
    values = {"{image}": image, "{address}": spec.DNS_ADDRESS, "{provisioner}": spec.PROVISIONER}
    text = _FILE.read_text()
    for placeholder, value in values.items():
        text = text.replace(f'"{placeholder}"', f'"{value}"')
    yield from yaml.safe_load_all(text)


def apply(api: KubeApi, image: str) -> None:
    """Apply the add-ons."""
    for item in objects(image):
        api.apply(item)


def node_ready(api: KubeApi, node: str, since: datetime.datetime) -> bool:
    """Say whether the node reported Ready after ``since``: an older report may be of an earlier run."""
    for condition in api.get(f"/api/v1/nodes/{node}").get("status", {}).get("conditions", []):
        if condition["type"] == "Ready" and condition["status"] == "True":
            return datetime.datetime.fromisoformat(condition["lastHeartbeatTime"]) >= since
    return False


def dns_ready(api: KubeApi, since: datetime.datetime) -> bool:
    """Say whether a CoreDNS container that was started after ``since`` is ready."""
    pods = api.get("/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-dns")
    for pod in pods.get("items", []):
        for container in pod.get("status", {}).get("containerStatuses", []):
            started = container.get("state", {}).get("running", {}).get("startedAt")
            if container["ready"] and started and datetime.datetime.fromisoformat(started) >= since:
                return True
    return False
