"""Points 13 to 16 of the GitOps checklist: charts without hooks, those that Flux installs, and metrics."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest
import yaml
from tests.airflow.environment import ROOT
from tests.manifests.argocd_objects import (
    ENVIRONMENTS,
    build,
    of,
    variant,
)

from tenant_operator.core import names

Object = dict[str, Any]


def exists(file: str, test: str) -> None:
    """A test of another part proves the point; it must not vanish unnoticed."""
    tree = ast.parse((ROOT / file).read_text())
    defined = {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert test in defined, f"{file} has no {test}"


def test_point_13_no_hook_of_helm_is_left() -> None:
    """Argo CD runs a chart's hooks at every sync; ours has none, of others' the known ones are off."""
    for chart in ("airflow-tenant", "tenant-operator"):
        for template in (ROOT / "charts" / chart).rglob("templates/**/*.yaml"):
            assert "helm.sh/hook" not in template.read_text(), template
    values = {
        name: application["spec"]["source"]["helm"]["valuesObject"]
        for name, application in of(build("argocd/production"), "Application").items()
        if "chart" in application["spec"]["source"]
    }
    assert values["cert-manager"]["startupapicheck"]["enabled"] is False
    nginx = values["ingress-nginx"]["controller"]["admissionWebhooks"]
    stack = values["kube-prometheus-stack"]["prometheusOperator"]["admissionWebhooks"]
    for webhooks in (nginx, stack):
        assert webhooks["patch"]["enabled"] is False
        assert webhooks["certManager"]["enabled"] is True


@pytest.mark.parametrize(
    ("file", "test"),
    [
        (
            "charts/test_operator_chart",
            "metrics_are_found_by_annotations_or_by_a_pod_monitor_but_not_by_both",
        ),
        ("controller/test_monitoring", "the_installation_s_labels_and_the_team_s_folder_are_on_the_objects"),
        (
            "charts/test_monitoring",
            "grafana_s_sidecar_finds_the_dashboards_by_label_and_puts_them_into_the_team_s_folder",
        ),
        (
            "charts/test_monitoring",
            "grafana_operator_gets_an_object_a_dashboard_that_refers_to_the_config_map",
        ),
    ],
)
def test_points_14_and_15_are_proven_by_the_charts_tests(file: str, test: str) -> None:
    exists(f"tests/{file}.py", f"test_{test}")


def test_point_16_argo_cd_tells_team_and_conditions() -> None:
    container = {"name": "controller", "args": ["/usr/local/bin/argocd-application-controller"]}
    installed: list[Object] = [
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "argocd-application-controller", "namespace": "argocd"},
            "spec": {"template": {"spec": {"containers": [container]}}},
        },
        *(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": name, "namespace": "argocd"},
                "data": {"own": "kept"},
            }
            for name in ("argocd-cm", "argocd-cmd-params-cm", "argocd-rbac-cm")
        ),
    ]
    kustomization = {"resources": ["install.yaml"], "components": ["../config/component"]}
    objects = variant(
        {
            "own/install.yaml": yaml.safe_dump_all(installed),
            "own/kustomization.yaml": yaml.safe_dump(kustomization),
        },
        "own",
    )
    (controller,) = of(objects, "StatefulSet").values()
    (container,) = controller["spec"]["template"]["spec"]["containers"]
    flags = dict(argument.removeprefix("--").split("=", 1) for argument in container["args"][1:])
    assert names.LABEL_TEAM in flags["metrics-application-labels"].split(",")
    conditions = set(flags["metrics-application-conditions"].split(","))
    assert {"OrphanedResourceWarning", "InvalidSpecError"} <= conditions
    bare = of(build("argocd/config"), "ConfigMap")
    for name, cm in of(objects, "ConfigMap").items():
        assert cm["data"] == {"own": "kept", **bare[name]["data"]}


def test_point_16_no_dashboard_or_alert_asks_for_metrics_that_argo_cd_3_has_not() -> None:
    removed = re.compile(r"\bargocd_app_(sync_status|health_status|created_time)\b")
    for path in (ROOT / "dashboards" / "generated").rglob("*"):
        if path.is_file():
            assert not removed.search(path.read_text()), path


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_argo_cd_and_flux_install_the_same_charts(environment: str) -> None:
    releases = of(build("infrastructure/controllers"), "HelmRelease")
    apps = {
        name: app
        for name, app in of(build(f"argocd/{environment}"), "Application").items()
        if "chart" in app["spec"]["source"]
    }
    assert set(apps) == set(releases)
    for name, app in apps.items():
        spec, source = releases[name]["spec"], app["spec"]["source"]
        assert (source["chart"], source["targetRevision"]) == (
            spec["chart"]["spec"]["chart"],
            spec["chart"]["spec"]["version"],
        )
        assert re.fullmatch(r"v?\d+\.\d+\.\d+", source["targetRevision"]), "a range would move by itself"
        assert source["helm"] == {"releaseName": spec["releaseName"], "valuesObject": spec["values"]}
        assert app["spec"]["destination"]["namespace"] == spec["targetNamespace"]
