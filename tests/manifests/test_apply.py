"""Without any GitOps tool: a real API server takes what manifests/README.md applies with kubectl."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.controller.process import eventually

from devcluster.controlplane import ControlPlane
from devcluster.tools import tool

MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"
_SECONDS = 120


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with ControlPlane.start(tmp_path_factory.mktemp("apply")) as started:
        yield started


def run(plane: ControlPlane, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Kubectl as the administrator."""
    return subprocess.run(
        [str(tool("kubectl")), "--kubeconfig", str(plane.kubeconfig), *arguments],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )


def kubectl(plane: ControlPlane, *arguments: str) -> str:
    """Kubectl's output; AssertionError with its words when it fails."""
    done = run(plane, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_policies_operator_and_tenants_are_taken_in_the_order_of_the_readme(plane: ControlPlane) -> None:
    def apply(folder: str) -> list[str]:
        return kubectl(plane, "apply", "--server-side", "-k", str(MANIFESTS / folder)).splitlines()

    assert len(apply("operator/staging")) == 20
    served = ("get", "--raw", "/apis/airflowtenants.io/v1alpha1/airflowtenants")
    eventually(lambda: run(plane, *served).returncode == 0, _SECONDS, lambda: run(plane, *served).stderr)
    assert len(apply("policies/staging")) == 12
    assert len(apply("tenants/demo")) == 4
    tenants = kubectl(plane, "get", "airflowtenants", "-o", "name").split()
    assert tenants == [
        "airflowtenant.airflowtenants.io/analytics",
        "airflowtenant.airflowtenants.io/payments",
    ]
    for folder in (
        "operator/staging",
        "policies/staging",
        "tenants/demo",
    ):  # nothing left to do: no drift of its own
        # a controller may write a status between the two looks of one diff
        again = ("diff", "--server-side", "-k", str(MANIFESTS / folder))
        eventually(
            lambda again=again: (done := run(plane, *again)).returncode == 0 and not done.stdout,
            _SECONDS,
            lambda again=again: run(plane, *again).stdout,
            1.0,
        )
