"""The session's environment: a cluster with the operator, the Git server and both sample tenants applied.

``E2E_CLUSTER`` names the cluster (default ``e2e-`` and a hash of this folder), ``E2E_KEEP=1`` leaves it as it
is at the end and takes one that is in use already: the quick way while a test is being written.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from tests.e2e import lone, monitoring
from tests.e2e.support import Environment

from demo import cluster, diagnosis, steps
from demo.console import Console
from demo.samples import FIRST_MESSAGE, MANIFESTS, SAMPLES, ensure_secrets
from demo.state import state_directory
from demo.steps import Demo

IMAGES = (*cluster.CLUSTER_IMAGES, "toolbox", "prometheus")
KEEP = bool(os.environ.get("E2E_KEEP"))
NAME = os.environ.get("E2E_CLUSTER") or lone.name("e2e")
ENVIRONMENT = pytest.StashKey[Environment]()
DUMPS = Path(__file__).resolve().parents[2] / "build" / "e2e"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here needs the node."""
    lone.needs_a_cluster(items, Path(__file__).parent)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """On a failure write the cluster's state to ``build/e2e/<test>.txt`` and show the unhappy parts."""
    report = yield
    environment = item.config.stash.get(ENVIRONMENT, None)
    if report.failed and environment is not None:
        file = lone.dump(DUMPS, item, report)
        lines = diagnosis.report(environment.kube, file)
        report.sections.append((f"the cluster (more in {file})", "\n".join(lines)))
    return report


@pytest.fixture(scope="session")
def environment(request: pytest.FixtureRequest) -> Iterator[Environment]:
    """Build, start, install and apply; nothing is waited for but the operator and the Git server."""
    console = Console()
    with lone.opened(NAME, console, IMAGES, keep=KEEP) as platform:
        monitoring.install_definitions(platform.kube)
        demo = Demo(console, platform, state_directory(NAME))
        steps.install(demo, monitoring.OPERATOR_VALUES)
        assert demo.git is not None
        found = Environment(platform, demo.git, console)
        for sample in SAMPLES:
            ensure_secrets(platform.kube, demo.git, sample)
            demo.git.push_first(sample.name, sample.repository, FIRST_MESSAGE)
        platform.kube.kubectl(
            "apply", "--server-side", "--field-manager=demo", "--force-conflicts", "-k", str(MANIFESTS)
        )
        request.config.stash[ENVIRONMENT] = found
        try:
            yield found
        finally:
            del request.config.stash[ENVIRONMENT]  # nobody can be asked any more


@pytest.fixture
def payments(environment: Environment) -> Environment:
    """The environment, with payments Ready."""
    environment.wait_ready("payments")
    return environment


@pytest.fixture
def analytics(environment: Environment) -> Environment:
    """The environment, with analytics Ready."""
    environment.wait_ready("analytics")
    return environment
