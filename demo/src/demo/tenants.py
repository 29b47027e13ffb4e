"""Tenants as the demo sees them: conditions, the table of progress, and what changed between two looks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from demo.console import Console, duration
from demo.errors import DemoError, WaitTimeoutError
from demo.kube import TENANTS, Json, Kube

#: column title -> condition, in the order in which a tenant goes through them
STAGES = {
    "wall": "NamespaceReady",
    "secrets": "SecretsResolved",
    "database": "DatabaseReady",
    "schema": "MigrationsApplied",
    "release": "ReleaseReady",
    "dags": "DagsSynced",
    "objects": "ObjectsSynced",
    "ready": "Ready",
}
MARKS = {"True": "yes", "False": "no", "Unknown": "..."}
_MESSAGE_WIDTH = 96


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a tenant."""

    status: str
    reason: str
    message: str
    generation: int


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant's name, generation and conditions at one moment."""

    name: str
    namespace: str
    generation: int
    observed: int
    conditions: Mapping[str, Condition]
    raw: Json

    @classmethod
    def of(cls, item: Json) -> Tenant:
        """Read a tenant from the API's object."""
        status = item.get("status") or {}
        name = item["metadata"]["name"]
        return cls(
            name=name,
            namespace=(item["spec"].get("namespace") or {}).get("name") or f"airflow-{name}",
            generation=int(item["metadata"]["generation"]),
            observed=int(status.get("observedGeneration", 0)),
            conditions={
                found["type"]: Condition(
                    found["status"],
                    found.get("reason", ""),
                    found.get("message", ""),
                    int(found.get("observedGeneration", 0)),
                )
                for found in status.get("conditions", [])
            },
            raw=item,
        )

    @property
    def ready(self) -> bool:
        """Whether the tenant is Ready as it is written now."""
        condition = self.conditions.get("Ready")
        return condition is not None and condition.status == "True" and self.observed >= self.generation

    @property
    def summary(self) -> str:
        """What Ready says, in words."""
        condition = self.conditions.get("Ready")
        return (
            f"{condition.reason}: {condition.message}"
            if condition
            else "the operator has not looked at it yet"
        )

    def is_condition(self, kind: str, status: str, reason: str = "") -> bool:
        """Whether a condition has a status (and a reason)."""
        found = self.conditions.get(kind)
        return found is not None and found.status == status and reason in ("", found.reason)


def read(kube: Kube, name: str) -> Tenant | None:
    """Return a tenant, or None when it is not there."""
    item = kube.get(f"{TENANTS}/{name}")
    return Tenant.of(item) if item else None


def must_read(kube: Kube, name: str) -> Tenant:
    """Return a tenant that must be there."""
    tenant = read(kube, name)
    if tenant is None:
        raise DemoError(f"the tenant {name} is not there: kubectl get aft")
    return tenant


def table(tenants: Sequence[Tenant], seconds: Mapping[str, float]) -> list[str]:
    """Return the progress table: one row a tenant, and below it what the unready ones wait for."""
    width = max((len(tenant.name) for tenant in tenants), default=0) + 2
    columns = [f"{title:<{max(len(title), 3) + 1}}" for title in STAGES]
    lines = [f"{'':<{width}}{''.join(columns)}elapsed"]
    for tenant in tenants:
        cells = []
        for title, kind in STAGES.items():
            condition = tenant.conditions.get(kind)
            cells.append(f"{_mark(tenant, condition):<{max(len(title), 3) + 1}}")
        lines.append(f"{tenant.name:<{width}}{''.join(cells)}{duration(seconds[tenant.name])}")
    for tenant in tenants:
        text = "" if tenant.ready else _cut(f"{tenant.name}: {tenant.summary}")
        lines.append(text)
    return lines


def _mark(tenant: Tenant, condition: Condition | None) -> str:
    if condition is None:
        return "-"
    if condition.status == "True" and condition.generation < tenant.generation:
        return "..."  # true for what was asked before
    return MARKS.get(condition.status, condition.status)


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MESSAGE_WIDTH else line[: _MESSAGE_WIDTH - 3] + "..."


def news(before: Tenant | None, after: Tenant, seconds: float) -> list[str]:
    """Return one line for every condition that changed between two looks."""
    lines = []
    for kind in STAGES.values():
        old = before.conditions.get(kind) if before else None
        new = after.conditions.get(kind)
        if new and (old is None or (old.status, old.reason) != (new.status, new.reason)):
            words = f" {_cut(new.message)}" if new.status != "True" and new.message else ""
            lines.append(f"{duration(seconds):>10}  {after.name}: {kind}={new.status} ({new.reason}){words}")
    return lines


def wait_ready(
    kube: Kube,
    names: Sequence[str],
    console: Console,
    *,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, float]:
    """Wait until all tenants are Ready; show the way there; return the seconds that each took."""
    started, took = clock(), dict.fromkeys(names, 0.0)
    seen: dict[str, Tenant] = {}
    board = console.table()
    while True:
        elapsed = clock() - started
        lines = []
        for name in names:
            tenant = must_read(kube, name)
            if not (name in seen and seen[name].ready):
                took[name] = elapsed
            lines += news(seen.get(name), tenant, elapsed)
            seen[name] = tenant
        board.show(table([seen[name] for name in names], took), lines)
        if all(tenant.ready for tenant in seen.values()):
            return took
        if elapsed > seconds:
            waiting = "; ".join(f"{t.name}: {t.summary}" for t in seen.values() if not t.ready)
            raise WaitTimeoutError("the tenants to become Ready", seconds, waiting)
        time.sleep(1.0)
