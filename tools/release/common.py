"""What the steps of a release share."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools import git as git_tool

ROOT = Path(__file__).resolve().parents[2]
PROJECT_URL = "https://github.com/your-org/airflow-tenants"
STEP_SECONDS = 1800
_CHUNK = 1 << 20


class ReleaseError(Exception):
    """A step that cannot be done; the message says which and what to do."""


@dataclass(frozen=True)
class Dist:
    """The folder that a release is made in, and where each part of it is."""

    folder: Path

    @property
    def charts(self) -> Path:
        """Packaged charts."""
        return self.folder / "charts"

    @property
    def artifacts(self) -> Path:
        """One OCI layout a chart, and one of the manifests."""
        return self.folder / "artifacts"

    @property
    def images(self) -> Path:
        """One OCI layout an image; too large to be attached to a release."""
        return self.folder / "images"

    @property
    def sboms(self) -> Path:
        """Bills of material, CycloneDX JSON."""
        return self.folder / "sbom"

    @property
    def index(self) -> Path:
        """What was built: the other steps read it."""
        return self.folder / "release.json"

    @property
    def published(self) -> Path:
        """What was pushed: references by digest."""
        return self.folder / "published.json"

    @property
    def notes(self) -> Path:
        """The section of the changelog."""
        return self.folder / "notes.md"

    @property
    def provenance(self) -> Path:
        """How it was built: an in-toto statement."""
        return self.folder / "provenance.intoto.json"

    @property
    def predicate(self) -> Path:
        """The same without its subjects, as cosign wants it."""
        return self.folder / "provenance.predicate.json"

    @property
    def checksums(self) -> Path:
        """SHA-256 of every file that is attached to the release."""
        return self.folder / "SHA256SUMS"

    def attached(self) -> list[Path]:
        """The files that belong to a release on GitHub, without the list of their checksums."""
        files = [*self.charts.glob("*.tgz"), *self.sboms.glob("*.json"), self.provenance, self.index]
        return sorted(path for path in files if path.is_file())


def sha256(path: Path) -> str:
    """The hex digest of a file."""
    found = hashlib.sha256()
    with path.open("rb") as body:
        while chunk := body.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def git(root: Path, *arguments: str) -> str:
    """What git says about the repository `root`. Raises ReleaseError."""
    return run(git_tool.command(root, *arguments), env=git_tool.environment())


def run(
    command: Sequence[str | Path],
    *,
    seconds: int = STEP_SECONDS,
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
) -> str:
    """Both outputs of a program. Raises ReleaseError with them when it fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, timeout=seconds)
    except FileNotFoundError:
        raise ReleaseError(f"{words[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise ReleaseError(f"{' '.join(words)} took longer than {seconds} s") from None
    if done.returncode != 0:
        raise ReleaseError(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def read_json(path: Path, made_by: str) -> dict[str, Any]:
    """A file of an earlier step. Raises ReleaseError that names the step when it is missing."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ReleaseError(f"{path} is missing: run `python -m tools.release {made_by}` first") from None
    return found


def everything(published: dict[str, Any]) -> list[dict[str, Any]]:
    """Every entry of `published.json`: images, charts, manifests."""
    return [*published["images"], *published["charts"], *published["manifests"]]


def write_json(path: Path, content: object) -> None:
    """Sorted and indented, so that two runs can be compared."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
