"""Every generated file: what is in it, where it lies, and whether it is up to date."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tenant_dashboards.alerts import render
from tenant_dashboards.boards import boards
from tenant_dashboards.boards.parts import RUNBOOK_URL, Flavour
from tenant_dashboards.panels.encode import to_json
from tenant_dashboards.panels.model import Board

ROOT = Path(__file__).resolve().parents[3]
GENERATED = "dashboards/generated"
CHARTS = {Flavour.PLATFORM: "charts/tenant-operator", Flavour.TEAM: "charts/airflow-tenant"}
FOLDER = "Airflow"
_CONFIG_MAP_LIMIT = 1024 * 1024  # bytes, of one object in etcd
_SIDECAR = {"grafana_dashboard": "1"}  # the label that the sidecar of Grafana's charts looks for by default


Files = dict[str, str]  # path under the repository -> text


def platform_boards() -> Files:
    """The platform's boards as JSON for import, review and provisioning."""
    return {
        f"{GENERATED}/platform/{name}.json": pretty(model).replace(RUNBOOK_URL, render.RUNBOOK_URL)
        for name, model in _models(Flavour.PLATFORM).items()
    }


def team_boards() -> Files:
    """A team's boards with tokens, for review."""
    return {f"{GENERATED}/team/{name}.json": pretty(model) for name, model in _models(Flavour.TEAM).items()}


def chart_copies() -> Files:
    """The same, compact, where the charts read them."""
    return {
        f"{home}/files/dashboards/{name}.json": compact(model) + "\n"
        for flavour, home in CHARTS.items()
        for name, model in _models(flavour).items()
    }


def provisioning() -> Files:
    """Grafana's own file provisioning of the platform's boards.

    https://grafana.com/docs/grafana/latest/administration/provisioning/#dashboards
    """
    provider = {
        "name": "airflow-tenants",
        "orgId": 1,
        "folder": FOLDER,
        "type": "file",
        "disableDeletion": True,
        "allowUiUpdates": False,
        "updateIntervalSeconds": 60,
        "options": {"path": "/var/lib/grafana/dashboards/airflow-tenants"},
    }
    return {f"{GENERATED}/provisioning/dashboards.yaml": to_yaml({"apiVersion": 1, "providers": [provider]})}


def config_maps() -> Files:
    """One ConfigMap a board, for the sidecar of Grafana's chart (folderAnnotation `grafana_folder`)."""
    return {
        f"{GENERATED}/configmaps/{name}.yaml": to_yaml(_config_map(name, model))
        for name, model in _models(Flavour.PLATFORM).items()
    }


def grafana_operator() -> Files:
    """Manifests for grafana-operator v5: a folder, and a board for each ConfigMap of :func:`config_maps`.

    https://grafana.github.io/grafana-operator/docs/api/
    """
    folder = _grafana("GrafanaFolder", "airflow", {"title": FOLDER, "uid": "airflow"})
    files = {f"{GENERATED}/grafana-operator/folder.yaml": to_yaml(folder)}
    for name, model in _models(Flavour.PLATFORM).items():
        spec = {
            "uid": model["uid"],
            "folderRef": "airflow",
            "configMapRef": {"name": config_map_name(name), "key": f"{config_map_name(name)}.json"},
        }
        path = f"{GENERATED}/grafana-operator/{name}.yaml"
        files[path] = to_yaml(_grafana("GrafanaDashboard", config_map_name(name), spec))
    return files


def alert_files() -> Files:
    """Rules and priorities: see :mod:`tenant_dashboards.alerts.render`."""
    return {path.as_posix(): text for path, text in render.files().items()}


@dataclass(frozen=True)
class Output:
    """One kind of generated file: who makes it, and the folders that hold nothing else."""

    make: Callable[[], Files]
    folders: tuple[str, ...]


OUTPUTS = (
    Output(platform_boards, (f"{GENERATED}/platform",)),
    Output(team_boards, (f"{GENERATED}/team",)),
    Output(chart_copies, tuple(f"{home}/files/dashboards" for home in CHARTS.values())),
    Output(provisioning, (f"{GENERATED}/provisioning",)),
    Output(config_maps, (f"{GENERATED}/configmaps",)),
    Output(grafana_operator, (f"{GENERATED}/grafana-operator",)),
    Output(alert_files, (f"{GENERATED}/rules", f"{CHARTS[Flavour.PLATFORM]}/files/rules")),
)


def generate(outputs: tuple[Output, ...] = OUTPUTS) -> Files:
    """Every generated file; the same code always gives the same bytes."""
    return {path: text for output in outputs for path, text in output.make().items()}


def differences(root: Path, files: Files, outputs: tuple[Output, ...] = OUTPUTS) -> list[str]:
    """What is not as it should be under `root`: `missing: x`, `differs: x`, `not generated: x`."""
    found = []
    for path, text in sorted(files.items()):
        there = root / path
        if not there.is_file():
            found.append(f"missing: {path}")
        elif there.read_text(encoding="utf-8") != text:
            found.append(f"differs: {path}")
    return found + [f"not generated: {path}" for path in stale(root, files, outputs)]


def stale(root: Path, files: Files, outputs: tuple[Output, ...]) -> list[str]:
    """Files in the folders of generated files that nothing generates any more."""
    there = [path for output in outputs for folder in output.folders for path in (root / folder).glob("*")]
    return sorted(str(path.relative_to(root)) for path in there if str(path.relative_to(root)) not in files)


def write(root: Path, files: Files, outputs: tuple[Output, ...] = OUTPUTS) -> list[str]:
    """Make the tree so; returns what was changed, as :func:`differences` says it."""
    changes = differences(root, files, outputs)
    for path in stale(root, files, outputs):
        (root / path).unlink()
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return changes


def config_map_name(name: str) -> str:
    """The ConfigMap of a platform board; its key is the same with .json: the sidecar wants unique names."""
    return f"airflow-dashboard-{name}"


def pretty(model: dict[str, Any]) -> str:
    """For people and diffs."""
    return json.dumps(model, indent=2, ensure_ascii=False) + "\n"


def compact(model: dict[str, Any]) -> str:
    """For objects of Kubernetes."""
    return json.dumps(model, separators=(",", ":"), ensure_ascii=False)


def to_yaml(document: dict[str, Any]) -> str:
    """One YAML document, keys in the order given."""
    return "---\n" + yaml.safe_dump(document, sort_keys=False, width=2**20, allow_unicode=True)


def _models(flavour: Flavour) -> dict[str, dict[str, Any]]:
    made: tuple[Board, ...] = boards(flavour)
    return {board.slug: to_json(board) for board in made}


def _config_map(name: str, model: dict[str, Any]) -> dict[str, Any]:
    text = compact(model).replace(RUNBOOK_URL, render.RUNBOOK_URL)
    if len(text.encode()) > _CONFIG_MAP_LIMIT:
        msg = f"{name}: a ConfigMap holds 1 MiB, this board has {len(text.encode())} bytes"
        raise ValueError(msg)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": config_map_name(name),
            "labels": _SIDECAR,
            "annotations": {
                "grafana_folder": FOLDER,
                # a client-side apply would copy the board into an annotation, which holds 256 KiB
                "argocd.argoproj.io/sync-options": "ServerSideApply=true",
            },
        },
        "data": {f"{config_map_name(name)}.json": text},
    }


def _grafana(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "grafana.integreatly.org/v1beta1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "allowCrossNamespaceImport": True,
            "instanceSelector": {"matchLabels": {"dashboards": "grafana"}},
            **spec,
        },
    }
