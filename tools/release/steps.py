"""Build, push and sign: the steps in their order, each of which leaves what the next one reads in `dist`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import imagebuild
from imagebuild.oci import BuiltImage
from tools.release import changelog, charts, contents, images, provenance, sbom, versions
from tools.release.common import Dist, ReleaseError, read_json, run, sha256, write_json

#: lock file -> what its bill is called
_LOCKS = {"requirements.lock": "python-workspace", "images/airflow/requirements.lock": "python-airflow"}


def build(root: Path, dist: Dist, tag: str, wanted: Sequence[str]) -> dict[str, Any]:
    """Make a release in `dist` (made anew); returns its index.

    Without a tag it is a rehearsal: the version of pyproject.toml, and the notes of what is unreleased.
    `wanted` are images, by name. Raises ReleaseError, and BuildError of imagebuild.
    """
    if tag:
        versions.check(tag, root)
    version = versions.version_of(tag) if tag else versions.current(root)
    commit = run(["git", "rev-parse", "HEAD"], cwd=root).strip()
    when = _commit_time(root)
    _empty(dist)
    notes = changelog.section if tag else changelog.newest
    dist.notes.write_text(notes(root / "CHANGELOG.md", version), encoding="utf-8")
    packaged = charts.package(root, dist.charts, version)
    for lock, name in _LOCKS.items():
        bill = sbom.of_lock(name, version, root / lock, when)
        (dist.sboms / f"{name}.cdx.json").write_text(bill, encoding="utf-8")
    built = [image(made, dist, version, when) for made in _built(wanted)]
    index = {"version": version, "commit": commit, "charts": packaged, "images": built}
    write_json(dist.index, index)
    _describe(root, dist, index, provenance.Build.of(os.environ, commit, datetime.now(UTC)))
    return index


def _empty(dist: Dist) -> None:
    """Make the folder anew; what is not an earlier release of ours is not removed."""
    if dist.folder.exists() and any(dist.folder.iterdir()) and not dist.notes.exists():
        raise ReleaseError(f"{dist.folder} holds something else than a release: name an empty folder")
    shutil.rmtree(dist.folder, ignore_errors=True)
    dist.sboms.mkdir(parents=True)


def _built(wanted: Sequence[str]) -> list[BuiltImage]:
    return list(imagebuild.build(wanted).values()) if wanted else []


def image(made: BuiltImage, dist: Dist, version: str, when: datetime) -> dict[str, Any]:
    """Write an image's layout and bill into `dist`; returns its entry of the index."""
    digest = images.layout(made, dist.images / made.name)
    tags = images.tags(made, version)
    bill = sbom.of_image(made.name, tags[0], digest, contents.of_image(made), when)
    name = f"image-{made.name}.cdx.json"
    (dist.sboms / name).write_text(bill, encoding="utf-8")
    return {"name": made.name, "digest": digest, "built": made.digest, "tags": tags, "sbom": name}


def _commit_time(root: Path) -> datetime:
    seconds = int(run(["git", "log", "-1", "--format=%ct"], cwd=root))
    return datetime.fromtimestamp(seconds, UTC)


def _describe(root: Path, dist: Dist, index: dict[str, Any], how: provenance.Build) -> None:
    """Write the provenance of everything built, then the checksums of everything attached."""
    subjects = {entry["name"]: entry["digest"].removeprefix("sha256:") for entry in index["images"]}
    subjects |= {entry["file"]: entry["sha256"] for entry in index["charts"]}
    subjects |= {path.name: sha256(path) for path in sorted(dist.sboms.iterdir())}
    facts = provenance.predicate(how, root)
    write_json(dist.provenance, provenance.statement(subjects, facts))
    write_json(dist.predicate, facts)
    lines = [f"{sha256(path)}  {path.name}\n" for path in dist.attached()]
    dist.checksums.write_text("".join(lines), encoding="utf-8")


def push(dist: Dist, registry: str, *, plain_http: bool) -> dict[str, Any]:
    """Push images and charts; returns their references by digest, which `published.json` keeps.

    Raises ReleaseError when the registry tells another digest than the one that was built.
    """
    index = read_json(dist.index, "build")
    pushed: dict[str, Any] = {"version": index["version"], "images": [], "charts": []}
    for entry in index["images"]:
        name = f"{registry}/{entry['name']}"
        for tag in entry["tags"]:
            digest = images.push(dist.images / entry["name"], f"{name}:{tag}")
            if digest != entry["digest"]:
                raise ReleaseError(f"{name}:{tag} is {digest} in the registry, {entry['digest']} was built")
        reference = f"{name}@{entry['digest']}"
        pushed["images"].append({"name": entry["name"], "reference": reference, "sbom": entry["sbom"]})
    for entry in index["charts"]:
        digest = charts.push(dist.charts / entry["file"], registry, plain_http=plain_http)
        reference = f"{registry}/charts/{entry['name']}@{digest}"
        pushed["charts"].append({"name": entry["name"], "reference": reference})
    write_json(dist.published, pushed)
    return pushed
