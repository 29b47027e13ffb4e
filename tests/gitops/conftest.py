"""The session's company: see fleet.py.

``GITOPS_CLUSTER`` names the cluster (default ``gitops-`` and a hash of this folder), ``E2E_KEEP=1`` leaves it
and its repository as they are at the end and goes on with them the next time: the quick way while a test is
being written.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from tests.e2e import lone
from tests.gitops import fleet as companies
from tests.gitops import repository
from tests.gitops.fleet import FOLDER, PLATFORM, TEAMS, Fleet

from demo import diagnosis
from demo.console import Console
from demo.errors import DemoError, WaitTimeoutError

KEEP = bool(os.environ.get("E2E_KEEP"))
NAME = os.environ.get("GITOPS_CLUSTER") or lone.name("gitops")
FLEET = pytest.StashKey[Fleet]()
INSTALL_SECONDS = 600.0
AGAIN_SECONDS = 120.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here needs a cluster."""
    lone.needs_a_cluster(items, Path(__file__).parent)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """On a failure write what the cluster says to ``build/gitops/failed/`` and show the unhappy parts."""
    report = yield
    fleet = item.config.stash.get(FLEET, None)
    if report.failed and fleet is not None:
        file = lone.dump(FOLDER / "failed", item, report)
        lines = diagnosis.report(fleet.platform.kube, file)
        apps = []
        with contextlib.suppress(DemoError):  # the API server may be what failed
            apps = [f"  {name}: {app.summary}" for name, app in sorted(fleet.argo.apps().items())]
        report.sections.append((f"the cluster (more in {file})", "\n".join(["Applications:", *apps, *lines])))
    return report


@pytest.fixture(scope="session")
def fleet(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """Everything but the root Application."""
    console = Console()
    repository.require_committed()  # before the minutes that a cluster takes
    with (
        lone.opened(NAME, console, keep=KEEP) as platform,
        companies.opened(platform, console, keep=KEEP) as it,
    ):
        request.config.stash[FLEET] = it
        try:
            yield it
        finally:
            del request.config.stash[FLEET]  # nobody can be asked any more


class Rest:
    """Whether the company came to rest the last time that somebody waited for it."""

    def __init__(self) -> None:
        self.seconds = INSTALL_SECONDS
        self.failure: WaitTimeoutError | None = None

    def wait(self, fleet: Fleet) -> None:
        """Until every Application is Synced and Healthy; what once did not come to rest is not waited for."""
        if self.failure is not None and not self._there(fleet):
            raise self.failure
        try:
            for name in (*PLATFORM, *TEAMS):
                fleet.argo.wait(name, seconds=self.seconds)
        except WaitTimeoutError as failure:
            self.failure = failure
            raise
        self.seconds, self.failure = AGAIN_SECONDS, None

    @staticmethod
    def _there(fleet: Fleet) -> bool:
        apps = fleet.argo.apps()
        at_rest = {name for name, app in apps.items() if (app.sync, app.health) == ("Synced", "Healthy")}
        return at_rest.issuperset((*PLATFORM, *TEAMS))


@pytest.fixture(scope="session")
def rest() -> Rest:
    """What all tests know of each other's waiting."""
    return Rest()


@pytest.fixture
def installed(fleet: Fleet, rest: Rest) -> Fleet:
    """The company with every Application Synced and Healthy."""
    if fleet.argo.find("platform") is None:
        fleet.install()
    rest.wait(fleet)
    return fleet
