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
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_LEVEL = 6
_CHUNK = 1 << 20
_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$", re.MULTILINE)


def tags(image: BuiltImage, version: str) -> list[str]:
    """The tags of a released image, the one that never moves first.

    The operator has the release's version. The others have their program's version and the release; their
    program's version alone moves to the newest build.
    """
    program = image.config.labels[VERSION_LABEL]
    return [version] if image.name == "operator" else [f"{program}-{version}", program]


def layout(image: BuiltImage, target: Path) -> str:
    """Write an OCI layout with one manifest into `target` (made anew); returns the manifest's digest."""
    shutil.rmtree(target, ignore_errors=True)
    (target / "blobs" / "sha256").mkdir(parents=True)
    with tarfile.open(image.tar) as source:
        manifest = json.loads(_read(source, blob_path(image.digest)))
        config = Blob(_read(source, blob_path(manifest["config"]["digest"])))
        (target / config.path).write_bytes(config.data)
        manifest["layers"] = [_compressed(source, layer, target) for layer in manifest["layers"]]
    written = Blob(json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode())
    (target / written.path).write_bytes(written.data)
    entry = {
        "mediaType": manifest["mediaType"],
        "digest": written.digest,
        "size": len(written.data),
        "platform": {"architecture": "amd64", "os": "linux"},
    }
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


def push(folder: Path, reference: str) -> str:
    """Push a layout to `reference` (name and tag); returns its digest in the registry.

    Logged in as for docker; plain HTTP only for 127.0.0.1 and localhost. Raises ReleaseError.
    """
    run([tool("crane"), "push", folder, reference])
    found = _DIGEST.search(run([tool("crane"), "digest", reference]))
    if found is None:
        raise ReleaseError(f"the registry tells no digest of {reference}")
    return found[0]
