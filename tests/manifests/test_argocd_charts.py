"""Points 13 and 16 of the GitOps checklist: charts without hooks, those that Flux installs, and metrics.

Points 14 and 15 (PodMonitors, dashboards) are proven where they are made: tests/charts/test_monitoring.py and
test_operator_chart.py, tests/controller/test_monitoring.py. What a controller tells (16): tests/gitops.
"""

from __future__ import annotations

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
    stack = values["kube-prometheus-stack"]["prometheusOperator"]["admissionWebhooks"]
    assert stack["patch"]["enabled"] is False
    assert stack["certManager"]["enabled"] is True


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


def test_no_chart_that_upstream_has_given_up() -> None:
    """ingress-nginx, since March 2026: https://kubernetes.io/blog/2026/01/29/ingress-nginx-statement/."""
    text = "".join(p.read_text() for p in (ROOT / "manifests").glob("infrastructure/**/[!k]*.yaml"))
    text += yaml.safe_dump_all(build("argocd/production"))
    assert "nginx" not in text


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
