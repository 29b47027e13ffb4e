"""Deterministic layer tars, cached by a key of what they are made of."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from imagebuild.console import Console
from imagebuild.hashing import digest
from imagebuild.settings import EPOCH, Settings

#: part of every key: change it when the way of writing a tar changes
WRITER = "tar 1"
FOLDER_MODE = 0o7777


@dataclass(frozen=True)
class Layer:
    """One uncompressed tar. `digest` is `sha256:<hex>` of the bytes (blob digest and diff id in one)."""

    name: str
    digest: str
    size: int
    path: Path


@dataclass(frozen=True)
class Owner:
    """Everything at and below `path` (absolute, inside the image) belongs to uid:gid; the rest to root."""

    path: str
    uid: int
    gid: int

    def covers(self, name: str) -> bool:
        """Whether the absolute name is the path or below it."""
        return name == self.path or name.startswith(self.path.rstrip("/") + "/")


@dataclass(frozen=True)
class LayerSource:
    """What a layer is: its key and how to fill an empty folder with it."""

    name: str
    key: str
    fill: Callable[[Path], None]
    owners: tuple[Owner, ...] = ()


class _HashingFile:
    """Writes through and hashes, so that a layer is read only once."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self.sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        self.size += len(data)
        return self._raw.write(data)

    def tell(self) -> int:
        return self.size


def walk(tree: Path) -> Iterator[Path]:
    """Every entry below `tree`, parents first, in byte order of the names."""
    for path in sorted(tree.iterdir(), key=lambda item: os.fsencode(item.name)):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from walk(path)


def write_tar(
    tree: Path, target: BinaryIO, owners: tuple[Owner, ...] = (), epoch: int = EPOCH
) -> tuple[str, int]:
    """Write `tree` as a tar: sorted, one time, numeric owners, no set-user-id. Returns (sha256, bytes)."""
    sink = _HashingFile(target)
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 20) as tar:  # type: ignore[call-overload]
        for path in walk(tree):
            info = tar.gettarinfo(str(path), arcname=str(path.relative_to(tree)))
            absolute = "/" + info.name
            owner = next((item for item in owners if item.covers(absolute)), None)
            info.uid, info.gid = (owner.uid, owner.gid) if owner else (0, 0)
            info.uname = info.gname = ""
            info.mtime = epoch
            # a set-user-id program in an image is a way up that nothing here needs; folders keep set-group-id
            info.mode &= FOLDER_MODE if info.isdir() else 0o1777
            if info.isreg():
                with path.open("rb") as body:
                    tar.addfile(info, body)
            else:
                tar.addfile(info)
    return sink.sha256.hexdigest(), sink.size


class LayerStore:
    """The cache of layers: CACHE/images/layers."""

    def __init__(self, settings: Settings, console: Console) -> None:
        self._settings = settings
        self._console = console
        self._folder = settings.folder("layers")

    def _meta(self, source: LayerSource) -> Path:
        key = digest(
            WRITER, self._settings.epoch, source.name, source.key, [asdict(owner) for owner in source.owners]
        )
        return self._folder / f"{source.name}-{key[:16]}.json"

    def cached(self, source: LayerSource) -> Layer | None:
        """The layer if it was made from the same input before."""
        meta = self._meta(source)
        try:
            found = json.loads(meta.read_text())
            path = self._folder / found["file"]
            if path.stat().st_size != found["size"]:
                return None
            os.utime(meta)
            os.utime(path)
        except (FileNotFoundError, ValueError, KeyError):
            return None
        return Layer(source.name, found["digest"], found["size"], path)

    def get(self, source: LayerSource) -> Layer:
        """The cached layer, else a new one."""
        return self.cached(source) or self._make(source)

    def _make(self, source: LayerSource) -> Layer:
        tree = Path(tempfile.mkdtemp(prefix=f"{source.name}-", dir=self._settings.folder("work")))
        try:
            source.fill(tree)
            with self._console.step(f"  {source.name}: write layer"):
                return self._store(source, tree)
        finally:
            shutil.rmtree(tree, ignore_errors=True)

    def _store(self, source: LayerSource, tree: Path) -> Layer:
        partial = self._folder / f".{source.name}-{os.getpid()}.partial"
        with partial.open("wb") as raw:
            sha256, size = write_tar(tree, raw, source.owners, self._settings.epoch)
        path = self._folder / f"{source.name}-{sha256[:16]}.tar"
        partial.replace(path)
        meta = self._meta(source)
        meta.write_text(json.dumps({"digest": f"sha256:{sha256}", "size": size, "file": path.name}))
        return Layer(source.name, f"sha256:{sha256}", size, path)


def unpack(layer: Layer, root: Path) -> None:
    """Unpack a layer of ours over `root` (needs root's rights for owners). Our layers hold no whiteouts."""
    with tarfile.open(layer.path) as tar:
        for info in tar:
            target = root / info.name
            if info.isdir() and target.is_dir() and not target.is_symlink():
                target.chmod(stat.S_IMODE(info.mode))
                os.chown(target, info.uid, info.gid)
                continue
            if target.is_symlink() or target.is_file():
                target.unlink()
            tar.extract(info, root, numeric_owner=True, filter="fully_trusted")
