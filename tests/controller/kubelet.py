"""A kubelet for a control plane without a node: it says that pods run, and that Jobs' pods succeed.

Everything else is real: the API server, the Deployment, StatefulSet and Job controllers. A test makes
pods misbehave with `break_component`. It follows a watch, so a pod is up some milliseconds after it was made.
"""

from __future__ import annotations

import contextlib
import json
import threading
from typing import Any

import urllib3
from tests.controller.api import Api, Refused

from tenant_operator.core import kinds, names

_STREAM_SECONDS = 60
_PAUSE = 0.2
_JOIN_SECONDS = 15.0
#: The pod is gone, or newer than what was seen of it: the watch tells the rest.
_OVERTAKEN = {404, 409}

Key = tuple[str, str]


class FakeKubelet:
    """Moves all pods of a cluster to Running and Ready (or Succeeded, for a Job's) in a thread of its own."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._broken: dict[Key, dict[str, Any]] = {}
        self._pods: dict[Key, dict[str, Any]] = {}
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._stream: urllib3.BaseHTTPResponse | None = None
        self._thread = threading.Thread(target=self._run, name="kubelet", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        with self._lock:
            if self._stream is not None:
                with contextlib.suppress(Exception):
                    self._stream.shutdown()
        self._thread.join(_JOIN_SECONDS)
        assert not self._thread.is_alive(), "the kubelet's thread does not end"

    def break_component(self, namespace: str, component: str, status: dict[str, Any]) -> None:
        """Give the pods of a component, present and new, this status instead of a running one."""
        self._set((namespace, component), status)

    def mend_component(self, namespace: str, component: str) -> None:
        """Let the pods of a component come up."""
        self._set((namespace, component), None)

    def forget(self, namespace: str) -> None:
        """Drop what was said about a namespace."""
        with self._lock:
            self._broken = {key: status for key, status in self._broken.items() if key[0] != namespace}

    def _set(self, key: Key, status: dict[str, Any] | None) -> None:
        with self._lock:
            if status is None:
                self._broken.pop(key, None)
            else:
                self._broken[key] = status
            touched = [pod for pod in self._pods.values() if _component(pod) == key]
        for pod in touched:
            self._advance(pod)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._list_and_watch()
            except (Refused, urllib3.exceptions.HTTPError, ValueError, OSError):
                self._stopping.wait(_PAUSE)  # the API server restarts, or the stream ended: list again

    def _list_and_watch(self) -> None:
        answer = self._api.call("GET", kinds.POD.path())
        with self._lock:
            self._pods.clear()
        for pod in answer["items"]:
            self._seen("ADDED", pod)
        version = answer["metadata"]["resourceVersion"]
        query = f"watch=true&resourceVersion={version}&timeoutSeconds={_STREAM_SECONDS}"
        with self._lock:
            self._stream = self._api.stream(kinds.POD.path(), query)
        rest = b""
        try:
            while not self._stopping.is_set():
                chunk = self._stream.read1(1 << 20)
                if not chunk:
                    return
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    event = json.loads(line)
                    self._seen(event["type"], event["object"])
        finally:
            with self._lock:
                stream, self._stream = self._stream, None
            stream.close()

    def _seen(self, kind: str, pod: dict[str, Any]) -> None:
        if kind not in {"ADDED", "MODIFIED", "DELETED"}:
            raise ValueError(kind)
        key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        with self._lock:
            if kind == "DELETED":
                self._pods.pop(key, None)
                return
            self._pods[key] = pod
        self._advance(pod)

    def _advance(self, pod: dict[str, Any]) -> None:
        metadata = pod["metadata"]
        path = kinds.POD.path(metadata["namespace"], metadata["name"])
        if metadata.get("deletionTimestamp"):
            # A pod that a node has outlives its deletion by its grace period, unless the kubelet ends it.
            self._try("DELETE", path, {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}})
            return
        with self._lock:
            broken = self._broken.get(_component(pod))
        wanted = _status(pod, broken)
        status = pod.get("status") or {}
        if status.get("phase") in {"Succeeded", "Failed"} or all(
            (status.get(field) or None) == wanted[field] for field in ("phase", "message")
        ):
            return
        # Only over what was seen: a newer state, such as Failed, comes by the watch and must not be undone.
        seen = {"resourceVersion": metadata["resourceVersion"]}
        self._try("PATCH", f"{path}/status", {"metadata": seen, "status": wanted})

    def _try(self, method: str, path: str, body: dict[str, Any]) -> None:
        content = "application/merge-patch+json" if method == "PATCH" else "application/json"
        try:
            self._api.call(method, path, body, content=content)
        except Refused as error:
            if error.status not in _OVERTAKEN:
                raise


def _component(pod: dict[str, Any]) -> Key:
    labels = pod["metadata"].get("labels") or {}
    return pod["metadata"]["namespace"], labels.get(names.LABEL_COMPONENT, "")


def _status(pod: dict[str, Any], broken: dict[str, Any] | None) -> dict[str, Any]:
    owner = (pod["metadata"].get("ownerReferences") or [{}])[0].get("kind")
    name = pod["spec"]["containers"][0]["name"]
    if broken is not None:
        return {
            "phase": "Pending",
            "message": f"broken on purpose: {json.dumps(broken, sort_keys=True)[:200]}",
            "conditions": [{"type": "Ready", "status": "False"}],
            **broken,
        }
    if owner == "Job":
        ended = {"terminated": {"exitCode": 0, "reason": "Completed"}}
        return {
            "phase": "Succeeded",
            "message": None,
            "containerStatuses": [container(name, ended)],
            "conditions": [{"type": "Ready", "status": "False", "reason": "PodCompleted"}],
        }
    return {
        "phase": "Running",
        "message": None,
        "initContainerStatuses": [
            container(sidecar["name"], {"running": {}}, ready=True)
            for sidecar in pod["spec"].get("initContainers") or []
            if sidecar.get("restartPolicy") == "Always"
        ]
        or None,
        "containerStatuses": [container(name, {"running": {}}, ready=True)],
        "conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"},
            {"type": "ContainersReady", "status": "True"},
        ],
    }


def failing_git_sync(error: str) -> dict[str, Any]:
    """The status of a first fetch that fails, with the line that git-sync ends with; `error`: why."""
    line = {"logger": "", "msg": "error syncing repo, will retry", "error": error}
    return container(
        "git-sync-init-main",
        {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
        restartCount=1,
        lastState={"terminated": {"exitCode": 1, "reason": "Error", "message": json.dumps(line)}},
    )


def container(name: str, state: dict[str, Any], *, ready: bool = False, **more: Any) -> dict[str, Any]:
    """One container's status as a kubelet writes it."""
    return {
        "name": name,
        "image": "x",
        "imageID": "x",
        "ready": ready,
        "restartCount": 0,
        "state": state,
        **more,
    }
