"""Reads the state of Deployments, StatefulSets, Jobs and pods, and says what is wrong in words.

The inputs are live objects; the outputs are small summaries, so that the operator keeps a few hundred
bytes per workload in memory instead of whole objects.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from tenant_operator.core import names
from tenant_operator.core.errors import Reason
from tenant_operator.core.kinds import Object
from tenant_operator.plan import git_sync

_IMAGE_REASONS = frozenset({"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"})
_CONFIG_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_GIT_SYNC = "git-sync"
_DAG_PROCESSOR = "dag-processor"
#: The kubelet's caches lag behind on a busy node; it tries again by itself.
_PASSING = "failed to sync"
_POSTGRESQL = "postgresql"
_JOB = "batch.kubernetes.io/job-name"
_ENDED = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something does not come up."""

    reason: Reason
    message: str
    #: the DAG source that cannot be fetched, and what git said
    source: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True)
class Workload:
    """How a Deployment, StatefulSet or Job stands."""

    component: str
    ready: bool
    failed: bool = False
    detail: str = ""
    problem: Problem | None = None
    #: all pods are of the newest revision, whether ready or not
    current: bool = False
    #: one pod at least is up, of whatever revision
    serving: bool = False


def summarize(obj: Object) -> Workload:
    """The summary of a workload as the API server returned it."""
    component = str((obj["metadata"].get("labels") or {}).get(names.LABEL_COMPONENT, ""))
    if obj["kind"] == "Job":
        return _job(component, obj)
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    wanted = int(spec.get("replicas", 1))
    seen = int(status.get("observedGeneration", 0)) >= int(obj["metadata"].get("generation", 0))
    updated = int(status.get("updatedReplicas", 0))
    ready_field = "availableReplicas" if obj["kind"] == "Deployment" else "readyReplicas"
    ready = int(status.get(ready_field, 0))
    if obj["kind"] == "StatefulSet" and status.get("currentRevision") == status.get("updateRevision"):
        updated = wanted
    surplus = int(status.get("replicas", wanted)) > wanted
    return Workload(
        component=component,
        ready=seen and updated >= wanted and ready >= wanted and not surplus,
        detail=f"{min(updated, ready)}/{wanted}" if seen and not surplus else "rolling out",
        problem=_replica_failure(status),
        current=seen and updated >= wanted and not surplus,
        serving=int(status.get("readyReplicas", 0)) > 0,
    )


def _job(component: str, obj: Object) -> Workload:
    conditions = {c["type"]: c for c in (obj.get("status") or {}).get("conditions") or []}
    failed = conditions.get("Failed", {}).get("status") == "True"
    return Workload(
        component=component,
        ready=conditions.get("Complete", {}).get("status") == "True",
        failed=failed,
        detail=str(conditions.get("Failed", {}).get("message", "")) if failed else "",
    )


def _replica_failure(status: Object) -> Problem | None:
    for condition in status.get("conditions") or []:
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            message = str(condition.get("message", ""))
            if "exceeded quota" in message:
                return Problem(Reason.QUOTA_EXCEEDED, f"{message}: raise spec.quota.hard or ask for less")
            return Problem(Reason.APPLY_REJECTED, message)
    return None


@dataclass(frozen=True, slots=True)
class PodState:
    """A pod's component and, if it cannot come up, why."""

    component: str
    problem: Problem | None
    #: the Job that the pod is an attempt of
    job: str = ""
    #: where a running pod of the DAG processor answers; no news of the tenant when it changes
    ip: str = field(default="", compare=False)
    #: a database's pod whose server is ready, whatever becomes of the exporter beside it
    serves: bool = False
    #: all its containers have ended for good: only its log is left
    ended: bool = False
    #: its program is at work; what comes of it is the news
    runs: bool = field(default=False, compare=False)
    #: no workload made it: somebody started it by hand, whatever its labels say
    stray: bool = False


def read_pod(pod: Object) -> PodState:
    """What keeps a pod from running, if anything does."""
    labels = pod["metadata"].get("labels") or {}
    component, job = str(labels.get(names.LABEL_COMPONENT, "")), str(labels.get(_JOB, ""))
    ip = _ip(pod) if component == _DAG_PROCESSOR else ""
    return PodState(
        component,
        _pod_problem(pod),
        job,
        ip,
        serves=component == _POSTGRESQL and _serves(pod),
        ended=(pod.get("status") or {}).get("phase") in _ENDED,
        runs=(pod.get("status") or {}).get("phase") == "Running",
        stray=not any(owner.get("controller") for owner in pod["metadata"].get("ownerReferences") or []),
    )


