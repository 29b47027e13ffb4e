"""The platform's rules about objects: what manifests/policies refuses, and what only Git can show.

Every rule is a function from a `Source` to findings; `RULES` names them all. Rules marked (policy) are
ValidatingAdmissionPolicies too: a test holds the two together.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator

import yaml

from tools.manifests.default_rules import operator_defaults
from tools.manifests.findings import (
    TENANT,
    Finding,
    Object,
    Source,
    at,
    items,
    metadata,
    notes,
    subject,
)

REGISTRY = "registry.example.com/"
OPEN_EGRESS = "airflowtenants.io/allow-internet-egress"
_TENANT_OF = "airflowtenants.io/tenant"
_SYNC_OPTIONS = "argocd.argoproj.io/sync-options"
_FLUX_PRUNE = "kustomize.toolkit.fluxcd.io/prune"
QUOTAS = ("requests.cpu", "requests.memory", "pods")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
#: where clusters have their pods, Services and nodes; 100.64.0.0/10 by some clouds (EKS, GKE)
PRIVATE: tuple[Network, ...] = tuple(
    ipaddress.ip_network(cidr)
    for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
#: the nodes' own services: clouds hand the node's credentials to whoever asks there
NODES: tuple[Network, ...] = tuple(
    ipaddress.ip_network(cidr) for cidr in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128")
)
#: a peer inside a private range names a network of the company when it is at least as narrow as this
_NARROW = 12
#: written out, because a GitOps tool does not restore a field that Git does not name
WRITTEN_OUT = ("suspend", "state", "deletionPolicy")
#: a release or a commit: what cannot become something else tomorrow
FIXED_REF = re.compile(r"^(v?\d+\.\d+(\.\d+)?([-+.][0-9A-Za-z.-]+)?|[0-9a-f]{40})$")
CHANNELS = ("slack", "pagerduty", "webhook")
_WORKLOADS = {
    "Pod": "spec",
    "Deployment": "spec.template.spec",
    "DaemonSet": "spec.template.spec",
    "StatefulSet": "spec.template.spec",
    "Job": "spec.template.spec",
    "CronJob": "spec.jobTemplate.spec.template.spec",
}

#: Argo CD's options that keep what holds data
_KEPT = {
    TENANT: ("Prune=confirm", "Delete=confirm"),
    "Namespace": ("Prune=false", "Delete=false"),
    "CustomResourceDefinition": ("Prune=false",),
}

Rule = Callable[[Source, str], Iterator[Finding]]


def fixed_images(source: Source, _registry: str) -> Iterator[Finding]:
    """(policy) An image without a tag, or with `latest`, is another one tomorrow."""
    for found, field, image in _images(source):
        name = image.rpartition("/")[2]
        tag = name.partition(":")[2]
        if "@sha256:" not in image and tag in ("", "latest"):
            yield Finding(
                "fixed-image", subject(found), field, f"{image} changes by itself: name a tag or digest"
            )
    for tenant in source.of(TENANT):
        if at(tenant, "spec.airflow.image.tag") == "latest":
            yield Finding(
                "fixed-image",
                subject(tenant),
                "spec.airflow.image.tag",
                "latest changes by itself: name a release",
            )


def own_registry(source: Source, registry: str) -> Iterator[Finding]:
    """(policy) Tenants and the operator run images that the company has looked at."""
    for found, field, image in _images(source):
        if metadata(found).get("namespace") == "airflow-tenants-system" and not image.startswith(registry):
            yield Finding(
                "registry", subject(found), field, f"{image} is not from {registry}: mirror it there"
            )
    for tenant in source.of(TENANT):
        image = at(tenant, "spec.airflow.image.repository")
        if image and not str(image).startswith(registry):
            field = "spec.airflow.image.repository"
            yield Finding(
                "registry", subject(tenant), field, f"{image} is not from {registry}: mirror it there"
            )


def _images(source: Source) -> Iterator[tuple[Object, str, str]]:
    for found in source.objects:
        yield from _defaults(found)
        base = _WORKLOADS.get(str(found.get("kind")))
        for field in ("initContainers", "containers", "ephemeralContainers") if base else ():
            for container in items(found, f"{base}.{field}"):
                where = f"{base}.{field}[{container.get('name')}].image"
                yield found, where, str(container.get("image") or "")
        for volume in items(found, f"{base}.volumes") if base else ():
            if "image" in volume:
                where = f"{base}.volumes[{volume.get('name')}].image.reference"
                yield found, where, str(at(volume, "image.reference") or "")


def _defaults(found: Object) -> Iterator[tuple[Object, str, str]]:
    """The images that the operator gives to tenants: its settings, a file in a ConfigMap."""
    name = str(metadata(found).get("name") or "")
    if found.get("kind") != "ConfigMap" or not name.startswith("airflow-tenant-operator-defaults"):
        return
    data = found.get("data")
    for file, text in (data if isinstance(data, dict) else {}).items():
        try:
            images = at(yaml.safe_load(str(text)), "images")
        except (RecursionError, ValueError, yaml.YAMLError):
            continue  # the operator says what is wrong with it, and does not start
        for image, values in (images if isinstance(images, dict) else {}).items():
            tag, digest = at(values, "tag"), at(values, "digest")
            suffix = f"@{digest}" if digest else f":{tag}" if tag else ""
            yield found, f"data[{file}].images.{image}", f"{at(values, 'repository') or ''}{suffix}"


def closed_egress(source: Source, _registry: str) -> Iterator[Finding]:
    """(policy) A tenant that may reach the cluster's own addresses, or its nodes', says why."""
    for tenant in source.of(TENANT):
        if str(notes(tenant).get(OPEN_EGRESS) or "").strip():
            continue
        for index, peer in enumerate(items(tenant, "spec.network.egress")):
            open_ = sorted(str(network) for network in _left_open(peer))
            if open_:
                yield Finding(
                    *("open-egress", subject(tenant), f"spec.network.egress[{index}].cidr"),
                    f"{peer['cidr']} reaches {', '.join(open_)}, the cluster's own: leave private ranges "
                    f"out by except, name a network, or say why in the annotation {OPEN_EGRESS}",
                )


def _left_open(peer: Object) -> Iterator[Network]:
    """Ranges that a peer holds wholly or by a large part without leaving them out.

    Two networks are apart or one holds the other, so that halves of everything are found like everything.
    """
    reached = _network(peer.get("cidr"))
    if reached is None:
        return
    listed = peer.get("except")
    out = [_network(entry) for entry in listed] if isinstance(listed, list) else []
    for inside in PRIVATE:
        large = _holds(reached, inside) or (_holds(inside, reached) and reached.prefixlen < _NARROW)
        if large and not any(_holds(entry, inside) for entry in out):
            yield inside
    for node in NODES:
        if _holds(node, reached):
            yield node


def _holds(outer: Network | None, inner: Network) -> bool:
    if isinstance(outer, ipaddress.IPv4Network):
        return isinstance(inner, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return (
        isinstance(outer, ipaddress.IPv6Network)
        and isinstance(inner, ipaddress.IPv6Network)
        and inner.subnet_of(outer)
    )


def _network(cidr: object) -> Network | None:
    try:
        return ipaddress.ip_network(str(cidr), strict=False)
    except ValueError:
        return None  # the model says what is wrong with it


def quota(source: Source, _registry: str) -> Iterator[Finding]:
    """(policy) Without a quota one team's backfill takes the nodes of all."""
    for tenant in source.of(TENANT):
        written = at(tenant, "spec.quota.hard")
        hard = written if isinstance(written, dict) else {}
        for name in QUOTAS:
            if name not in hard:
                yield Finding("quota", subject(tenant), "spec.quota.hard", f"set {name}: the team's share")


