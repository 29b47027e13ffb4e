"""Which git-sync containers of a tenant are to be told to fetch now. Pure.

git-sync v4 syncs at once when the signal of --sync-on-signal comes. Only containers that run with that flag
are told: without it the signal would end them.
https://github.com/kubernetes/git-sync#manual
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tenant_operator.core.kinds import Object
from tenant_operator.plan.tenant import Tenant

FLAG = "--sync-on-signal=SIGHUP"
#: git-sync is process 1. `kill` is the shell's own: its image has a shell, but no program of that name.
COMMAND = ("sh", "-c", "kill -HUP 1")
_PREFIX = "git-sync-"
#: git-sync takes the signal only once it has set itself up; until then it ends of it (seconds).
SETTLE = 5.0


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """One running container."""

    pod: str
    container: str


def sources(tenant: Tenant) -> list[str]:
    """The sources that git-sync pulls. The others change with the image only."""
    return [source.name for source in tenant.spec.dags.sources if source.git_sync is not None]


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is to be told, and who is not."""

    #: containers that wait for the signal
    found: Sequence[Target] = ()
    #: containers that have just begun: the signal may end them yet
    young: Sequence[Target] = ()
    #: sources that no pod fetches
    absent: Sequence[str] = ()


def audience(pods: Iterable[Object], names: Sequence[str], now: float) -> Audience:
    """The running git-sync containers of these sources; `now` is in seconds since the epoch."""
    wanted = {f"{_PREFIX}{name}" for name in names}
    running = [
        (Target(str(pod["metadata"]["name"]), container), now - since < SETTLE)
        for pod in pods
        if not pod["metadata"].get("deletionTimestamp")
        for container, since in _listening(pod).items()
        if container in wanted
    ]
    seen = {target.container for target, _ in running}
    return Audience(
        sorted(target for target, young in running if not young),
        sorted(target for target, young in running if young),
        [name for name in names if f"{_PREFIX}{name}" not in seen],
    )


def _listening(pod: Object) -> dict[str, float]:
    """The containers of a pod that run with the flag, and since when (seconds since the epoch)."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    statuses = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    flagged = {str(container["name"]) for container in containers if FLAG in (container.get("args") or [])}
    running = {
        str(found["name"]): _seconds(found["state"]["running"])
        for found in statuses
        if "running" in (found.get("state") or {})
    }
    return {name: since for name, since in running.items() if name in flagged}


def _seconds(running: Object) -> float:
    started = str(running.get("startedAt") or "")
    return datetime.fromisoformat(started).timestamp() if started else 0.0
