"""Build, push and sign: the steps in their order, each of which leaves what the next one reads in `dist`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import imagebuild
from imagebuild.oci import BuiltImage
from tools.release import artifacts, changelog, charts, contents, images, provenance, sbom, source, versions
from tools.release.common import Dist, ReleaseError, everything, git, read_json, sha256, write_json

#: lock file -> what its bill is called
_LOCKS = {"requirements.lock": "python-workspace", "images/airflow/requirements.lock": "python-airflow"}


def build(root: Path, dist: Dist, tag: str, wanted: Sequence[str]) -> dict[str, Any]:
    """Make a release in `dist` (made anew); returns its index.

    Without a tag it is a rehearsal: the version of pyproject.toml, and the notes of what is unreleased.
    `wanted` are images, by name. Raises ReleaseError, and BuildError of imagebuild.
    """
    if tag:
        versions.check(tag, root)
        source.check_tag(root, tag)
    version = versions.version_of(tag) if tag else versions.current(root)
    changed = source.changes(root)
    if changed:
        print(f"rehearsal of what is not in Git: {', '.join(changed)}", file=sys.stderr)
    newest = versions.is_newest(version, source.released(root))
    commit = source.commit(root)
    when = _commit_time(root)
    _empty(dist)
    notes = changelog.section if tag else changelog.newest
    dist.notes.write_text(notes(root / "CHANGELOG.md", version), encoding="utf-8")
    packaged = [chart(found, dist) for found in charts.package(root, dist.charts, version)]
    for lock, name in _LOCKS.items():
        bill = sbom.of_lock(name, version, root / lock, when)
        (dist.sboms / f"{name}.cdx.json").write_text(bill, encoding="utf-8")
    built = [image(made, dist, version, when, newest=newest) for made in _built(wanted)]
    bundle = {"name": "manifests", "digest": artifacts.manifests(root, dist.artifacts / "manifests")}
    index = {
        "version": version,
        "commit": commit,
        "charts": packaged,
        "images": built,
        "manifests": [bundle],
    }
    write_json(dist.index, index)
    _describe(
        root, dist, index, provenance.Build.of(os.environ, commit, datetime.now(UTC), changed=bool(changed))
    )
    return index


def _empty(dist: Dist) -> None:
    """Make the folder anew; what is not an earlier release of ours is not removed."""
    if dist.folder.exists() and any(dist.folder.iterdir()) and not dist.notes.exists():
        raise ReleaseError(f"{dist.folder} holds something else than a release: name an empty folder")
    shutil.rmtree(dist.folder, ignore_errors=True)
    dist.sboms.mkdir(parents=True)


def _built(wanted: Sequence[str]) -> list[BuiltImage]:
    return list(imagebuild.build(wanted).values()) if wanted else []


def chart(packaged: dict[str, str], dist: Dist) -> dict[str, Any]:
    """Make a packaged chart an OCI artifact in `dist`; returns its entry of the index."""
    digest = charts.layout(dist.charts / packaged["file"], dist.artifacts / packaged["name"])
    return {**packaged, "digest": digest}


def image(made: BuiltImage, dist: Dist, version: str, when: datetime, *, newest: bool) -> dict[str, Any]:
    """Write an image's layout and bill into `dist`; returns its entry of the index."""
    digest = images.layout(made, dist.images / made.name)
    program = made.config.labels[images.VERSION_LABEL]
    tags = images.tags(made.name, program, version, newest=newest)
    bill = sbom.of_image(made.name, tags[0], digest, contents.of_image(made), when)
    name = f"image-{made.name}.cdx.json"
    (dist.sboms / name).write_text(bill, encoding="utf-8")
    return {"name": made.name, "digest": digest, "built": made.digest, "tags": tags, "sbom": name}


def _commit_time(root: Path) -> datetime:
    seconds = int(git(root, "log", "-1", "--format=%ct"))
    return datetime.fromtimestamp(seconds, UTC)


def _describe(root: Path, dist: Dist, index: dict[str, Any], how: provenance.Build) -> None:
    """Write the provenance of everything built, then the checksums of everything attached."""
    parts = [*index["images"], *index["manifests"]]
    subjects = {entry["name"]: entry["digest"].removeprefix("sha256:") for entry in parts}
    subjects |= {entry["file"]: entry["sha256"] for entry in index["charts"]}
    subjects |= {path.name: sha256(path) for path in sorted(dist.sboms.iterdir())}
    facts = provenance.predicate(how, root)
    write_json(dist.provenance, provenance.statement(subjects, facts))
    write_json(dist.predicate, facts)
    lines = [f"{sha256(path)}  {path.name}\n" for path in dist.attached()]
    dist.checksums.write_text("".join(lines), encoding="utf-8")


def push(dist: Dist, registry: str) -> dict[str, Any]:
    """Push images, charts and manifests by digest; returns what is there, which `published.json` keeps.

    Nothing has a tag yet: what is interrupted here, or before it is signed, is found by nobody. Raises
    ReleaseError when the registry counts another digest than the one that was built.
    """
    index = read_json(dist.index, "build")
    version = index["version"]
    pushed: dict[str, Any] = {"version": version}
    for kind, layouts, folder in (
        ("images", dist.images, ""),
        ("charts", dist.artifacts, "charts/"),
        ("manifests", dist.artifacts, ""),
    ):
        pushed[kind] = []
        for entry in index[kind]:
            reference = f"{registry}/{folder}{entry['name']}@{entry['digest']}"
            images.push(layouts / entry["name"], reference)
            found = {"name": entry["name"], "reference": reference, "tags": entry.get("tags", [version])}
            pushed[kind].append(found | ({"sbom": entry["sbom"]} if "sbom" in entry else {}))
    write_json(dist.published, pushed)
    return pushed


def tag(dist: Dist) -> list[str]:
    """Give what was pushed its tags, the ones that never move first; returns the references.

    Raises ReleaseError when one of these is something else already.
    """
    published = read_json(dist.published, "push REGISTRY")
    parts = [(*entry["reference"].split("@"), entry["tags"]) for entry in everything(published)]
    wanted = [(name, digest, tags[0], False) for name, digest, tags in parts]
    wanted += [(name, digest, moving, True) for name, digest, tags in parts for moving in tags[1:]]
    for name, digest, text, moves in wanted:
        images.tag(name, digest, text, moves=moves)
    return [f"{name}:{text}" for name, _, text, _ in wanted]
