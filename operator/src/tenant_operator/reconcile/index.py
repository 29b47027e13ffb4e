"""What the watches have seen: versions of every child, summaries of workloads and pods.

Kept small on purpose: a tenant of 40 objects costs a few KiB. Versions tell a foreign change from our
own: an object whose version is not the one that our last apply returned was touched by somebody else.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tenant_operator.core import kinds, names
from tenant_operator.core.kinds import Kind, Object, ObjectId
from tenant_operator.plan import workload
from tenant_operator.plan.workload import PodState, Problem, Workload

#: Annotations that Kubernetes' own controllers write, for example the revision of a rollout.
_CONTROLLERS = ("deployment.kubernetes.io/", "batch.kubernetes.io/", "kubectl.kubernetes.io/")


@dataclass(frozen=True, slots=True)
class Child:
    """One live object: `version` tells changes of what we own (see `version_of`)."""

    version: str
    resource_version: int
    uid: str
    workload: Workload | None = None


@dataclass(slots=True)
class Children:
    """All live objects of a tenant."""

    objects: dict[ObjectId, Child] = field(default_factory=dict)
    pods: dict[str, PodState] = field(default_factory=dict)

    def workloads(self) -> Mapping[ObjectId, Workload]:
        """Summaries by id."""
        return {id_: child.workload for id_, child in self.objects.items() if child.workload is not None}

    def addresses(self) -> list[str]:
        """Where running pods of the DAG processor answer, in a stable order."""
        return sorted(state.ip for state in self.pods.values() if state.ip)

    def problem(self, component: str, job: str = "") -> Problem | None:
        """Why pods of a component, or of one Job of it, do not come up, if any says so."""
        for state in self.pods.values():
            if state.component == component and job in ("", state.job) and state.problem is not None:
                return state.problem
        return None


def version_of(kind: Kind, obj: Object) -> str:
    """What differs whenever somebody has changed what a release says of an object, and as seldom else.

    The resourceVersion moves with every status. Where the kind has a generation, that and a digest of
    the metadata take its place; a ResourceQuota has a status (which moves with every pod) but no
    generation, so its spec is digested.
    """
    metadata = obj["metadata"]
    if kind.generation:
        return f"{metadata.get('generation', 0)}/{_digest(_own_metadata(metadata))}"
    if kind in kinds.DIGESTED:
        return _digest([obj.get("spec"), _own_metadata(metadata)])
    return str(metadata["resourceVersion"])


def _own_metadata(metadata: Object) -> list[object]:
    """The parts of the metadata that a release says something about, without what controllers write."""
    annotations = metadata.get("annotations") or {}
    return [
        metadata.get("labels"),
        {key: value for key, value in annotations.items() if not key.startswith(_CONTROLLERS)},
        metadata.get("ownerReferences"),
    ]


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


class Index:
    """Children by tenant, fed by the watches and by the answers to our own writes."""

    def __init__(self) -> None:
        """Start empty."""
        self._tenants: dict[str, Children] = defaultdict(Children)
        #: names of the optional kinds (core.kinds.OPTIONAL) that the cluster has and whose objects are known
        self.served: frozenset[str] = frozenset()

    def children(self, tenant: str) -> Children:
        """The live objects of a tenant."""
        return self._tenants[tenant]

    def forget(self, tenant: str) -> None:
        """Drop a tenant that is gone."""
        self._tenants.pop(tenant, None)

    def put(self, kind: Kind, obj: Object) -> str | None:
        """Note an object; returns its tenant if this was news."""
        tenant = _tenant(obj)
        if tenant is None:
            return None
        children = self._tenants[tenant]
        if kind is kinds.POD:
            state = workload.read_pod(obj)
            key = obj["metadata"]["name"]
            old_state = children.pods.get(key)
            children.pods[key] = state  # its address may be new even if it is no news
            return None if old_state == state else tenant
        child = Child(
            version=version_of(kind, obj),
            resource_version=int(obj["metadata"]["resourceVersion"]),
            uid=str(obj["metadata"].get("uid", "")),
            workload=workload.summarize(obj) if kind in kinds.WORKLOADS else None,
        )
        id_ = ObjectId.of(obj)
        old = children.objects.get(id_)
        if old is not None and old.uid == child.uid and old.resource_version >= child.resource_version:
            return None
        children.objects[id_] = child
        if old is not None and (old.version, old.workload, old.uid) == (
            child.version,
            child.workload,
            child.uid,
        ):
            return None
        return tenant

    def remove(self, kind: Kind, obj: Object) -> str | None:
        """Note that an object is gone; returns its tenant if it was known."""
        tenant = _tenant(obj)
        if tenant is None:
            return None
        children = self._tenants[tenant]
        if kind is kinds.POD:
            gone = children.pods.pop(obj["metadata"]["name"], None)
            return tenant if gone is not None else None
        id_ = ObjectId.of(obj)
        child = children.objects.get(id_)
        if child is None or child.uid != obj["metadata"].get("uid", child.uid):
            return None
        del children.objects[id_]
        return tenant

    def replace(self, kind: Kind, objects: Iterable[Object]) -> set[str]:
        """Take a fresh list of one kind; returns the tenants for whom something changed."""
        objects = list(objects)
        changed = {tenant for obj in objects if (tenant := self.put(kind, obj)) is not None}
        seen: dict[str, set[object]] = defaultdict(set)
        for obj in objects:
            tenant = _tenant(obj)
            if tenant is not None:
                seen[tenant].add(obj["metadata"]["name"] if kind is kinds.POD else ObjectId.of(obj))
        for name, children in self._tenants.items():
            if kind is kinds.POD:
                gone: list[object] = [key for key in children.pods if key not in seen[name]]
                for key in gone:
                    children.pods.pop(str(key), None)
            else:
                stale = [
                    id_
                    for id_ in children.objects
                    if (id_.kind, id_.group) == (kind.kind, kind.group) and id_ not in seen[name]
                ]
                gone = list(stale)
                for id_ in stale:
                    del children.objects[id_]
            if gone:
                changed.add(name)
        return changed


def _tenant(obj: Object) -> str | None:
    """Whose object it is. The owner reference counts before the label: one of them may have been changed."""
    for reference in obj["metadata"].get("ownerReferences") or []:
        if reference.get("kind") == names.KIND and reference.get("apiVersion") == names.API_VERSION:
            return str(reference["name"])
    tenant = (obj["metadata"].get("labels") or {}).get(names.LABEL_TENANT)
    return str(tenant) if tenant else None
