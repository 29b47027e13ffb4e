"""A kubelet for a control plane without a node: it says that pods run, and that Jobs' pods succeed.

Everything else is real: the API server, the Deployment, StatefulSet and Job controllers. A test makes
pods misbehave with `break_component`.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from tenant_operator.adapters.kube import KubeClient
from tenant_operator.core import kinds, names
from tenant_operator.core.errors import KubeError

_PERIOD = 0.1


class FakeKubelet:
    """Moves all pods of a cluster to Running and Ready (or Succeeded, for a Job's)."""

    def __init__(self, kube: KubeClient) -> None:
        self._kube = kube
        self._broken: dict[tuple[str, str], dict[str, Any]] = {}

    def break_component(self, namespace: str, component: str, container_status: dict[str, Any]) -> None:
        """Give new pods of a component this container status instead of a running one."""
        self._broken[(namespace, component)] = container_status

    def mend_component(self, namespace: str, component: str) -> None:
        self._broken.pop((namespace, component), None)

    async def run(self) -> None:
        while True:
            with contextlib.suppress(KubeError):
                for pod in await self._kube.list(kinds.POD):
                    await self._advance(pod)
            await asyncio.sleep(_PERIOD)

    async def _advance(self, pod: dict[str, Any]) -> None:
        metadata = pod["metadata"]
        if metadata.get("deletionTimestamp"):
            await self._remove(metadata)
            return
        labels = metadata.get("labels") or {}
        broken = self._broken.get((metadata["namespace"], labels.get(names.LABEL_COMPONENT, "")))
        wanted = _status(pod, broken)
        status = pod.get("status") or {}
        if status.get("phase") == wanted["phase"] and bool(broken) == bool(status.get("message")):
            return
        with contextlib.suppress(KubeError):
            await self._kube.merge(
                kinds.POD, metadata["name"], {"status": wanted}, metadata["namespace"], subresource="status"
            )

    async def _remove(self, metadata: dict[str, Any]) -> None:
        path = kinds.POD.path(metadata["namespace"], metadata["name"])
        with contextlib.suppress(KubeError):
            await self._kube._call("DELETE", path, body={"gracePeriodSeconds": 0})


def _status(pod: dict[str, Any], broken: dict[str, Any] | None) -> dict[str, Any]:
    owner = (pod["metadata"].get("ownerReferences") or [{}])[0].get("kind")
    name = pod["spec"]["containers"][0]["name"]
    if broken is not None:
        return {
            "phase": "Pending",
            "message": "broken on purpose",
            "conditions": [{"type": "Ready", "status": "False"}],
            **broken,
        }
    if owner == "Job":
        ended = {"terminated": {"exitCode": 0, "reason": "Completed"}}
        return {
            "phase": "Succeeded",
            "message": None,
            "containerStatuses": [_container(name, ended, ready=False)],
            "conditions": [{"type": "Ready", "status": "False", "reason": "PodCompleted"}],
        }
    return {
        "phase": "Running",
        "message": None,
        "initContainerStatuses": None,
        "containerStatuses": [_container(name, {"running": {}}, ready=True)],
        "conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"},
            {"type": "ContainersReady", "status": "True"},
        ],
    }


def _container(name: str, state: dict[str, Any], *, ready: bool) -> dict[str, Any]:
    return {
        "name": name,
        "image": "x",
        "imageID": "x",
        "ready": ready,
        "restartCount": 0,
        "state": state,
    }
