"""The platform under the tenants: a cluster with our images, the operator in it, and the Git server.

Everything here is idempotent: it looks first and does only what is missing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagebuild
from demo import process
from demo.console import Console
from demo.kube import Kube
from demo.state import project_root
from devcluster import target as targets
from devcluster import tools
from imagebuild.console import Console as ImageConsole

OPERATOR_NAMESPACE = "airflow-tenants-system"
OPERATOR = "airflow-tenant-operator"
CHART = project_root() / "charts" / "tenant-operator"
CLUSTER_IMAGES = ("airflow", "operator", "postgresql", "git-sync-standin", "statsd-exporter", "git-server")
#: name in the chart's tenantDefaults.images -> our image
TENANT_IMAGES = {
    "airflow": "airflow",
    "statsd": "statsd-exporter",
    "gitSync": "git-sync-standin",
    "postgresql": "postgresql",
}
GIT_SYNC_VARIABLE = "GIT_SYNC_IMAGE"


@dataclass(frozen=True, slots=True)
class Platform:
    """A reachable cluster that holds our images."""

    target: targets.Target
    kube: Kube
    helm: Path
    images: Mapping[str, str]
    """Image name -> reference by content tag."""

    def run_helm(self, *arguments: str, stdin: str = "", timeout: float = 300.0) -> str:
        """Run helm against this cluster."""
        return process.run(
            [self.helm, *arguments], stdin=stdin, timeout=timeout, environment=self.kube.environment
        )


def split_reference(reference: str) -> dict[str, str]:
    """Return repository and tag, or repository and digest, of an image reference."""
    if "@" in reference:
        named, _, digest = reference.partition("@")
        return {"repository": split_reference(named)["repository"], "digest": digest}
    repository, colon, tag = reference.rpartition(":")
    if not colon or "/" in tag:  # no tag at all, or the colon is a registry's port
        return {"repository": reference, "tag": "latest"}
    return {"repository": repository, "tag": tag}


def operator_values(images: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return the operator chart's values: our images by content tag; GIT_SYNC_IMAGE replaces the stand-in."""
    tenant = {name: split_reference(images[image]) for name, image in TENANT_IMAGES.items()}
    if environ.get(GIT_SYNC_VARIABLE):
        tenant["gitSync"] = split_reference(environ[GIT_SYNC_VARIABLE])
    return {
        "image": {**split_reference(images["operator"]), "pullPolicy": "IfNotPresent"},
        "tenantDefaults": {
            "images": {name: {**image, "pullPolicy": "IfNotPresent"} for name, image in tenant.items()}
        },
    }


@contextmanager
def opened(name: str, console: Console, images: Sequence[str] = CLUSTER_IMAGES) -> Iterator[Platform]:
    """Build what is missing, start the cluster called ``name``, bring the images in; yield the platform."""
    with console.step("tools (kubectl, helm)", long=True):
        kubectl, helm = tools.tool("kubectl"), tools.tool("helm")
    with console.step(f"{len(images)} images", long=True):
        built = imagebuild.build(images, console=ImageConsole())
    target = targets.cluster_from_env(name=name)
    with console.step(f"cluster: {target.description}", long=True):
        target.ensure_up()
    with Kube(kubectl, target.kubeconfig) as kube:
        wanted = {image: built[image].ref for image in images}
        missing = missing_images(kube, wanted)
        if missing:
            with console.step(f"load {len(missing)} of {len(images)} images"):
                target.load([built[image].tar for image in missing])
        yield Platform(target=target, kube=kube, helm=helm, images=wanted)


def missing_images(kube: Kube, wanted: Mapping[str, str]) -> list[str]:
    """Return the images that not every node says it has (a node lists its 50 largest)."""
    nodes = [
        {name for image in node["status"].get("images", []) for name in image.get("names") or []}
        for node in kube.items("/api/v1/nodes")
    ]
    return [image for image, ref in wanted.items() if not nodes or any(ref not in have for have in nodes)]


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Chart values as Helm merges two files: objects key by key, anything else as a whole."""
    result = dict(below)
    for key, value in above.items():
        known = result.get(key)
        both = isinstance(known, Mapping) and isinstance(value, Mapping)
        result[key] = merged(known, value) if both else value  # type: ignore[arg-type]  # see `both`
    return result


def install_operator(platform: Platform, extra: Mapping[str, Any] | None = None) -> None:
    """Install or upgrade the operator by its chart; values travel on standard input."""
    values = merged(operator_values(platform.images), extra or {})
    platform.run_helm(
        "upgrade", "--install", OPERATOR, str(CHART), "--namespace", OPERATOR_NAMESPACE, "--create-namespace",
        "--values", "-",
        stdin=json.dumps(values),
    )  # fmt: skip


def wait_operator(platform: Platform, seconds: float = 180.0) -> None:
    """Wait until the operator is ready."""
    platform.kube.kubectl(
        "-n", OPERATOR_NAMESPACE, "rollout", "status", f"deployment/{OPERATOR}", f"--timeout={seconds:.0f}s",
        timeout=seconds + 10,
    )  # fmt: skip
