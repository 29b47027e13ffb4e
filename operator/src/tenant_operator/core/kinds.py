"""The Kubernetes kinds that the operator handles, with their REST paths.

A fixed table instead of discovery: the operator's permissions name these kinds one by one anyway, and
a table costs no call at start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenant_operator.core import names

Object = dict[str, Any]  # a Kubernetes object as the API speaks it


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: `api_version` as in manifests, `plural` as in paths."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True
    #: it has a spec whose changes count up metadata.generation; status changes don't
    generation: bool = False

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The REST path of a collection (no name), an object or its subresource."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        parts = [root]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += [self.plural, name, subresource]
        return "/".join(part for part in parts if part)


TENANT = Kind(names.API_VERSION, names.KIND, names.PLURAL, namespaced=False, generation=True)
NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
SECRET = Kind("v1", "Secret", "secrets")
POD = Kind("v1", "Pod", "pods")
PVC = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
SERVICE = Kind("v1", "Service", "services")
EVENT = Kind("v1", "Event", "events")
#: Which kinds of other projects the cluster has: watched as metadata (reconcile.optional).
DEFINITION = Kind(
    "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)
ENDPOINT_SLICE = Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments", generation=True)
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets", generation=True)
JOB = Kind("batch/v1", "Job", "jobs", generation=True)
ROLE_BINDING = Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")

#: What a tenant's release consists of in every cluster: these are applied, watched, repaired and pruned.
RENDERED: tuple[Kind, ...] = (
    Kind("v1", "ServiceAccount", "serviceaccounts"),
    Kind("rbac.authorization.k8s.io/v1", "Role", "roles"),
    ROLE_BINDING,
    Kind("v1", "ResourceQuota", "resourcequotas"),
    Kind("v1", "LimitRange", "limitranges"),
    Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", generation=True),
    Kind("v1", "ConfigMap", "configmaps"),
    SERVICE,
    Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", generation=True),
    JOB,
    STATEFUL_SET,
    DEPLOYMENT,
)
_MONITORING = "monitoring.coreos.com"
#: What a release has of these only where the cluster has the kind: other projects' CustomResourceDefinitions.
OPTIONAL: tuple[Kind, ...] = (
    Kind(f"{_MONITORING}/v1", "PodMonitor", "podmonitors", generation=True),
    Kind(f"{_MONITORING}/v1", "PrometheusRule", "prometheusrules", generation=True),
    Kind(f"{_MONITORING}/v1alpha1", "AlertmanagerConfig", "alertmanagerconfigs", generation=True),
    Kind("grafana.integreatly.org/v1beta1", "GrafanaDashboard", "grafanadashboards", generation=True),
)
#: Everything that a release may consist of, in the order in which it is applied.
MANAGED: tuple[Kind, ...] = (*RENDERED, *OPTIONAL)
#: Watched whole although no workload: their status moves all the time, and no generation tells it apart.
DIGESTED: tuple[Kind, ...] = tuple(kind for kind in RENDERED if kind.kind == "ResourceQuota")
WORKLOADS: tuple[Kind, ...] = (DEPLOYMENT, STATEFUL_SET, JOB)

_BY_NAME: Mapping[tuple[str, str], Kind] = {
    (kind.group, kind.kind): kind for kind in (*MANAGED, TENANT, NAMESPACE, SECRET, POD, PVC)
}


def find(api_version: str, kind: str) -> Kind | None:
    """The table's entry for an object's apiVersion and kind, or None for a kind that we don't handle."""
    return _BY_NAME.get((api_version.rpartition("/")[0], kind))


@dataclass(frozen=True, slots=True, order=True)
class ObjectId:
    """What names an object in one cluster; its text form is what the status' inventory holds."""

    kind: str
    namespace: str
    name: str
    group: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}_{self.name}_{self.group}_{self.kind}"

    @classmethod
    def parse(cls, text: str) -> ObjectId:
        """Read the form of an inventory entry; Kubernetes names cannot hold an underscore."""
        namespace, name, group, kind = text.split("_")
        return cls(kind, namespace, name, group)

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> ObjectId:
        """The id of a manifest or of a live object."""
        metadata = obj["metadata"]
        group = str(obj["apiVersion"]).rpartition("/")[0]
        return cls(str(obj["kind"]), str(metadata.get("namespace", "")), str(metadata["name"]), group)

    @property
    def label(self) -> str:
        """How people write it: `Deployment/payments-scheduler`."""
        return f"{self.kind}/{self.name}"


def kind_of(id_: ObjectId) -> Kind | None:
    """The table's entry for an id, or None for a kind that we don't handle."""
    return _BY_NAME.get((id_.group, id_.kind))
