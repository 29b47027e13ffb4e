"""Render a chart with the real Helm and look at the result."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
TENANT_CHART = ROOT / "charts" / "airflow-tenant"
OPERATOR_CHART = ROOT / "charts" / "tenant-operator"
RELEASE = "payments"
NAMESPACE = "airflow-payments"
COMPONENT_LABEL = "app.kubernetes.io/component"
#: components of the tenant chart's ConfigMaps whose names end in a hash of their content
HASHED = ("config", "modules", "pod-template")

Object = dict[str, Any]
Values = Mapping[str, Any]

_POD_TEMPLATES = {"Deployment", "StatefulSet", "Job"}


@functools.cache
def helm() -> str:
    """The helm to test with: $HELM, else the one that the dev cluster uses (built when it is missing)."""
    if named := os.environ.get("HELM"):
        return named
    from devcluster.tools import tool

    return str(tool("helm"))


def as_yaml(values: Values) -> str:
    """JSON that is YAML too: no surrogate pairs, and no raw character that YAML takes for a line break."""
    text = json.dumps(values, ensure_ascii=False)
    for character in "\u0085\u2028\u2029\ufeff\u007f":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def run_helm(*arguments: str, values: Values | None = None) -> subprocess.CompletedProcess[str]:
    """Run helm with the values on standard input."""
    return subprocess.run(
        [helm(), *arguments, "-f", "-"],
        input=as_yaml(values or {}),
        capture_output=True,
        text=True,
        timeout=60,
    )


def template(chart: Path, values: Values, release: str = RELEASE) -> subprocess.CompletedProcess[str]:
    """``helm template`` as the operator calls it."""
    return run_helm(
        "template", release, str(chart), "-n", NAMESPACE, "--kube-version", "1.34.0", values=values
    )


@dataclass(frozen=True)
class Pod:
    """A pod that a rendered object makes: Deployment, StatefulSet, Job or the worker's template."""

    component: str
    metadata: Object
    spec: Object

    @property
    def containers(self) -> list[Object]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def main(self) -> Object:
        container: Object = self.spec["containers"][0]
        return container

    def container(self, name: str) -> Object:
        return next(container for container in self.containers if container["name"] == name)


@dataclass(frozen=True)
class Chart:
    """One render: its text and its objects by (kind, name)."""

    text: str
    objects: dict[tuple[str, str], Object]

    def __getitem__(self, key: tuple[str, str]) -> Object:
        return self.objects[key]

    def kind(self, kind: str) -> list[Object]:
        return [obj for (name, _), obj in self.objects.items() if name == kind]

    @property
    def config_maps(self) -> dict[str, Object]:
        """Component -> the ConfigMap whose name is made from its content."""
        found = {obj["metadata"]["labels"][COMPONENT_LABEL]: obj for obj in self.kind("ConfigMap")}
        return {component: found[component] for component in HASHED if component in found}

    @property
    def config(self) -> dict[str, str]:
        data: dict[str, str] = self.config_maps["config"]["data"]
        return data

    @property
    def pods(self) -> dict[str, Pod]:
        """Component -> pod, the KubernetesExecutor's worker included."""
        return {pod.component: pod for pod in self._pods()}

    def _pods(self) -> Iterator[Pod]:
        for (kind, _), obj in self.objects.items():
            if kind in _POD_TEMPLATES:
                yield _pod(obj["spec"]["template"])
        template_map = self.config_maps.get("pod-template")
        if template_map is not None:
            yield _pod(yaml.safe_load(template_map["data"]["pod_template.yaml"]))


def _pod(template: Object) -> Pod:
    metadata = template["metadata"]
    return Pod(metadata["labels"][COMPONENT_LABEL], metadata, template["spec"])


def of_kubernetes(obj: Object) -> bool:
    """Whether Kubernetes itself has the kind, so that its schemas know it."""
    group = str(obj["apiVersion"]).rpartition("/")[0]
    return "." not in group or group.endswith(".k8s.io")


def parse(text: str) -> Chart:
    """Objects of a multi-document YAML; two of the same kind and name are an error."""
    objects: dict[tuple[str, str], Object] = {}
    for obj in yaml.load_all(text, Loader=yaml.CSafeLoader):
        if obj is not None:
            key = (obj["kind"], obj["metadata"]["name"])
            if key in objects:
                raise AssertionError(f"rendered twice: {key}")
            objects[key] = obj
    return Chart(text, objects)


@functools.cache
def _rendered(chart: Path, values: str, release: str) -> Chart:
    done = template(chart, json.loads(values), release)
    if done.returncode:
        raise AssertionError(f"helm template failed:\n{done.stderr}")
    return parse(done.stdout)


def render_chart(values: Values | None = None, chart: Path = TENANT_CHART, release: str = RELEASE) -> Chart:
    """Render and parse; the same values are rendered once per session. Don't change what it returns."""
    return _rendered(chart, json.dumps(values or {}, sort_keys=True), release)


def refused(values: Values, chart: Path = TENANT_CHART) -> str:
    """The error of a render that must fail."""
    done = template(chart, values)
    assert done.returncode != 0, "helm accepted these values"
    return done.stderr


def merged(*layers: Values) -> dict[str, Any]:
    """Later values win, objects are merged, lists are replaced: as Helm does it."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = result.get(key)
            if isinstance(below, dict) and isinstance(value, Mapping):
                result[key] = merged(below, value)
            else:
                result[key] = value
    return result
