"""Pictures of the dashboards.

A headless Chromium draws the generated boards over a Prometheus, with Grafana's own packages: the page in
dashboards/preview. What it cannot draw, and every panel that fails, is a problem with the panel's name.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenant_dashboards.packaging import ROOT

PREVIEW = ROOT / "dashboards" / "preview"
PICTURES = ROOT / "docs" / "images" / "dashboards"
_GENERATED = ROOT / "dashboards" / "generated"
_TENANT = "payments"
# Variables of the platform's boards, where "All" is not what a reader would look at.
_VARIABLES = {board: {"tenant": [_TENANT]} for board in ("team", "slo", "capacity")}
_BROWSERS = ("chromium", "google-chrome", "chromium-browser")
_SECONDS = 600


class PreviewError(Exception):
    """A picture cannot be made; the message says what to do."""


@dataclass(frozen=True)
class Source:
    """A Prometheus and the time to look at: unix seconds; ``step`` is its scrape interval in seconds."""

    url: str
    start: float
    end: float
    step: float


@dataclass(frozen=True)
class Picture:
    """A board's JSON file and the picture to make of it."""

    name: str
    file: Path
    png: Path
    folder: str
    variables: dict[str, list[str]]


def browser() -> str:
    """The path of a Chromium; PreviewError says how to get one."""
    for name in _BROWSERS:
        if found := shutil.which(name):
            return found
    raise PreviewError("no Chromium on PATH: install it (Debian: apt-get install chromium)")


def build_page(folder: Path) -> Path:
    """Bundle the page into ``folder`` and return it; PreviewError when its packages are not installed."""
    if not (PREVIEW / "node_modules").is_dir():
        raise PreviewError("dashboards/preview/node_modules is not there: run `make setup`")
    command = ["node", "build.mjs", str(folder)]
    subprocess.run(command, cwd=PREVIEW, check=True, timeout=_SECONDS, stdout=sys.stderr)
    return folder


def platform_pictures(out: Path) -> list[Picture]:
    """One picture for each board of the platform."""
    return [
        Picture(file.stem, file, out / f"{file.stem}.png", "Airflow", _VARIABLES.get(file.stem, {}))
        for file in _platform_files()
    ]


def _platform_files() -> list[Path]:
    return sorted((_GENERATED / "platform").glob("*.json"))


def team_picture(out: Path, work: Path, tenant: str = _TENANT) -> Picture:
    """The team board as one tenant's release brings it: a copy in ``work`` without the chart's tokens."""
    tokens = {
        "__TENANT__": tenant,
        "__NAMESPACE__": f"airflow-{tenant}",
        "__RUNBOOK_URL__": "https://runbook",
    }
    tokens |= {
        f"__UID_{board.upper()}__": f"{board}-{tenant}" for board in ("team", "slo", "capacity", "cost")
    }
    text = (_GENERATED / "team" / "team.json").read_text()
    for token, value in tokens.items():
        text = text.replace(token, value)
    copy = work / f"team-{tenant}.json"
    copy.write_text(text)
    return Picture(copy.stem, copy, out / f"{copy.stem}.png", tenant, {})


def pictures(out: Path, work: Path, wanted: list[str] | None = None) -> list[Picture]:
    """The named ones, or all: a board each, and one team's own copy of the team board."""
    names = wanted or [*(file.stem for file in _platform_files()), f"team-{_TENANT}"]
    made = {picture.name: picture for picture in platform_pictures(out)}
    if f"team-{_TENANT}" in names:
        made[f"team-{_TENANT}"] = team_picture(out, work)
    if unknown := set(names) - set(made):
        raise PreviewError(f"no board {', '.join(sorted(unknown))}; there are {', '.join(made)}")
    return [made[name] for name in names]


def draw(page: Path, source: Source, pictures: list[Picture]) -> list[dict[str, Any]]:
    """Write the pictures with a bundled page; returns name, width, height, bytes and problems of each one."""
    job = {
        "page": str(page),
        "prometheus": source.url,
        "scrapeInterval": source.step,
        "chromium": browser(),
        "boards": [_board(source, picture) for picture in pictures],
    }
    done = subprocess.run(
        ["node", "render.mjs"],
        cwd=PREVIEW,
        input=json.dumps(job),
        text=True,
        stdout=subprocess.PIPE,
        timeout=_SECONDS,
    )
    if done.returncode not in (0, 1) or not done.stdout:
        raise PreviewError(f"render.mjs ended with {done.returncode}")
    results: list[dict[str, Any]] = json.loads(done.stdout)
    return results


def _board(source: Source, picture: Picture) -> dict[str, Any]:
    picture.png.parent.mkdir(parents=True, exist_ok=True)
    return {
        "name": picture.name,
        "file": str(picture.file),
        "png": str(picture.png),
        "folder": picture.folder,
        "variables": picture.variables,
        "from": round(source.start * 1000),
        "to": round(source.end * 1000),
    }


@contextlib.contextmanager
def recording() -> Iterator[Source]:
    """A Prometheus over the tests' recording, stopped afterwards."""
    command = [sys.executable, "-m", "tests.dashboards.recording.serve", "--for-programs"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            line = server.stdout.readline() if server.stdout else ""
            if not line:
                raise PreviewError("the recording's Prometheus did not start: its reason is above")
            url, start, end, step = line.split()
            yield Source(url, float(start), float(end), float(step))
        finally:
            server.terminate()