def written_out(source: Source, _registry: str) -> Iterator[Finding]:
    """Protection that is a default is not restored by Argo CD or Flux when somebody changes it by hand."""
    for tenant in source.of(TENANT):
        spec = tenant.get("spec")
        for name in WRITTEN_OUT:
            if name not in (spec if isinstance(spec, dict) else {}):
                yield Finding(
                    "written-out",
                    subject(tenant),
                    f"spec.{name}",
                    "write it out: only fields in Git are restored",
                )


def retained(source: Source, _registry: str) -> Iterator[Finding]:
    """(policy) A deleted tenant of production leaves its data."""
    for tenant in source.of(TENANT) if source.production else ():
        if at(tenant, "spec.deletionPolicy") not in (None, "Retain"):
            yield Finding("retain", subject(tenant), "spec.deletionPolicy", "must be Retain in production")


def fixed_dags(source: Source, _registry: str) -> Iterator[Finding]:
    """(policy) Production runs a release of the team's repository, not whatever was pushed last."""
    for tenant in source.of(TENANT) if source.production else ():
        for dags in items(tenant, "spec.dags.sources"):
            git = dags.get("gitSync")
            if isinstance(git, dict) and not FIXED_REF.fullmatch(str(git.get("ref", "main"))):
                yield Finding(
                    *("fixed-dags", subject(tenant), f"spec.dags.sources[{dags.get('name')}].gitSync.ref"),
                    f"{git.get('ref', 'main')} is a branch: name a release tag (v1.2.3) or a full commit",
                )


