"""Turn built images into OCI layouts for a registry, and push them.

``imagebuild`` writes uncompressed layers, which a node imports fastest. Over a network a third of the bytes
is better: the layers are compressed here, always to the same bytes (no time, no name in the gzip header).
Config and diff ids stay, so the image id is the one of the local build.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import tarfile
from pathlib import Path
from typing import Any

from devcluster.tools import tool
from imagebuild.oci import Blob, BuiltImage, blob_path
from tools.release.common import ReleaseError, run

#: what a company runs; the others serve tests and the demo
RELEASED = ("airflow", "operator", "postgresql", "redis", "statsd-exporter")
VERSION_LABEL = "org.opencontainers.image.version"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_LEVEL = 6
_CHUNK = 1 << 20
_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$", re.MULTILINE)
#: how a registry says that there is no such tag or repository: codes of the OCI distribution specification
_UNKNOWN = re.compile(r"\b(MANIFEST_UNKNOWN|NAME_UNKNOWN|404 Not Found)\b")


def tags(name: str, program: str, version: str, *, newest: bool) -> list[str]:
    """The tags of a released image, the one that never moves first.

    The operator has the release's version. The others have their program's version and the release; their
    program's version alone moves to this build only when the release is the `newest` one: a candidate, or a
    repair of an old line, must not reach those who follow it.
    """
    if name == "operator":
        return [version]
    return [f"{program}-{version}", *([program] if newest else [])]


def layout(image: BuiltImage, target: Path) -> str:
    """Write an OCI layout with one manifest into `target` (made anew); returns the manifest's digest."""
    shutil.rmtree(target, ignore_errors=True)
    (target / "blobs" / "sha256").mkdir(parents=True)
    with tarfile.open(image.tar) as source:
        manifest = json.loads(_read(source, blob_path(image.digest)))
        config = Blob(_read(source, blob_path(manifest["config"]["digest"])))
        (target / config.path).write_bytes(config.data)
        manifest["layers"] = [_compressed(source, layer, target) for layer in manifest["layers"]]
    return finish(target, manifest)


def finish(target: Path, manifest: dict[str, Any]) -> str:
    """Complete a layout whose blobs are there: its manifest and index; returns the manifest's digest."""
    written = Blob(json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode())
    (target / written.path).write_bytes(written.data)
    entry = {
        "mediaType": manifest["mediaType"],
        "digest": written.digest,
        "size": len(written.data),
    }
    if manifest["config"]["mediaType"] == _CONFIG:
        entry["platform"] = {"architecture": "amd64", "os": "linux"}
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry],
    }
    (target / "index.json").write_text(json.dumps(index, sort_keys=True), encoding="utf-8")
    (target / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}', encoding="utf-8")
    return written.digest


def _read(source: tarfile.TarFile, name: str) -> bytes:
    try:
        body = source.extractfile(name)
    except KeyError:
        body = None
    if body is None:
        raise ReleaseError(f"{source.name!s} lacks {name}: build the image again")
    with body:
        return body.read()


def _compressed(source: tarfile.TarFile, layer: dict[str, Any], target: Path) -> dict[str, Any]:
    body = source.extractfile(blob_path(layer["digest"]))
    if body is None:
        raise ReleaseError(f"{source.name!s} lacks the layer {layer['digest']}: build the image again")
    partial = target / "layer.partial"
    with body, partial.open("wb") as raw, gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as packed:
        shutil.copyfileobj(body, packed, _CHUNK)
    with partial.open("rb") as written:
        digest = f"sha256:{hashlib.file_digest(written, 'sha256').hexdigest()}"
    size = partial.stat().st_size
    partial.replace(target / blob_path(digest))
    return {**layer, "mediaType": _LAYER, "digest": digest, "size": size}


def push(folder: Path, reference: str) -> None:
    """Push a layout to `reference` (name and digest): nobody finds it by a tag yet.

    Logged in as for docker; plain HTTP only for this machine. Raises ReleaseError, also when what is
    there has another digest.
    """
    run([tool("crane"), "push", folder, reference])
    run([tool("crane"), "manifest", reference])  # crane counts the digest of what it reads


def tag(name: str, digest: str, wanted: str, *, moves: bool) -> None:
    """Let `name`:`wanted` be what `name` has by this digest.

    Raises ReleaseError when a tag that never `moves` is something else already.
    """
    found = None if moves else _tagged(f"{name}:{wanted}")
    if found not in (None, digest):
        raise ReleaseError(
            f"{name}:{wanted} is {found} already, {digest} was built: "
            "what is released stays, make a new version"
        )
    run([tool("crane"), "tag", f"{name}@{digest}", wanted])


def _tagged(reference: str) -> str | None:
    """The digest behind a tag; None when there is no such tag."""
    try:
        said = run([tool("crane"), "digest", reference])
    except ReleaseError as error:
        if _UNKNOWN.search(str(error)):
            return None
        raise
    found = _DIGEST.search(said)
    if found is None:
        raise ReleaseError(f"the registry tells no digest of {reference}")
    return found[0]