def _serves(pod: Object) -> bool:
    containers = (pod.get("status") or {}).get("containerStatuses") or []
    ready = any(one["name"] == _POSTGRESQL and one.get("ready") for one in containers)
    return ready and not pod["metadata"].get("deletionTimestamp")


def _ip(pod: Object) -> str:
    status = pod.get("status") or {}
    running = status.get("phase") == "Running" and not pod["metadata"].get("deletionTimestamp")
    return str(status.get("podIP") or "") if running else ""


def _pod_problem(pod: Object) -> Problem | None:
    if pod["metadata"].get("deletionTimestamp"):
        return None
    status = pod.get("status") or {}
    for condition in status.get("conditions") or []:
        if condition.get("reason") == "Unschedulable" and condition.get("status") == "False":
            return Problem(Reason.UNSCHEDULABLE, f"no node takes the pod: {condition.get('message', '')}")
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    once = (pod.get("spec") or {}).get("restartPolicy") == "Never"
    problems = (_container_problem(container, once=once) for container in containers)
    return next((problem for problem in problems if problem is not None), None)


def _container_problem(container: Object, *, once: bool) -> Problem | None:
    name = str(container["name"])
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason = str(waiting.get("reason", ""))
    message = str(waiting.get("message", ""))
    if reason in _IMAGE_REASONS:
        image = container.get("image", "")
        return Problem(
            Reason.IMAGE_PULL_FAILED,
            f"image {image} cannot be pulled: check spec.airflow.image and its pullSecrets "
            f"({_short(message)})",
        )
    if reason in _CONFIG_REASONS and _PASSING not in message:
        return Problem(Reason.CRASH_LOOPING, f"container {name} cannot start: {_short(message)}")
    ended = _last_failure(container)
    if ended is None or container.get("ready"):
        return None
    message = str(ended.get("message") or ended.get("reason") or "")
    code = ended.get("exitCode")
    if name.startswith(f"{_GIT_SYNC}-init-"):
        source = name.removeprefix(f"{_GIT_SYNC}-init-")
        return Problem(
            Reason.GIT_SYNC_FAILED,
            git_sync.fails(source, said := _git_words(message)),
            source,
            said,
        )
    if once:
        return Problem(Reason.MIGRATION_FAILED, f"an attempt ended with code {code}: {_last_line(message)}")
    if reason == "CrashLoopBackOff" or int(container.get("restartCount", 0)) >= 2:
        killed = ended.get("reason") == "OOMKilled"
        why = "out of memory: raise its memory limit" if killed else _last_line(message)
        return Problem(Reason.CRASH_LOOPING, f"container {name} keeps ending with code {code}: {why}")
    return None


def _last_failure(container: Object) -> dict[str, Any] | None:
    for state in (container.get("state") or {}, container.get("lastState") or {}):
        ended = state.get("terminated")
        if ended and ended.get("exitCode") != 0:
            found: dict[str, Any] = ended
            return found
    return None


def _git_words(message: str) -> str:
    """What git said, out of git-sync's last log line (JSON, with git's output quoted in `error`)."""
    for line in reversed(message.splitlines()):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and "error" in entry:
            error = str(entry["error"])
            said = re.search(r'stderr: "((?:[^"\\]|\\.)+)"', error)
            return _last_line(said.group(1).replace('\\"', '"').replace("\\n", "\n") if said else error)
    return _last_line(message)


def _last_line(text: str) -> str:
    """The line that says it: programs print a traceback first and the reason last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (_reason(lines[-1]) or lines[-1])[-300:] if lines else ""


def _reason(line: str) -> str:
    """What a line of Airflow's JSON log says: its exception, or else its event; empty if it is no such line.

    The kubelet keeps the last 2,048 bytes only, so the line may have lost its beginning.
    """
    kinds, values = (re.findall(rf'"{key}":"((?:[^"\\]|\\.)*)"', line) for key in ("exc_type", "exc_value"))
    if values:
        kind = f"{kinds[-1]}: " if kinds else ""
        return kind + str(json.loads(f'"{values[-1]}"'))
    try:
        entry = json.loads(line)
    except ValueError:
        return ""
    return str(entry.get("event") or "") if isinstance(entry, dict) else ""


def _short(text: str) -> str:
    return " ".join(text.split())[:300]
