"""What manifests/argocd comes to: overlays as kustomize builds them, Applications as their set makes them."""

from __future__ import annotations

import copy
import functools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from tests import kustomization
from tests.airflow.environment import ROOT
from tools.manifests.scope import SERVER as SERVER
from tools.manifests.scope import admitted as admitted
from tools.manifests.scope import glob

from devcluster.tools import tool

Object = dict[str, Any]

MANIFESTS = ROOT / "manifests"
FOLDER = MANIFESTS / "argocd"
ENVIRONMENTS = ("staging", "production")
REPOSITORY = "https://git.example.com/platform/airflow-tenants.git"
TEAMS = sorted(path.name for path in (MANIFESTS / "tenants" / "base").iterdir() if path.is_dir())


@functools.cache
def _built(folder: Path) -> tuple[Object, ...]:
    return tuple(kustomization.build(folder))


def build(folder: str) -> list[Object]:
    """The objects of a kustomization below manifests/; the caller may change them."""
    return copy.deepcopy(list(_built(MANIFESTS / folder)))


def applied(application: Object) -> list[Object]:
    """The objects that Argo CD makes of an Application's folder, with the Application's own patches."""
    source = application["spec"]["source"]
    patches = source.get("kustomize", {}).get("patches")
    if not patches:
        return build(source["path"].removeprefix("manifests/"))
    with tempfile.TemporaryDirectory(prefix="argocd-") as name:
        scratch = Path(name).resolve()
        wrapper = {"resources": [os.path.relpath(ROOT / source["path"], scratch)], "patches": patches}
        (scratch / "kustomization.yaml").write_text(yaml.safe_dump(wrapper))
        return kustomization.build(scratch)


def destined(project: Object, application: Object) -> bool:
    """Whether a project lets an Application write where it says."""
    to = application["spec"]["destination"]
    return any(
        target["server"] == to["server"] and glob(target["namespace"], to["namespace"])
        for target in project["spec"]["destinations"]
    )


def variant(files: Mapping[str, str], folder: str) -> list[Object]:
    """The objects of a kustomization in a copy of manifests/argocd with these files written over it."""
    with tempfile.TemporaryDirectory(prefix="argocd-") as scratch:
        copied = Path(shutil.copytree(FOLDER, Path(scratch) / "argocd"))
        for name, text in files.items():
            (copied / name).parent.mkdir(exist_ok=True)
            (copied / name).write_text(text)
        return kustomization.build(copied / folder)


def of(objects: list[Object], kind: str) -> dict[str, Object]:
    """Objects of one kind by name."""
    return {found["metadata"]["name"]: found for found in objects if found["kind"] == kind}


def annotations(found: Object) -> dict[str, str]:
    """Annotations, empty when there are none."""
    return dict(found["metadata"].get("annotations") or {})


def wave(found: Object) -> int:
    """The sync wave; 0 is Argo CD's default."""
    return int(annotations(found).get("argocd.argoproj.io/sync-wave", "0"))


def options(found: Object) -> set[str]:
    """Sync options of a resource, by its annotation."""
    return {part for part in annotations(found).get("argocd.argoproj.io/sync-options", "").split(",") if part}


def directories(pattern: str) -> list[str]:
    """The folders of this repository that a git directories generator of that path finds."""
    return sorted(
        path.relative_to(ROOT).as_posix()
        for path in ROOT.glob(pattern)
        if path.is_dir() and path.name[0] != "."
    )


def generate(application_set: Object) -> dict[str, Object]:
    """The Applications of an ApplicationSet with one git directories generator, by name.

    Its templates are Go's with sprig's functions: helm has both. A key that is missing is an error with Argo
    CD and empty with helm: the tests look at what comes out.
    """
    spec = application_set["spec"]
    (generator,) = spec["generators"]
    (directory,) = generator["git"]["directories"]
    paths = directories(directory["path"])
    template = yaml.safe_dump(spec["template"], sort_keys=False, width=10**6)
    with tempfile.TemporaryDirectory(prefix="appset-") as scratch:
        chart = Path(scratch)
        (chart / "templates").mkdir()
        (chart / "Chart.yaml").write_text("apiVersion: v2\nname: appset\nversion: 0.0.0\n")
        parameters = [{"path": _parameters(path)} for path in paths]
        (chart / "values.yaml").write_text(yaml.safe_dump({"all": parameters}))
        (chart / "templates" / "all.yaml").write_text(
            "{{- range .Values.all }}\n---\n" + template + "\n{{- end }}\n"
        )
        done = subprocess.run(
            [str(tool("helm")), "template", "appset", str(chart)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = [item for item in yaml.safe_load_all(done.stdout) if item]
    made = [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", **item} for item in found]
    for application in made:
        application["metadata"]["namespace"] = application_set["metadata"]["namespace"]
    assert len(made) == len(paths)
    return of(made, "Application")


def _parameters(path: str) -> Object:
    """https://argo-cd.readthedocs.io/en/stable/operator-manual/applicationset/Generators-Git/"""
    basename = path.rsplit("/", 1)[-1]
    return {
        "path": path,
        "basename": basename,
        "basenameNormalized": re.sub(r"[^-a-z0-9]", "-", basename.lower())[:63].strip("-"),
        "segments": path.split("/"),
    }


def everything(environment: str) -> list[Object]:
    """What Argo CD's namespace of a cluster holds of ours."""
    return build(f"argocd/{environment}") + build(f"argocd/{environment}/root") + build("argocd/config")


def tenants(environment: str) -> dict[str, Object]:
    """The Applications that the ApplicationSet makes."""
    (application_set,) = of(build(f"argocd/{environment}"), "ApplicationSet").values()
    return generate(application_set)


def applications(environment: str) -> dict[str, Object]:
    """Every Application of a cluster: the root, its children, the tenants'."""
    return of(everything(environment), "Application") | tenants(environment)


def project_of(environment: str, application: Object) -> Object:
    """The AppProject that an Application names."""
    return of(everything(environment), "AppProject")[application["spec"]["project"]]
