"""Build images: plan, make what is missing, write the tars and the index."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from imagebuild.assemble import Assembler
from imagebuild.chroot import require_root
from imagebuild.console import Console, QuietConsole
from imagebuild.errors import BuildError
from imagebuild.oci import BuiltImage, index_entry
from imagebuild.settings import Settings
from imagebuild.workshop import Workshop

VERSION_LABEL = "org.opencontainers.image.version"
TITLE_LABEL = "org.opencontainers.image.title"
#: another build of the same user may run; wait so long for it (seconds)
LOCK_DEADLINE = 1800.0
#: caches that nobody used for so long go (seconds)
KEEP = 14 * 86400.0


def names(settings: Settings | None = None) -> list[str]:
    """Every image that has a Containerfile, in alphabetical order."""
    folder = (settings or Settings.default()).images
    return sorted(path.parent.name for path in folder.glob("*/Containerfile"))


def build(
    wanted: Iterable[str] = (),
    *,
    settings: Settings | None = None,
    console: Console | None = None,
    refresh: bool = False,
) -> dict[str, BuiltImage]:
    """Build the images (all when none is named) and return them by name.

    What exists already is used again: a second call makes nothing. Needs root when something has to be made.
    `refresh` asks apt for newer packages now instead of once a day. Raises BuildError.
    """
    settings, console = settings or Settings.default(), console or QuietConsole()
    known = names(settings)
    chosen = list(dict.fromkeys(wanted)) or known
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise BuildError(f"no such image: {', '.join(unknown)}; there are {', '.join(known)}")
    with _only_one(settings, console), _umask(0o022):
        workshop = Workshop.open(settings, console, refresh=refresh)
        built = {name: _build_one(workshop, name) for name in chosen}
        _write_index(settings, built.values())
        _prune(settings)
    return built


def _build_one(workshop: Workshop, name: str) -> BuiltImage:
    assembler = Assembler(workshop, name)
    sources = assembler.plan()
    missing = [source for source in sources if workshop.store.cached(source) is None]
    if missing:
        require_root()
        workshop.console.note(f"{name}: {len(missing)} of {len(sources)} layers to make")
    layers = [workshop.store.get(source) for source in sources]
    config = assembler.containerfile.config()
    if config.labels.get(TITLE_LABEL) != name or not config.labels.get(VERSION_LABEL):
        raise BuildError(
            f"{assembler.containerfile.path}: LABEL {TITLE_LABEL}={name} and {VERSION_LABEL} are required"
        )
    prefix = workshop.settings.prefix
    image = BuiltImage(
        name,
        f"{prefix}/{name}:{config.labels[VERSION_LABEL]}",
        prefix,
        tuple(layers),
        config,
        workshop.settings.out / f"{name}.tar",
        workshop.settings.epoch,
    )
    if not _is_written(workshop.settings, image):
        with workshop.console.step(f"{name}: write {image.size / 1e6:.0f} MB"):
            image.write()
    return image


def _index_path(settings: Settings) -> Path:
    return settings.out / "index.json"


def read_index(settings: Settings) -> dict[str, dict[str, object]]:
    """index.json as it is; empty when nothing was built."""
    try:
        found = json.loads(_index_path(settings).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return dict(found)


def _is_written(settings: Settings, image: BuiltImage) -> bool:
    entry = read_index(settings).get(image.name, {})
    return (
        image.tar.exists() and entry.get("digest") == image.digest and entry.get("refs") == list(image.refs)
    )


def _write_index(settings: Settings, built: Iterable[BuiltImage]) -> None:
    index = read_index(settings) | {image.name: index_entry(image) for image in built}
    partial = _index_path(settings).with_suffix(".partial")
    partial.write_text(json.dumps(dict(sorted(index.items())), indent=2) + "\n")
    partial.replace(_index_path(settings))


@contextmanager
def _only_one(settings: Settings, console: Console) -> Iterator[None]:
    """One build at a time on one cache.

    Raises BuildError when another one does not end within the deadline.
    """
    settings.cache.mkdir(parents=True, exist_ok=True)
    with (settings.cache / "lock").open("w") as handle:
        end, told = time.monotonic() + LOCK_DEADLINE, False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise BuildError(f"another imagebuild holds {settings.cache}/lock") from None
                if not told:
                    console.note("waiting for another imagebuild to end")
                    told = True
                time.sleep(0.3)
        yield


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    """The caller's umask must not reach an image."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _prune(settings: Settings) -> None:
    """Remove what no build used for a while, and what an interrupted build left."""
    limit = time.time() - KEEP
    for folder in ("layers", "debs", "roots", "work", "locks", "logs"):
        for path in settings.folder(folder).iterdir():
            if path.lstat().st_mtime < limit:
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
