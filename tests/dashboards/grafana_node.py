"""Grafana's npm packages for the tests: the boards, tsc, and the programs of dashboards/preview in Node."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tenant_dashboards.preview import PREVIEW

ROOT = PREVIEW.parents[1]
GENERATED = ROOT / "dashboards" / "generated"
BOARDS = sorted((*GENERATED.glob("platform/*.json"), *GENERATED.glob("team/*.json")))
SECONDS = 120

Json = dict[str, Any]


def run(*command: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """A program of dashboards/preview; ``make setup`` installs its packages."""
    assert (PREVIEW / "node_modules").is_dir(), (
        "dashboards/preview/node_modules is not there: run `make setup`"
    )
    return subprocess.run(command, cwd=PREVIEW, input=given, capture_output=True, text=True, timeout=SECONDS)


def bundled_programs(folder: Path) -> Path:
    """The tests and programs of dashboards/preview/tests, bundled into ``folder``."""
    (folder / "node_modules").symlink_to(PREVIEW / "node_modules")
    made = run("node", "tests/bundle.mjs", str(folder))
    assert made.returncode == 0, made.stderr
    return folder


def load(file: Path) -> Json:
    """A generated board."""
    board: Json = json.loads(file.read_text())
    return board


def panels(board: Json) -> Iterator[Json]:
    """Every panel but the rows, also in collapsed rows."""
    for panel in board["panels"]:
        yield from panel.get("panels", []) if panel["type"] == "row" else [panel]


def panel(board: Json, title: str) -> Json:
    """The one panel of that title."""
    (found,) = (one for one in panels(board) if one["title"] == title)
    return found
