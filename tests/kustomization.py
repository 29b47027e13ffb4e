"""What kustomize builds, for tests that look at it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tools.manifests import overlays

from devcluster.tools import tool


def build(folder: Path) -> list[dict[str, Any]]:
    """The objects of a kustomization; AssertionError with kustomize's complaint."""
    found = overlays.build_folder(tool("kustomize"), folder)
    assert not isinstance(found, str), f"{folder}: {found}"
    return list(found)
