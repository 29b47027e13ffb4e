"""What to show when something failed: unhappy conditions and pods, warnings, the operator's last lines."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from demo.cluster import OPERATOR, OPERATOR_NAMESPACE
from demo.errors import DemoError
from demo.kube import TENANTS, Json, Kube
from demo.tenants import Tenant

SHOWN = 12


def unhappy_conditions(items: Sequence[Json]) -> list[str]:
    """Return a line for every condition that is not what one hopes for."""
    lines = []
    for tenant in map(Tenant.of, items):
        for kind, condition in tenant.conditions.items():
            good = "False" if kind in ("Stalled", "Reconciling") else "True"
            if condition.status != good:
                lines.append(
                    f"{tenant.name}: {kind}={condition.status} {condition.reason}: {condition.message}"
                )
    return lines


def unhappy_pods(items: Sequence[Json]) -> list[str]:
    """Return a line for every container that waits, or ended badly."""
    lines = []
    for pod in items:
        where = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        status = pod.get("status", {})
        for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
            said = _container(container)
            if said:
                lines.append(f"{where} {container['name']}: {said}")
        lines += [
            f"{where}: {condition.get('reason')}: {condition.get('message')}"
            for condition in status.get("conditions", [])
            if condition["type"] == "PodScheduled" and condition["status"] == "False"
        ]
    return lines


def _container(container: Mapping[str, Any]) -> str:
    state = container.get("state", {})
    restarts = container.get("restartCount", 0)
    waiting = state.get("waiting", {})
    if waiting and waiting.get("reason") not in ("PodInitializing", "ContainerCreating"):
        return f"{waiting.get('reason')} {waiting.get('message', '')} (restarts {restarts})"
    ended = state.get("terminated")
    if ended and ended.get("exitCode"):
        return f"ended with code {ended['exitCode']}: {(ended.get('message') or '').strip()[-300:]}"
    return ""


def warnings(items: Sequence[Json]) -> list[str]:
    """Return the warning events, latest last."""
    found = [item for item in items if item.get("type") == "Warning"]
    found.sort(key=lambda item: item.get("lastTimestamp") or item.get("eventTime") or "")
    return [
        f"{item['involvedObject'].get('namespace', '')}/{item['involvedObject'].get('name')}: "
        f"{item.get('reason')}: {' '.join(str(item.get('message', '')).split())[:300]}"
        for item in found
    ]


def collect(kube: Kube) -> dict[str, list[str]]:
    """Return sections of findings; what cannot be read is left out, for this runs when things are broken."""
    sections: dict[str, list[str]] = {}
    with contextlib.suppress(DemoError):
        sections["conditions"] = unhappy_conditions(kube.items(TENANTS))
    with contextlib.suppress(DemoError):
        pods = [pod for pod in kube.items("/api/v1/pods") if _of_interest(pod)]
        sections["pods"] = unhappy_pods(pods)
    with contextlib.suppress(DemoError):
        sections["warnings"] = warnings(kube.items("/api/v1/events"))
    with contextlib.suppress(DemoError):
        log = kube.kubectl(
            "-n", OPERATOR_NAMESPACE, "logs", f"deployment/{OPERATOR}", "--tail=200", timeout=20
        )
        sections["operator log"] = log.splitlines()
    return sections


def _of_interest(pod: Json) -> bool:
    return not str(pod["metadata"]["namespace"]).startswith("kube-")


def everything(kube: Kube) -> str:
    """Return the long report: all objects, tenants with status, events, the operator's log."""
    parts = []
    commands = (
        ("get", "aft,all", "-A", "-o", "wide"),
        ("get", "aft", "-o", "yaml"),
        ("get", "events", "-A", "--sort-by=.lastTimestamp"),
        ("-n", OPERATOR_NAMESPACE, "logs", f"deployment/{OPERATOR}", "--tail=2000"),
    )
    for command in commands:
        try:
            said = kube.kubectl(*command, timeout=60)
        except DemoError as exc:
            said = str(exc)
        parts.append(f"$ kubectl {' '.join(command)}\n{said}")
    return "\n".join(parts)


def report(kube: Kube, file: Path) -> list[str]:
    """Write the long report to ``file`` and return the short one, a few lines a section."""
    lines = []
    for title, found in collect(kube).items():
        if found:
            lines += [f"{title}:", *(f"  {line}" for line in found[-SHOWN:])]
    file.write_text(everything(kube), encoding="utf-8")
    return lines
