"""From a tenant's spec to the values of its chart. Pure: the same tenant gives the same values.

No secret goes in here: the chart gets names of Secrets, and fingerprints to roll pods by.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tenant_operator.api.airflow import DEFAULT_VERSION, Airflow, Component, DagSource
from tenant_operator.api.rules import Resources
from tenant_operator.api.tenant import Peer, Subject
from tenant_operator.core import names
from tenant_operator.plan import logs, monitoring
from tenant_operator.plan.monitoring import MonitoringDefaults
from tenant_operator.plan.tenant import Tenant

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the installation decides for all tenants: images, and where the Kubernetes API is."""

    images: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    operator_namespace: str = "airflow-tenants-system"
    api_server_addresses: Sequence[str] = ()
    api_server_ports: Sequence[int] = (443, 6443)
    monitoring: MonitoringDefaults = field(default_factory=MonitoringDefaults)


def build(
    tenant: Tenant, checksums: Mapping[str, str], defaults: Defaults, served: Collection[str] = ()
) -> Values:
    """The values of the tenant's release; `served`: the optional kinds that the cluster has, by name."""
    spec = tenant.spec
    values: Values = {
        "labels": tenant.labels,
        **_airflow(spec.airflow, defaults),
        "config": logs.config(tenant),
        "env": _environment(tenant),
        **_secrets(tenant, checksums, defaults),
        "dags": {"sources": [_source(source) for source in spec.dags.sources]},
        "monitoring": monitoring.values(tenant, defaults.monitoring, served),
        "networkPolicies": _network(tenant, defaults),
        "teamAccess": {
            group: [_subject(subject) for subject in getattr(spec.access.kubernetes, group)]
            for group in ("admins", "editors", "viewers")
        },
    }
    if spec.state == "Hibernated":
        values["hibernated"] = True
    if spec.quota.hard:
        values["quota"] = {"hard": dict(spec.quota.hard)}
    limits = {
        "default": spec.limits.default,
        "defaultRequest": spec.limits.default_request,
        "max": spec.limits.max,
        "min": spec.limits.min,
    }
    if any(limits.values()):
        values["limitRange"] = {key: dict(value) for key, value in limits.items() if value}
    return values


def _airflow(airflow: Airflow, defaults: Defaults) -> Values:
    images: Values = {name: dict(image) for name, image in defaults.images.items()}
    own = airflow.image
    image = images.setdefault("airflow", {})
    # The installation's tag and digest are those of its default version, and of no other.
    if own.repository or own.tag or airflow.version != DEFAULT_VERSION:
        image.pop("digest", None)
        image["tag"] = own.tag or airflow.version
    if own.repository:
        image["repository"] = own.repository
    if own.pull_policy is not None:
        image["pullPolicy"] = own.pull_policy
    values: Values = {
        "executor": airflow.executor,
        "airflowVersion": airflow.version,
        "images": images,
        "apiServer": _component(airflow.api_server),
        "scheduler": _component(airflow.scheduler),
        "dagProcessor": _component(airflow.dag_processor),
        "triggerer": _component(airflow.triggerer),
    }
    if airflow.workers.resources is not None:
        values["workers"] = {"resources": _resources(airflow.workers.resources)}
    if own.pull_secrets:
        values["imagePullSecrets"] = [{"name": secret.name} for secret in own.pull_secrets]
    return values


def _environment(tenant: Tenant) -> list[Values]:
    """What the team names wins over what the operator sets."""
    own = [_env(variable) for variable in tenant.spec.airflow.env]
    taken = {variable["name"] for variable in own}
    made = logs.environment(tenant)
    return [*({"name": name, "value": value} for name, value in made.items() if name not in taken), *own]


def _secrets(tenant: Tenant, checksums: Mapping[str, str], defaults: Defaults) -> Values:
    embedded = tenant.spec.database.embedded
    persistence: Values = {"size": embedded.storage}
    if embedded.storage_class_name:
        persistence["storageClassName"] = embedded.storage_class_name
    postgresql: Values = {
        "enabled": True,
        "auth": {"existingSecret": names.metadata_secret(tenant.name)},
        "persistence": persistence,
    }
    if embedded.resources is not None:
        postgresql["resources"] = _resources(embedded.resources)
    if defaults.monitoring.database_metrics and tenant.spec.monitoring.enabled:
        postgresql["metrics"] = {"enabled": True}
    email = tenant.spec.owner.email or "admin@example.com"
    return {
        "fernetKeySecretName": names.fernet_secret(tenant.name),
        "apiSecretKeySecretName": names.api_secret(tenant.name),
        "jwtSecretName": names.jwt_secret(tenant.name),
        "data": {"metadataSecretName": names.metadata_secret(tenant.name)},
        "postgresql": postgresql,
        "secretChecksums": dict(sorted(checksums.items())),
        "createUserJob": {
            "users": [
                _user("admin", email, "Team", "Admin", names.admin_secret(tenant.name)),
                _user(
                    names.FIELD_MANAGER,
                    "operator@airflowtenants.io",
                    "Tenant",
                    "Operator",
                    names.operator_secret(tenant.name),
                ),
            ]
        },
    }


