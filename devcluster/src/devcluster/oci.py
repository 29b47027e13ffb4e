"""Reads and writes OCI image layouts in tar files, without a daemon or a registry."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from devcluster.errors import DevclusterError

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_BLOBS = "blobs/sha256/"
_REFERENCES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_MODIFIED = 946684800  # the same bytes whenever an image is built


@dataclass(frozen=True)
class Entry:
    """One file, directory or symbolic link of a layer; ``content`` is bytes, or the target of a link."""

    path: str
    mode: int = 0o755
    content: bytes | str | None = None


@dataclass(frozen=True)
class Image:
    """One image of a layout: its references and the digests of its manifest and layers."""

    references: tuple[str, ...]
    digest: str
    layers: tuple[str, ...]


def layer(entries: Iterable[Entry]) -> bytes:
    """Return a layer: an uncompressed tar, the same bytes for the same entries."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in entries:
            info = tarfile.TarInfo(entry.path)
            info.mode, info.mtime = entry.mode, _MODIFIED
            if entry.content is None:
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            elif isinstance(entry.content, str):
                info.type, info.linkname = tarfile.SYMTYPE, entry.content
                archive.addfile(info)
            else:
                info.size = len(entry.content)
                archive.addfile(info, io.BytesIO(entry.content))
    return buffer.getvalue()


def write(
    path: Path, reference: str, entries: Iterable[Entry], settings: Mapping[str, Any], architecture: str
) -> str:
    """Write an image of one layer to a tar; return the digest of its manifest."""
    blobs: dict[str, bytes] = {}

    def put(media_type: str, content: bytes) -> dict[str, Any]:
        name = hashlib.sha256(content).hexdigest()
        blobs[name] = content
        return {"mediaType": media_type, "digest": f"sha256:{name}", "size": len(content)}

    only = put(_LAYER, layer(entries))
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": dict(settings),
        "rootfs": {"type": "layers", "diff_ids": [only["digest"]]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": put(_CONFIG, _json(config)),
        "layers": [only],
    }
    descriptor = put(_MANIFEST, _json(manifest))
    names = dict.fromkeys(_REFERENCES, reference)
    index = {
        "schemaVersion": 2,
        "mediaType": _INDEX,
        "manifests": [{**descriptor, "annotations": names}],
    }
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(archive, "index.json", _json(index))
        for name, content in sorted(blobs.items()):
            _add(archive, f"{_BLOBS}{name}", content)
    return str(descriptor["digest"])


def images(path: Path) -> list[Image]:
    """Return the images of a layout in a tar; raise DevclusterError when it is none."""
    try:
        with tarfile.open(path, "r:") as archive:
            members = {member.name.removeprefix("./"): member for member in archive}
            index = _read(archive, members, "index.json")
            found: dict[str, list[str]] = {}
            for descriptor in index["manifests"]:
                found.setdefault(descriptor["digest"], []).extend(_references(descriptor))
            return [
                Image(tuple(names), digest, _layers(archive, members, digest))
                for digest, names in found.items()
            ]
    except (tarfile.TarError, KeyError, ValueError, OSError) as error:
        raise DevclusterError(f"{path} is not an image in OCI layout ({error}).") from error


def copy_without(source: Path, target: IO[bytes], absent: AbstractSet[str]) -> int:
    """Copy a layout to a stream, leaving out blobs with these digests; return how many bytes that saved.

    The index and the manifests stay as they are: whoever reads the copy must have the absent blobs.
    """
    saved = 0
    with (
        tarfile.open(source, "r:") as reader,
        tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as out,
    ):
        for member in reader:
            name = member.name.removeprefix("./")
            if name.startswith(_BLOBS) and f"sha256:{name.removeprefix(_BLOBS)}" in absent:
                saved += member.size
            else:
                out.addfile(member, reader.extractfile(member) if member.isfile() else None)
    return saved


def _layers(archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo], digest: str) -> tuple[str, ...]:
    content = _read(archive, members, f"{_BLOBS}{digest.removeprefix('sha256:')}")
    return tuple(entry["digest"] for entry in content.get("layers", []))


def _references(descriptor: Mapping[str, Any]) -> Sequence[str]:
    """Return the full names of a descriptor: a bare tag (as some writers leave it) is no name."""
    notes = descriptor.get("annotations") or {}
    return [name for name in dict.fromkeys(notes.get(key, "") for key in _REFERENCES) if "/" in name]


def _read(archive: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo], name: str) -> dict[str, Any]:
    handle = archive.extractfile(members[name])
    if handle is None:
        raise ValueError(f"{name} is not a file")
    return dict(json.load(handle))


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = len(content), _MODIFIED, 0o644
    archive.addfile(info, io.BytesIO(content))
