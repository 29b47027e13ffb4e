"""OCI images without a daemon: layers and a configuration become one tar.

The tar is an OCI layout with a docker-archive manifest beside it: `ctr images import`, `podman load`,
`skopeo` and `docker load` read it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from imagebuild.layers import Layer
from imagebuild.settings import ARCHITECTURE, EPOCH

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SHORT = 12


@dataclass(frozen=True)
class Config:
    """What an image says about how to run it (the words of a Containerfile)."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    workdir: str = ""
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = ""

    def as_oci(self) -> dict[str, object]:
        """The `config` object of the OCI image specification; absent fields are left out."""
        env = {"PATH": DEFAULT_PATH, **self.env}
        words: dict[str, object] = {
            "Env": [f"{name}={value}" for name, value in env.items()],
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.cmd),
            "User": self.user,
            "WorkingDir": self.workdir,
            "StopSignal": self.stop_signal,
            "ExposedPorts": {port: {} for port in self.ports},
            "Volumes": {volume: {} for volume in self.volumes},
            "Labels": dict(self.labels),
        }
        return {name: value for name, value in words.items() if value}


@dataclass(frozen=True)
class Blob:
    """A small JSON document of an image."""

    data: bytes

    @property
    def digest(self) -> str:
        """`sha256:<hex>`."""
        return f"sha256:{hashlib.sha256(self.data).hexdigest()}"

    @property
    def path(self) -> str:
        """Its place in an OCI layout."""
        return blob_path(self.digest)


def blob_path(digest: str) -> str:
    """Where a layout keeps a blob."""
    return "blobs/" + digest.replace(":", "/")


def _json(value: object) -> Blob:
    return Blob(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


@dataclass(frozen=True)
class BuiltImage:
    """A finished image. `tar` holds all of it; `thin_tar` leaves out what a node has already."""

    name: str
    human_ref: str
    prefix: str
    layers: tuple[Layer, ...]
    config: Config
    tar: Path
    epoch: int = EPOCH

    @property
    def _config_blob(self) -> Blob:
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.epoch))
        return _json(
            {
                "created": created,
                "architecture": ARCHITECTURE,
                "os": "linux",
                "config": self.config.as_oci(),
                "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in self.layers]},
                "history": [{"created": created, "created_by": layer.name} for layer in self.layers],
            }
        )

    @property
    def _manifest(self) -> Blob:
        config = self._config_blob
        return _json(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {
                    "mediaType": "application/vnd.oci.image.config.v1+json",
                    "digest": config.digest,
                    "size": len(config.data),
                },
                "layers": [
                    {
                        "mediaType": "application/vnd.oci.image.layer.v1.tar",
                        "digest": layer.digest,
                        "size": layer.size,
                    }
                    for layer in self.layers
                ],
            }
        )

    @property
    def digest(self) -> str:
        """Digest of the manifest: `sha256:<hex>`; the same input gives the same digest."""
        return self._manifest.digest

    @property
    def ref(self) -> str:
        """The name by content: use it in pods, it can never mean another image."""
        return f"{self.prefix}/{self.name}:{self.digest.removeprefix('sha256:')[:SHORT]}"

    @property
    def refs(self) -> tuple[str, ...]:
        """All names of the image: for people first, then by content."""
        return (self.human_ref, self.ref)

    @property
    def size(self) -> int:
        """Bytes of all layers, uncompressed."""
        return sum(layer.size for layer in self.layers)

    @property
    def layer_digests(self) -> tuple[str, ...]:
        """Digests from the lowest layer up."""
        return tuple(layer.digest for layer in self.layers)

    def write(self) -> None:
        """Write the whole image to `tar` (at once visible under that name, never half)."""
        self._write(self.tar, ())

    def thin_tar(self, known_layers: Collection[str]) -> Path:
        """A tar without the layers (by digest) that the node has: a change of our code is kilobytes then.

        The node must still hold the blobs: import a whole image first and do not remove it.
        """
        left_out = sorted(set(known_layers) & set(self.layer_digests))
        name = hashlib.sha256(repr((self.digest, left_out)).encode()).hexdigest()[:SHORT]
        path = self.tar.with_name(f"{self.name}.thin-{name}.tar")
        if not path.exists():
            for old in self.tar.parent.glob(f"{self.name}.thin-*.tar"):
                old.unlink(missing_ok=True)
            self._write(path, left_out)
        return path

    def _index(self) -> Blob:
        manifest = self._manifest
        return _json(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "manifests": [
                    {
                        "mediaType": "application/vnd.oci.image.manifest.v1+json",
                        "digest": manifest.digest,
                        "size": len(manifest.data),
                        "platform": {"architecture": ARCHITECTURE, "os": "linux"},
                        "annotations": {
                            "io.containerd.image.name": ref,
                            "org.opencontainers.image.ref.name": ref.rsplit(":", 1)[1],
                        },
                    }
                    for ref in self.refs
                ],
            }
        )

    def _docker_manifest(self) -> Blob:
        return _json(
            [
                {
                    "Config": self._config_blob.path,
                    "RepoTags": list(self.refs),
                    "Layers": [blob_path(layer.digest) for layer in self.layers],
                }
            ]
        )

    def _write(self, path: Path, without: Collection[str]) -> None:
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        config, manifest = self._config_blob, self._manifest
        documents = {
            "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
            "index.json": self._index().data,
            "manifest.json": self._docker_manifest().data,
            config.path: config.data,
            manifest.path: manifest.data,
        }
        try:
            with (
                partial.open("wb") as raw,
                tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar,
            ):
                for name, data in documents.items():
                    tar.addfile(self._entry(name, len(data)), io.BytesIO(data))
                for layer in {layer.digest: layer for layer in self.layers}.values():
                    if layer.digest not in without:
                        tar.addfile(self._entry(blob_path(layer.digest), layer.size))
                        tar.offset += _copy(layer.path, raw)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def _entry(self, name: str, size: int) -> tarfile.TarInfo:
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.mode = size, self.epoch, 0o644
        return info


def _copy(path: Path, raw: BinaryIO) -> int:
    """Append a file's bytes, padded to whole tar blocks; returns how many bytes were written."""
    with path.open("rb") as body:
        shutil.copyfileobj(body, raw, 1 << 22)
        size = body.tell()
    padding = -size % tarfile.BLOCKSIZE
    raw.write(b"\0" * padding)
    return size + padding


def index_entry(image: BuiltImage) -> dict[str, object]:
    """What index.json says of an image."""
    return {
        "refs": list(image.refs),
        "ref": image.ref,
        "digest": image.digest,
        "tar": str(image.tar),
        "size": image.size,
        "layers": list(image.layer_digests),
    }


def layer_digests_of(images: Sequence[BuiltImage]) -> frozenset[str]:
    """All layers of some images: what a node knows after it has imported them."""
    return frozenset(digest for image in images for digest in image.layer_digests)
