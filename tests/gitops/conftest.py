"""The session's company: see fleet.py.

``GITOPS_CLUSTER`` names the cluster (default ``gitops``), ``E2E_KEEP=1`` leaves it and its repository as they
are at the end and goes on with them the next time: the quick way while a test is being written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from tests.gitops import fleet as companies
from tests.gitops.fleet import FOLDER, PLATFORM, TEAMS, Fleet

from demo import cluster, diagnosis
from demo.console import Console
from demo.errors import DemoError
from demo.kube import TENANTS, names

KEEP = bool(os.environ.get("E2E_KEEP"))
NAME = os.environ.get("GITOPS_CLUSTER", "gitops")
FLEET = pytest.StashKey[Fleet]()
INSTALL_SECONDS = 600.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here needs a cluster; its deadline counts the test alone, not the start of the cluster."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(600, func_only=True))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """On a failure write what the cluster says to ``build/gitops/failed/`` and show the unhappy parts."""
    report = yield
    fleet = item.config.stash.get(FLEET, None)
    if report.failed and fleet is not None:
        folder = FOLDER / "failed"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / (re.sub(r"[^A-Za-z0-9]+", "-", item.name).strip("-") + f"-{report.when}.txt")
        lines = diagnosis.report(fleet.platform.kube, file)
        apps = [f"  {name}: {app.summary}" for name, app in sorted(fleet.argo.apps().items())]
        report.sections.append((f"the cluster (more in {file})", "\n".join(["Applications:", *apps, *lines])))
    return report


@pytest.fixture(scope="session")
def fleet(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """Everything but the root Application."""
    console = Console()
    with cluster.opened(NAME, console) as platform:
        left = names(platform.kube.items(TENANTS))
        if left and not KEEP:
            raise DemoError(
                f"{platform.target.description} has tenants already ({', '.join(left)}): take it down first, "
                "or set E2E_KEEP=1 to use it as it is"
            )
        with companies.opened(platform, console, keep=KEEP) as found:
            request.config.stash[FLEET] = found
            yield found
    if not KEEP:
        platform.target.down(purge=True)


@pytest.fixture
def installed(fleet: Fleet) -> Fleet:
    """The company with every Application Synced and Healthy."""
    if fleet.argo.find("platform") is None:
        fleet.install()
    for name in (*PLATFORM, *TEAMS):
        fleet.argo.wait(name, seconds=INSTALL_SECONDS)
    return fleet
