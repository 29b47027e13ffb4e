"""A cluster for one session of tests: a name that no other clone uses, and an end whatever happens."""

from __future__ import annotations

import fcntl
import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pytest

from demo import cluster, diagnosis
from demo.cluster import Platform
from demo.console import Console
from demo.errors import DemoError
from demo.kube import TENANTS, names
from devcluster import target as targets

ROOT = Path(__file__).resolve().parents[2]
_RUNNING = "running"


def name(purpose: str) -> str:
    """The default name of a cluster: two clones on one machine must not meet in it."""
    return f"{purpose}-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:6]}"


def needs_a_cluster(items: Sequence[pytest.Item], here: Path) -> None:
    """Mark the tests below a folder; their deadline counts the test alone, not the start of the cluster."""
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(600, func_only=True))


def dump(folder: Path, item: pytest.Item, report: pytest.TestReport) -> Path:
    """The file for what the cluster said when a test failed; its folder is there."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder / (re.sub(r"[^A-Za-z0-9]+", "-", item.name).strip("-") + f"-{report.when}.txt")


@contextmanager
def opened(
    called: str, console: Console, images: Sequence[str] = cluster.CLUSTER_IMAGES, *, keep: bool
) -> Iterator[Platform]:
    """As `demo.cluster.opened`, with no tenant in it; taken down at the end, also after a failure.

    What a killed session left is taken down first. Any other cluster with tenants is refused, and stays. With
    ``keep`` it is used as it is, and left so. What the cluster says when the session's start or end fails is
    written to ``build/<name>-failed.txt``.
    """
    target = targets.cluster_from_env(name=called)
    with _session(ROOT / "build" / f"{called}.session") as mark:
        if mark.read() == _RUNNING and not keep:
            target.down(purge=True)
        _write(mark, "" if keep else _RUNNING)
        ours = not keep
        try:
            with cluster.opened(called, console, images) as platform:
                left = names(platform.kube.items(TENANTS))
                if left and not keep:
                    ours = False
                    raise DemoError(_refusal(target.description, called, left))
                with _told(platform, ROOT / "build" / f"{called}-failed.txt"):
                    yield platform
        finally:
            if ours:
                target.down(purge=True)
            _write(mark, "")  # not when it could not be taken down


def _refusal(description: str, called: str, left: Sequence[str]) -> str:
    return (
        f"{description} has tenants already ({', '.join(left)}): take it down first "
        f"(`.venv/bin/devcluster down --name {called} --purge`), or set E2E_KEEP=1 to use it as it is"
    )


@contextmanager
def _told(platform: Platform, file: Path) -> Iterator[None]:
    try:
        yield
    except Exception:
        diagnosis.report(platform.kube, file)
        raise


@contextmanager
def _session(file: Path) -> Iterator[TextIO]:
    """Be the only session that uses this file; the kernel takes the lock back from one that is killed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+", encoding="utf-8") as mark:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(f"another session uses the cluster {file.stem}: wait for its end") from None
        mark.seek(0)
        yield mark


def _write(mark: TextIO, text: str) -> None:
    mark.truncate(0)
    mark.write(text)
    mark.flush()
