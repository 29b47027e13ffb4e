"""A platform team follows the page about Argo CD; everything else follows from Git."""

from __future__ import annotations

import time

import pytest
from tests.gitops.fleet import FOLDER, PLATFORM, TEAMS, Fleet

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
        tenant = fleet.environment.tenant(sample.name)
        assert tenant.ready
        health, message = fleet.argo.tenant(f"airflow-{sample.name}", sample.name)
        assert (health, message) == ("Healthy", tenant.conditions["Ready"].message)


def test_the_pages_checks_succeed_on_what_its_commands_made(installed: Fleet) -> None:
    installed.follow_page("Check", FOLDER / "clone")