def alert_channel(source: Source, _registry: str) -> Iterator[Finding]:
    """(policy) In production somebody is told."""
    for tenant in source.of(TENANT) if source.production else ():
        written = at(tenant, "spec.monitoring.alerts")
        alerts = written if isinstance(written, dict) else {}
        switched_off = at(tenant, "spec.monitoring.enabled") is False or alerts.get("enabled") is False
        if switched_off or not any(alerts.get(name) for name in CHANNELS):
            yield Finding(
                *("alert-channel", subject(tenant), "spec.monitoring.alerts"),
                f"nobody is told of this tenant's alerts: set one of {', '.join(CHANNELS)}",
            )


def kept_by_gitops(source: Source, _registry: str) -> Iterator[Finding]:
    """A tenant, its namespace and its definition survive a commit that removes them."""
    by_flux_only = source.within("flux")  # Argo CD never sees these
    by_argo_only = source.within("argocd")
    for found in source.objects:
        kind = str(found.get("kind"))
        if kind not in _KEPT or (kind == "Namespace" and _TENANT_OF not in notes(found)):
            continue
        yield from _kept(found, () if by_flux_only else _KEPT[kind], flux=not by_argo_only)


def _kept(found: Object, wanted: tuple[str, ...], *, flux: bool) -> Iterator[Finding]:
    written = {option.strip() for option in str(notes(found).get(_SYNC_OPTIONS) or "").split(",")}
    for option in wanted:
        # Prune=false is stronger than Prune=confirm
        if not {option, option.replace("confirm", "false")} & written:
            field = f"metadata.annotations[{_SYNC_OPTIONS}]"
            yield Finding(
                "kept", subject(found), field, f"add {option}: a commit must not delete data by itself"
            )
    if flux and notes(found).get(_FLUX_PRUNE) != "disabled":
        field = f"metadata.annotations[{_FLUX_PRUNE}]"
        yield Finding(
            "kept", subject(found), field, "set it to disabled: a commit must not delete data by itself"
        )


def namespaces(source: Source, _registry: str) -> Iterator[Finding]:
    """A namespace is its tenant's, and no two tenants have one together."""
    owners: dict[str, str] = {}
    written = {str(metadata(found).get("name")): found for found in source.of("Namespace")}
    for tenant in source.of(TENANT):
        name = str(metadata(tenant).get("name"))
        place = str(at(tenant, "spec.namespace.name") or f"airflow-{name}")
        if place in owners:
            message = f"{place} is the namespace of tenant {owners[place]}: choose another"
            yield Finding("namespace", subject(tenant), "spec.namespace.name", message)
        owners[place] = name
        if place in written and notes(written[place]).get(_TENANT_OF) != name:
            yield Finding(
                *("namespace", subject(written[place]), f"metadata.annotations[{_TENANT_OF}]"),
                f"set it to {name}: without it the operator refuses a namespace that it has not made",
            )


RULES: tuple[Rule, ...] = (
    *(fixed_images, own_registry, closed_egress, quota, written_out, retained, fixed_dags, alert_channel),
    *(kept_by_gitops, namespaces, operator_defaults),
)
