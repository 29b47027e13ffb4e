"""Render charts/tenant-operator into manifests/operator: `python -m tools.manifests.operator [--check]`.

With the chart committed as plain objects, Argo CD, Flux and `kubectl apply --server-side -k` install the same
bytes, and a review of an upgrade shows what changes in the cluster. Written are

    base/generated/operator.yaml   namespace, CustomResourceDefinition, rights, Deployment, Service
    base/generated/defaults.yaml   the defaults of tenants; kustomize makes a ConfigMap with a hash in its
                                   name, so that a change of the defaults restarts the operator
    monitoring/generated/*.yaml    what needs the Prometheus operator's kinds, for the component `monitoring`

Exit code 1 with --check when a file is out of date; the message names it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from devcluster.tools import tool

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "tenant-operator"
FOLDER = ROOT / "manifests" / "operator"
NAMESPACE = "airflow-tenants-system"
RELEASE = "airflow-tenant-operator"
_HEADER = "# Generated from charts/tenant-operator with manifests/operator/values.yaml by make generate.\n"
_HELM_SECONDS = 60

Object = dict[str, Any]

#: The definition first (-3), everything else of the operator behind it (-2); nothing may ever prune the
#: definition, for every tenant, and all that it owns, would go with it.
#: https://argo-cd.readthedocs.io/en/stable/user-guide/sync-options/
_CRD_ANNOTATIONS = {
    "argocd.argoproj.io/sync-wave": "-3",
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false,ServerSideApply=true",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
    "kustomize.toolkit.fluxcd.io/substitute": "disabled",
}
_NAMESPACE_ANNOTATIONS = {
    "argocd.argoproj.io/sync-wave": "-3",
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}
_ANNOTATIONS = {"argocd.argoproj.io/sync-wave": "-2"}
_MONITORING_ANNOTATIONS = {
    "argocd.argoproj.io/sync-wave": "3",
    # dashboards are larger than the last-applied annotation may be; the kinds may arrive with the same sync
    "argocd.argoproj.io/sync-options": "ServerSideApply=true,SkipDryRunOnMissingResource=true",
}
#: Helm's own words: they would say that a release owns these objects.
_HELM_LABELS = ("app.kubernetes.io/managed-by", "helm.sh/chart")


def render(*settings: str) -> list[Object]:
    """The chart's objects by `helm template`; raises CalledProcessError with Helm's message on its stderr."""
    options = [part for setting in settings for part in ("--set", setting)]
    done = subprocess.run(
        [
            *(str(tool("helm")), "template", RELEASE, str(CHART), "--namespace", NAMESPACE),
            *("--values", str(FOLDER / "values.yaml"), *options),
        ],
        capture_output=True,
        text=True,
        timeout=_HELM_SECONDS,
        check=True,
    )
    return [found for found in yaml.safe_load_all(done.stdout) if found]


def _namespace() -> Object:
    """The chart leaves its namespace to the installer; the operator runs under the strictest standard."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": NAMESPACE,
            "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        },
    }


def _prepared(found: Object, annotations: dict[str, str]) -> Object:
    metadata = found["metadata"]
    for label in _HELM_LABELS:
        metadata.get("labels", {}).pop(label, None)
    kept = {k: v for k, v in metadata.get("annotations", {}).items() if not k.startswith("helm.sh/")}
    metadata["annotations"] = kept | annotations
    return found


def _annotations_of(found: Object) -> dict[str, str]:
    return {"CustomResourceDefinition": _CRD_ANNOTATIONS, "Namespace": _NAMESPACE_ANNOTATIONS}.get(
        found["kind"], _ANNOTATIONS
    )


def _is_defaults(found: Object) -> bool:
    return _key(found) == ("ConfigMap", f"{RELEASE}-defaults")


def _key(found: Object) -> tuple[str, str]:
    return str(found["kind"]), str(found["metadata"]["name"])


def _text(objects: Iterable[Object]) -> str:
    return _HEADER + yaml.safe_dump_all(objects, sort_keys=False, width=110, allow_unicode=True)


def outputs() -> dict[Path, str]:
    """Every generated file with its right content."""
    core = render()
    [defaults] = [found for found in core if _is_defaults(found)]
    objects = [_namespace(), *(found for found in core if not _is_defaults(found))]
    objects.sort(key=lambda found: int(_annotations_of(found)["argocd.argoproj.io/sync-wave"]))
    for found in objects:
        if found["kind"] == "Deployment":  # kustomize's hash in the ConfigMap's name does its work
            found["spec"]["template"]["metadata"]["annotations"].pop("checksum/defaults")
    known = {_key(found) for found in core}
    full = render("podMonitor.enabled=true", "alerts.enabled=true", "dashboards.enabled=true")
    monitoring = [found for found in full if _key(found) not in known]
    return {
        FOLDER / "base/generated/operator.yaml": _text(
            _prepared(found, _annotations_of(found)) for found in objects
        ),
        FOLDER / "base/generated/defaults.yaml": _HEADER + defaults["data"]["defaults.yaml"],
        FOLDER / "monitoring/generated/monitoring.yaml": _text(
            _prepared(found, _MONITORING_ANNOTATIONS) for found in monitoring
        ),
    }


def main(arguments: list[str]) -> int:
    """Write or check; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.manifests.operator", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 when a file is out of date"
    )
    check = parser.parse_args(arguments).check
    try:
        wanted = outputs()
    except subprocess.CalledProcessError as error:
        sys.stderr.write(error.stderr)
        return 2
    stale = {
        path: text for path, text in wanted.items() if not path.is_file() or path.read_text("utf-8") != text
    }
    for path, text in stale.items():
        if check:
            sys.stderr.write(f"{path.relative_to(ROOT)} is out of date: run make generate\n")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
