"""From rendered manifests to what is applied: ownership added, order given, stages separated."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tenant_operator.core import kinds, names
from tenant_operator.core.errors import RenderError
from tenant_operator.core.kinds import Object, ObjectId
from tenant_operator.core.ports import ChartInfo
from tenant_operator.plan.tenant import Tenant


class Stage(StrEnum):
    """The gates of a release, in order. A later stage is applied only when the earlier one is ready."""

    WALL = "wall"
    #: what Prometheus, Alertmanager and Grafana get: early, so that they see a start that fails, and no gate
    MONITORING = "monitoring"
    DATABASE = "database"
    MIGRATE = "migrate"
    COMPONENTS = "components"


_KIND_ORDER = {kind.kind: index for index, kind in enumerate(kinds.MANAGED)}


@dataclass(frozen=True, slots=True)
class Planned:
    """One object to apply; `digest` tells whether it differs from what was applied before."""

    id: ObjectId
    stage: Stage
    digest: str
    object: Object


@dataclass(frozen=True, slots=True)
class Release:
    """Everything that a tenant's release consists of, sorted by stage and kind."""

    digest: str
    manifest: str
    objects: tuple[Planned, ...]

    def of(self, stage: Stage) -> tuple[Planned, ...]:
        """The objects of one stage."""
        return tuple(planned for planned in self.objects if planned.stage is stage)

    @property
    def inventory(self) -> list[str]:
        """Ids for the status, by which the next release prunes."""
        return sorted(str(planned.id) for planned in self.objects)


def input_digest(chart: ChartInfo, values: Mapping[str, Any]) -> str:
    """The same digest means the same rendered bytes, so nothing has to be rendered."""
    return digest({"chart": chart.digest, "version": chart.version, "values": values})


def digest(value: Any) -> str:
    """A short stable digest of JSON-like data."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def build(tenant: Tenant, digest_: str, manifest: str, objects: Iterable[Object]) -> Release:
    """Add ownership to rendered objects and bring them in order; raises RenderError for strangers."""
    planned = [_plan(tenant, obj) for obj in objects]
    stages = list(Stage)
    planned.sort(key=lambda p: (stages.index(p.stage), _KIND_ORDER[p.id.kind], p.id))
    return Release(digest_, manifest, tuple(planned))


def _plan(tenant: Tenant, rendered: Object) -> Planned:
    kind = kinds.find(str(rendered.get("apiVersion")), str(rendered.get("kind")))
    if kind not in kinds.MANAGED:
        raise RenderError(
            f"the chart renders a {rendered.get('kind')}, which the operator does not manage: "
            "use a chart whose objects the operator knows"
        )
    obj = copy.deepcopy(rendered)
    metadata = obj["metadata"]
    metadata.setdefault("namespace", tenant.namespace)
    if metadata["namespace"] != tenant.namespace:
        raise RenderError(f"the chart renders {kind.kind} {metadata['name']} into another namespace")
    metadata["labels"] = {**(metadata.get("labels") or {}), **tenant.labels}
    # With these two a person may take the release over with the real `helm upgrade`.
    metadata["annotations"] = {
        **(metadata.get("annotations") or {}),
        "meta.helm.sh/release-name": tenant.name,
        "meta.helm.sh/release-namespace": tenant.namespace,
    }
    metadata["ownerReferences"] = [tenant.owner_reference]
    template = (obj.get("spec") or {}).get("template")
    if kind in kinds.WORKLOADS and template:
        labels = template.setdefault("metadata", {}).setdefault("labels", {})
        labels.update(tenant.labels)
    try:
        stage = Stage(metadata["annotations"].get(names.ANNOTATION_STAGE, Stage.COMPONENTS))
    except ValueError:
        stage = Stage.COMPONENTS
    return Planned(ObjectId.of(obj), stage, digest(obj), obj)
