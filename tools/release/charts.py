"""Package both charts, and make them the OCI artifacts that a registry takes."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path

import yaml

from devcluster.tools import tool
from tools.release import artifacts
from tools.release.common import ReleaseError, run, sha256
from tools.release.versions import OPERATOR_CHART, TENANT_CHART

_SECONDS = 300
_CONFIG = "application/vnd.cncf.helm.config.v1+json"
_CONTENT = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


def package(root: Path, target: Path, version: str) -> list[dict[str, str]]:
    """Package the charts into `target`; returns name, file (its name only) and sha256 of each.

    Raises ReleaseError when helm refuses, or when a chart has another version than the release.
    """
    target.mkdir(parents=True, exist_ok=True)
    found = []
    for chart in (TENANT_CHART, OPERATOR_CHART):
        name = Path(chart).name
        run([tool("helm"), "package", root / chart, "--destination", target], seconds=_SECONDS)
        file = target / f"{name}-{version}.tgz"
        if not file.is_file():
            raise ReleaseError(f"{chart} did not become {file.name}: its version must be {version}")
        found.append({"name": name, "file": file.name, "sha256": sha256(file)})
    return found


def layout(file: Path, target: Path) -> str:
    """Write a packaged chart as an OCI layout into `target` (made anew); returns its manifest's digest.

    The same artifact as of `helm push`, which can push by tag only: this one has its digest before anybody
    can find it, and can be signed first. https://helm.sh/docs/topics/registries/#where-are-my-charts
    """
    return artifacts.layout(target, (_CONFIG, _metadata(file)), (_CONTENT, file.read_bytes()))


def _metadata(file: Path) -> bytes:
    """Chart.yaml as JSON, which is an artifact's configuration."""
    with tarfile.open(file) as archive:
        [found] = [entry for entry in archive if re.fullmatch(r"[^/]+/Chart\.yaml", entry.name)]
        body = archive.extractfile(found)
        if body is None:
            raise ReleaseError(f"{file.name} has no Chart.yaml: package it again")
        return json.dumps(yaml.safe_load(body.read()), sort_keys=True, separators=(",", ":")).encode()
