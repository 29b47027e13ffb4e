"""What every step of a build shares: settings, console, packages, layers, and roots to run programs in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imagebuild.chroot import require_root
from imagebuild.console import Console
from imagebuild.debian import Debian
from imagebuild.hashing import digest
from imagebuild.layers import Layer, LayerSource, LayerStore, unpack
from imagebuild.settings import Settings


@dataclass(frozen=True)
class Workshop:
    """The tools of a build, made once per run."""

    settings: Settings
    console: Console
    debian: Debian
    store: LayerStore

    @classmethod
    def open(cls, settings: Settings, console: Console, *, refresh: bool = False) -> Workshop:
        """A workshop on the caches of `settings`."""
        return cls(
            settings, console, Debian(settings, console, refresh=refresh), LayerStore(settings, console)
        )

    def root(self, sources: Sequence[LayerSource]) -> Path:
        """A folder with these layers unpacked: to run programs in, never to change (but for mount points)."""
        return unpacked(self.settings, [self.store.get(source) for source in sources])

    def log(self, name: str) -> Path:
        """A fresh log file for one step."""
        path = self.settings.folder("logs") / f"{name}.log"
        path.unlink(missing_ok=True)
        return path


def unpacked(settings: Settings, layers: Sequence[Layer]) -> Path:
    """The layers as one folder, kept in the cache by their digests. Needs root."""
    require_root()
    folder = settings.folder("roots") / digest([layer.digest for layer in layers])[:16]
    if folder.exists():
        os.utime(folder)
        return folder
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o755)
    for layer in layers:
        unpack(layer, partial)
    try:
        partial.rename(folder)
    except OSError:  # another process was quicker, with the same content
        shutil.rmtree(partial)
        if not folder.exists():
            raise
    return folder
