"""A platform team follows the page about Argo CD; everything else follows from Git."""

from __future__ import annotations

import time

import pytest
from tests.gitops.fleet import FOLDER, PLATFORM, TEAMS, Fleet

from demo.process import wait_for
from demo.samples import SAMPLES


@pytest.mark.timeout(900, func_only=True)
def test_the_pages_commands_alone_make_operator_projects_and_tenants_synced_and_healthy(fleet: Fleet) -> None:
    began = time.monotonic()
    fleet.install()
    for name in (*PLATFORM, *TEAMS):
        seconds = 600 if name in TEAMS else 180
        fleet.argo.wait(name, revision=fleet.repo.head(), seconds=seconds)
        fleet.environment.console.say(f"{name} is Healthy after {time.monotonic() - began:.1f} s")
    assert set(fleet.argo.apps()) == {*PLATFORM, *TEAMS}
    for name, app in fleet.argo.apps().items():
        assert app.refused == {}, name
    for sample in SAMPLES:
        assert fleet.environment.tenant(sample.name).ready
        says_what_the_operator_says(fleet, sample.name)


def says_what_the_operator_says(fleet: Fleet, name: str) -> None:
    """Health and message in the tree are the tenant's; a new message of the same health comes with a look."""

    def look() -> bool:
        message = fleet.environment.tenant(name).conditions["Ready"].message
        return fleet.argo.tenant(f"airflow-{name}", name) == ("Healthy", message)

    wait_for(
        f"the message of {name} in the tree",
        look,
        seconds=120,
        seen=lambda: fleet.argo.tenant(f"airflow-{name}", name),
    )


def test_the_pages_checks_succeed_on_what_its_commands_made(installed: Fleet) -> None:
    installed.follow_page("Check", FOLDER / "clone")
