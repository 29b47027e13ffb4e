"""CustomResourceDefinitions of other projects, as a platform team would install them."""

from __future__ import annotations

import functools
import json
import subprocess
from pathlib import Path

from tests.controller.api import Api, Refused
from tests.controller.process import eventually

from devcluster.recipes import RECIPES
from tenant_operator.core.kinds import Kind, Object

DEFINITION = Kind(
    "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)
_MODULE = "github.com/prometheus-operator/prometheus-operator"


@functools.cache
def module() -> Path:
    """The source of the pinned Prometheus operator, out of Go's module cache; it holds the definitions."""
    wanted = f"{_MODULE}@{RECIPES['prometheus-operator'].version()}"
    done = subprocess.run(
        ["go", "mod", "download", "-json", wanted], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Path(json.loads(done.stdout)["Dir"])


def of_prometheus_operator(*plurals: str) -> list[Object]:
    """Its real definitions, by plural."""
    folder = module() / "jsonnet" / "prometheus-operator"
    return [json.loads((folder / f"{plural}-crd.json").read_text()) for plural in plurals]


def of_grafana_operator() -> Object:
    """The fields of grafana-operator's GrafanaDashboard that we use; its module can't be had everywhere.

    https://grafana.github.io/grafana-operator/docs/api/#grafanadashboard
    """
    text, flag = {"type": "string"}, {"type": "boolean"}
    reference = {"type": "object", "required": ["key"], "properties": {"name": text, "key": text}}
    selector = {
        "type": "object",
        "properties": {"matchLabels": {"type": "object", "additionalProperties": text}},
        "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "Value is immutable"}],
    }
    spec = {
        "type": "object",
        "required": ["instanceSelector"],
        "properties": {
            "allowCrossNamespaceImport": flag,
            "configMapRef": reference,
            "folder": text,
            "instanceSelector": selector,
            "resyncPeriod": text,
            "json": text,
        },
    }
    schema = {"type": "object", "properties": {"spec": spec, "status": {"type": "object"}}}
    names = {
        "kind": "GrafanaDashboard",
        "listKind": "GrafanaDashboardList",
        "plural": "grafanadashboards",
        "singular": "grafanadashboard",
    }
    return {
        "apiVersion": DEFINITION.api_version,
        "kind": DEFINITION.kind,
        "metadata": {"name": "grafanadashboards.grafana.integreatly.org"},
        "spec": {
            "group": "grafana.integreatly.org",
            "names": names,
            "scope": "Namespaced",
            "versions": [
                {
                    "name": "v1beta1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
            ],
        },
    }


def install(api: Api, definitions: list[Object]) -> None:
    """Apply definitions and wait until the API server serves their kinds."""
    for definition in definitions:
        api.apply(DEFINITION.path("", definition["metadata"]["name"]), definition)

    def pending() -> list[str]:
        specs = [definition["spec"] for definition in definitions]
        return [spec["names"]["plural"] for spec in specs if not listed(api, spec)]

    eventually(lambda: not pending(), 30, pending)


def listed(api: Api, spec: Object) -> bool:
    """Whether the kind of a definition can be listed: it is served, and its storage is ready."""
    version = next(version["name"] for version in spec["versions"] if version["served"])
    try:
        api.call("GET", f"/apis/{spec['group']}/{version}/{spec['names']['plural']}")
    except Refused:
        return False
    return True


def optional() -> list[Object]:
    """The definitions of all kinds that a tenant's release uses where they are."""
    return [
        *of_prometheus_operator("podmonitors", "prometheusrules", "alertmanagerconfigs"),
        of_grafana_operator(),
    ]
