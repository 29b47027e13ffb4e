from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from devcluster import build, prerequisites
from devcluster.recipes import RECIPES, wrappers

OWN = ["./netpol", "./provisioner", "./forward"]


def go(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [prerequisites.require_go(), *arguments]
    recipe = RECIPES["netpol"]
    return subprocess.run(
        command, cwd=recipe.directory, env=build.environment(recipe), capture_output=True, text=True
    )


def test_our_go_sources_are_formatted() -> None:
    gofmt = Path(prerequisites.require_go()).resolve().with_name("gofmt")
    done = subprocess.run([gofmt, "-l", wrappers()], capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


@pytest.mark.timeout(900)
def test_go_unit_tests_of_the_policy_agent_and_the_provisioner() -> None:
    done = go("test", "-mod=readonly", "-vet=off", *OWN)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(900)
def test_go_vet_has_nothing_to_say() -> None:
    done = go("vet", "-mod=readonly", *OWN)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
