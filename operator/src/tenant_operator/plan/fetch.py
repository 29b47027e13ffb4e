"""Which git-sync containers of a tenant are to be told to fetch now. Pure.

git-sync v4 syncs at once when the signal of --sync-on-signal comes. Only containers that run with that flag
are told: without it the signal would end them.
https://github.com/kubernetes/git-sync#manual
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tenant_operator.core.kinds import Object
from tenant_operator.plan.tenant import Tenant

FLAG = "--sync-on-signal=SIGHUP"
#: git-sync is process 1. `kill` is the shell's own: its image has a shell, but no program of that name.
COMMAND = ("sh", "-c", "kill -HUP 1")
_PREFIX = "git-sync-"


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """One running container."""

    pod: str
    container: str


def sources(tenant: Tenant) -> list[str]:
    """The sources that git-sync pulls. The others change with the image only."""
    return [source.name for source in tenant.spec.dags.sources if source.git_sync is not None]


def targets(pods: Iterable[Object], names: Sequence[str]) -> tuple[list[Target], list[str]]:
    """The running git-sync containers of these sources, and the sources that have none."""
    wanted = {f"{_PREFIX}{name}" for name in names}
    found = sorted(
        Target(str(pod["metadata"]["name"]), container)
        for pod in pods
        if not pod["metadata"].get("deletionTimestamp")
        for container in _listening(pod) & wanted
    )
    seen = {target.container for target in found}
    return found, [name for name in names if f"{_PREFIX}{name}" not in seen]


def _listening(pod: Object) -> set[str]:
    """The containers of a pod that run and wait for the signal."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    statuses = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    flagged = {str(container["name"]) for container in containers if FLAG in (container.get("args") or [])}
    running = {str(found["name"]) for found in statuses if "running" in (found.get("state") or {})}
    return flagged & running
