"""What the end-to-end tests share: the environment with its two tenants, and patient looks at it."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from demo import steps, tenants
from demo.airflow_client import AirflowClient
from demo.cluster import Platform
from demo.console import Console
from demo.errors import ApiError
from demo.gitserver import GitServer
from demo.kube import TENANTS, Json, Kube, selector
from demo.process import wait_for
from demo.samples import GIT_SECRET, SAMPLES, Sample
from demo.tenants import Tenant

INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"
AIRFLOW = ("api-server", "scheduler", "dag-processor", "triggerer")
READY_SECONDS = 600.0


@dataclass(frozen=True)
class Environment:
    """The session's cluster with everything in it."""

    platform: Platform
    git: GitServer
    console: Console

    @property
    def kube(self) -> Kube:
        return self.platform.kube

    def tenant(self, name: str) -> Tenant:
        return tenants.must_read(self.kube, name)

    def patch(self, name: str, spec: Mapping[str, Any]) -> None:
        """Change a tenant's spec by a JSON merge patch (lists are replaced whole)."""
        self.kube.merge_patch(f"{TENANTS}/{name}", {"spec": spec})

    def wait_ready(self, *names: str, seconds: float = READY_SECONDS) -> dict[str, float]:
        return tenants.wait_ready(self.kube, names, self.console, seconds=seconds)

    def wait_condition(
        self, name: str, kind: str, status: str, reason: str = "", *, seconds: float = 120.0
    ) -> tenants.Condition:
        """Wait until a condition says this about the current generation, and return it."""

        def look() -> tenants.Condition | None:
            found = self.tenant(name)
            condition = found.conditions.get(kind)
            if condition is None or not found.is_condition(kind, status, reason):
                return None
            return condition if found.observed >= found.generation else None

        return wait_for(
            f"{name}: {kind}={status} {reason}",
            look,
            seconds=seconds,
            seen=lambda: {kind: vars_of(c) for kind, c in self.tenant(name).conditions.items()},
        )

    @contextlib.contextmanager
    def airflow(self, name: str) -> Iterator[AirflowClient]:
        with steps.airflow(self.kube, name, self.tenant(name).namespace) as client:
            yield client

    def get(self, namespace: str, group: str, plural: str, name: str) -> Json | None:
        """Return a namespaced object; ``group`` is ``v1`` or ``apps/v1`` and the like."""
        return self.kube.get(path(namespace, group, plural, name))

    def pods(self, name: str, component: str = "") -> list[Json]:
        """Return the tenant's pods that are not going away (task pods and Jobs excluded)."""
        labels = {INSTANCE: name} | ({COMPONENT: component} if component else {})
        found = self.kube.items(
            f"/api/v1/namespaces/{self.tenant(name).namespace}/pods", labelSelector=selector(labels)
        )
        return [
            pod
            for pod in found
            if not pod["metadata"].get("deletionTimestamp")
            and pod["metadata"].get("ownerReferences", [{}])[0].get("kind") in ("ReplicaSet", "StatefulSet")
        ]

    def uids(self, name: str) -> dict[str, frozenset[str]]:
        """Return component -> uids of its pods: what rolls, changes here."""
        found: dict[str, set[str]] = {}
        for pod in self.pods(name):
            component = pod["metadata"]["labels"][COMPONENT]
            found.setdefault(component, set()).add(pod["metadata"]["uid"])
        return {component: frozenset(uids) for component, uids in found.items()}

    def wait_settled(self, name: str, *, seconds: float = READY_SECONDS) -> dict[str, frozenset[str]]:
        """Wait until the tenant is Ready and each workload has just its own pods; return their uids."""

        def settled() -> bool:
            return self.tenant(name).ready and all(map(ready, self.pods(name))) and not self._surplus(name)

        wait_for(f"{name} to settle", settled, seconds=seconds, seen=lambda: self.tenant(name).summary)
        return self.uids(name)

    def _surplus(self, name: str) -> bool:
        namespace = self.tenant(name).namespace
        deployments = self.kube.items(
            f"/apis/apps/v1/namespaces/{namespace}/deployments", labelSelector=selector({INSTANCE: name})
        )
        return any(
            item["status"].get("replicas", 0) != item["spec"]["replicas"]
            or item["status"].get("updatedReplicas", 0) != item["spec"]["replicas"]
            or item["status"].get("observedGeneration", 0) < item["metadata"]["generation"]
            for item in deployments
        )

    @contextlib.contextmanager
    def restored(self, name: str) -> Iterator[Json]:
        """Yield the tenant's spec; put it back afterwards, whatever the test did, and let it settle."""
        before = copy.deepcopy(self.tenant(name).raw["spec"])
        try:
            yield copy.deepcopy(before)
        finally:
            self.replace_spec(name, before)
        self.wait_settled(name)

    def replace_spec(self, name: str, spec: Json) -> None:
        """Make the tenant's spec exactly this."""
        patch = json.dumps([{"op": "replace", "path": "/spec", "value": spec}])
        status, body = self.kube.request("PATCH", f"{TENANTS}/{name}", patch, "application/json-patch+json")
        if status != 200:
            raise ApiError("PATCH", name, status, body)


def path(namespace: str, group: str, plural: str, name: str = "") -> str:
    root = "/api" if group == "v1" else "/apis"
    return f"{root}/{group}/namespaces/{namespace}/{plural}" + (f"/{name}" if name else "")


def ready(pod: Json) -> bool:
    conditions = {c["type"]: c["status"] for c in pod.get("status", {}).get("conditions", [])}
    return conditions.get("Ready") == "True"


def vars_of(condition: tenants.Condition) -> str:
    return f"{condition.status} {condition.reason}: {condition.message}"


def sample(name: str) -> Sample:
    return next(found for found in SAMPLES if found.name == name)


def scratch_tenant(name: str, **spec: Any) -> Json:
    """A small third tenant, without objects inside Airflow, from the payments repository."""
    small = {"resources": {"requests": {"cpu": "50m", "memory": "320Mi"}}}
    return {
        "apiVersion": "airflowtenants.io/v1alpha1",
        "kind": "AirflowTenant",
        "metadata": {"name": name},
        "spec": {
            "owner": {"team": name},
            "suspend": False,
            "deletionPolicy": "Retain",
            "airflow": {
                "executor": "LocalExecutor",
                "config": {"core": {"parallelism": "2"}},
                **dict.fromkeys(("apiServer", "scheduler", "dagProcessor", "triggerer"), small),
            },
            "database": {"embedded": {"storage": "1Gi"}},
            "sync": {"mode": "Enforce", "prune": True, "interval": "15s"},
            **spec,
        },
    }


__all__ = ["AIRFLOW", "GIT_SECRET", "Environment", "path", "ready", "sample", "scratch_tenant"]