def _user(username: str, email: str, first: str, last: str, secret: str) -> Values:
    return {
        "username": username,
        "email": email,
        "firstName": first,
        "lastName": last,
        "role": "Admin",
        "passwordSecretName": secret,
        "passwordSecretKey": "password",
    }


def _component(component: Component) -> Values:
    values: Values = {"replicas": component.replicas}
    if component.resources is not None:
        values["resources"] = _resources(component.resources)
    return values


def _resources(resources: Resources) -> Values:
    both = {"requests": dict(resources.requests), "limits": dict(resources.limits)}
    return {key: value for key, value in both.items() if value}


def _env(variable: Any) -> Values:
    if variable.secret_key_ref is None:
        return {"name": variable.name, "value": variable.value}
    reference = {"name": variable.secret_key_ref.name, "key": variable.secret_key_ref.key}
    return {"name": variable.name, "valueFrom": {"secretKeyRef": reference}}


def _source(source: DagSource) -> Values:
    if source.image is not None:
        return {"name": source.name, "image": {"path": source.image.path}}
    git = source.git_sync
    if git is None:
        raise AssertionError("the model lets no source pass that is of no kind")
    values: Values = {"repo": git.repo, "ref": git.ref, "period": git.period, "depth": git.depth}
    if git.credentials_secret_ref is not None:
        values["credentialsSecretName"] = git.credentials_secret_ref.name
    return {"name": source.name, "subPath": git.sub_path, "gitSync": values}


def _subject(subject: Subject) -> Values:
    values: Values = {"kind": subject.kind, "name": subject.name}
    if subject.namespace is not None:
        return {**values, "namespace": subject.namespace}
    return {**values, "apiGroup": "rbac.authorization.k8s.io"}


def _network(tenant: Tenant, defaults: Defaults) -> Values:
    network = tenant.spec.network
    kubernetes_api: Values = {"ports": list(defaults.api_server_ports)}
    if defaults.api_server_addresses:
        kubernetes_api["cidrs"] = [
            f"{address}/{128 if ':' in address else 32}" for address in defaults.api_server_addresses
        ]
    scrapers = monitoring.network(tenant, defaults.monitoring)
    return {
        **({"monitoring": scrapers} if scrapers else {}),
        "enabled": True,
        "operatorNamespace": defaults.operator_namespace,
        "operatorPodLabels": {"app.kubernetes.io/name": names.FIELD_MANAGER},
        "kubernetesApi": kubernetes_api,
        "gitPorts": sorted(
            {git_port(source.git_sync.repo) for source in tenant.spec.dags.sources if source.git_sync}
        ),
        "extraEgress": [{"to": [_peer(peer)], "ports": _ports(peer)} for peer in network.egress],
        "extraIngress": [{"from": [_peer(peer)], "ports": _ports(peer)} for peer in network.ingress],
    }


def _peer(peer: Peer) -> Values:
    if peer.cidr is not None:
        out = [*peer.except_, *_nodes_own(peer.cidr, peer.except_)]
        return {"ipBlock": {"cidr": peer.cidr} | ({"except": out} if out else {})}
    selector: Values = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": peer.namespace}}}
    if peer.pod_labels:
        selector["podSelector"] = {"matchLabels": dict(peer.pod_labels)}
    return selector


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
#: where clouds hand the node's credentials to whoever asks: who wants them reached names them
_NODES_OWN = tuple(map(ipaddress.ip_network, ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128")))


def _nodes_own(cidr: str, except_: list[str]) -> list[str]:
    """What a range holds of them and does not leave out. The chart does it for "everywhere"."""
    reached, *out = (ipaddress.ip_network(range_, strict=False) for range_ in (cidr, *except_))
    return [
        str(node)
        for node in _NODES_OWN
        if reached.prefixlen
        and node != reached
        and _holds(reached, node)
        and not any(_holds(range_, node) for range_ in out)
    ]


def _holds(outer: _Network, inner: _Network) -> bool:
    if isinstance(outer, ipaddress.IPv4Network):
        return isinstance(inner, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(inner, ipaddress.IPv6Network) and inner.subnet_of(outer)


def _ports(peer: Peer) -> list[Values]:
    return [{"protocol": peer.protocol, "port": port} for port in peer.ports]


_DEFAULT_PORTS = {"https": 443, "http": 80, "ssh": 22, "git": 9418}


def git_port(repo: str) -> int:
    """The TCP port that a Git URL means."""
    if re.match(r"^[A-Za-z0-9._-]+@[^/]+:", repo):
        return _DEFAULT_PORTS["ssh"]
    default = _DEFAULT_PORTS[repo.partition(":")[0]]
    try:
        return urlsplit(repo).port or default
    except ValueError:  # git will say what is wrong with the address
        return default
