"""Fixtures. What needs root is skipped without; with CI set a skip is a failure (tests/conftest.py)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.git_remote import Remote, daemon, free_port
from tests.images.git_sync_process import Sync

import imagebuild
from imagebuild.chroot import Bind, Chroot
from imagebuild.console import QuietConsole
from imagebuild.debian import require_release
from imagebuild.errors import BuildError
from imagebuild.golang import build as go_build
from imagebuild.oci import BuiltImage
from imagebuild.settings import Settings
from imagebuild.workshop import unpacked

#: a cold build compiles helm and installs Airflow
COLD_BUILD_SECONDS = 1800


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test that uses the built images waits for the build."""
    for item in items:
        if isinstance(item, pytest.Function) and "built" in item.fixturenames:
            item.add_marker(pytest.mark.timeout(COLD_BUILD_SECONDS))


@pytest.fixture(scope="session")
def settings() -> Settings:
    return Settings.default()


@pytest.fixture(scope="session")
def builder() -> None:
    """This machine can build images."""
    if os.geteuid() != 0:
        pytest.skip("needs root: images are unpacked with their owners and run in a chroot")
    try:
        require_release()
    except BuildError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def built(builder: None) -> Mapping[str, BuiltImage]:
    """Every image of the project as it is now."""
    return imagebuild.build()


@pytest.fixture(scope="session")
def roots(built: Mapping[str, BuiltImage], settings: Settings) -> Mapping[str, Path]:
    """Image name -> its unpacked root filesystem (shared: only to be read or run read-only)."""
    return {name: unpacked(settings, image.layers) for name, image in built.items()}


class Runner:
    """Runs an image as a restricted pod does: its user, a read-only root, no network but its own loopback."""

    def __init__(self, images: Mapping[str, BuiltImage], roots: Mapping[str, Path]) -> None:
        self._images, self._roots = images, roots

    def chroot(
        self, name: str, env: Mapping[str, str] | None = None, binds: tuple[Bind, ...] = (), user: str = ""
    ) -> Chroot:
        config = self._images[name].config
        return Chroot(
            self._roots[name],
            user=user or config.user,
            read_only=True,
            private_network=True,
            env={**config.env, **(env or {})},
            binds=binds,
        )

    def command(self, name: str, *arguments: str) -> list[str]:
        """The image's entrypoint with arguments, or its CMD."""
        config = self._images[name].config
        return [*config.entrypoint, *(arguments or config.cmd)]

    def shell(
        self,
        name: str,
        script: str,
        env: Mapping[str, str] | None = None,
        binds: tuple[Bind, ...] = (),
        user: str = "",
        deadline: float = 120.0,
    ) -> str:
        """A bash script inside; returns what it printed. Fails with its errors on another code than 0."""
        done = self.chroot(name, env, binds, user).run(
            ["/bin/bash", "-euo", "pipefail", "-c", script], deadline
        )
        assert done.returncode == 0, f"code {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout.strip()


@pytest.fixture(scope="session")
def runner(built: Mapping[str, BuiltImage], roots: Mapping[str, Path]) -> Runner:
    return Runner(built, roots)


@pytest.fixture(scope="session")
def git_sync(settings: Settings) -> Path:
    """The program under test: GIT_SYNC_BINARY, else our stand-in."""
    named = os.environ.get("GIT_SYNC_BINARY")
    if named:
        return Path(named)
    if shutil.which("go") is None:
        pytest.skip("needs Go on PATH to build the stand-in")
    return go_build(settings, QuietConsole(), settings.images / "git-sync-standin" / "src", "git-sync")


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A folder that any user may write to, as an emptyDir is."""
    folder = tmp_path / "volume"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture
def sync(tmp_path: Path, git_sync: Path) -> Iterator[Sync]:
    remote = Remote.make(tmp_path)
    home, root = tmp_path / "home", tmp_path / "root"
    home.mkdir()
    with daemon(remote.base, free_port()) as address:
        yield Sync(git_sync, f"{address}/r.git", remote, home, root, remote.base)
