"""Package both charts, and push them to a registry as OCI artifacts."""

from __future__ import annotations

import re
from pathlib import Path

from devcluster.tools import tool
from tools.release.common import ReleaseError, run, sha256
from tools.release.versions import OPERATOR_CHART, TENANT_CHART

_SECONDS = 300
_DIGEST = re.compile(r"^Digest: (sha256:[0-9a-f]{64})$", re.MULTILINE)


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


def push(file: Path, registry: str, *, plain_http: bool) -> str:
    """Push one packaged chart to `registry`/charts; returns its manifest's digest.

    Logged in as for docker. Raises ReleaseError.
    """
    plain = ["--plain-http"] if plain_http else []
    said = run([tool("helm"), "push", file, f"oci://{registry}/charts", *plain], seconds=_SECONDS)
    match = _DIGEST.search(said)
    if match is None:
        raise ReleaseError(f"helm push of {file.name} told no digest:\n{said}")
    return match[1]
