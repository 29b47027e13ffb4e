"""A cluster that Flux runs from this repository's own manifests/flux, installed as its page says.

Real: API server, controllers, Flux, operator, Git server, an Airflow API server. Played: kubelet, Helm
charts, secret store. Two of the sample teams are enough: with all five the tests would only take longer.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.airflow.server import JOBS, AirflowServer
from tests.controller.api import Api
from tests.controller.kubelet import FakeKubelet
from tests.controller.process import Operator, eventually
from tests.controller.stack import (
    OPERATOR_NAMESPACE,
    OPERATOR_RELEASE,
    Stack,
    TenantUnderTest,
    free_port,
    operator_environment,
    own_kubeconfig,
)
from tests.docs.pages import commands
from tests.git_remote import GIT_ENV
from tests.gitops import flux, flux_neighbours, repository
from tests.gitops.flux import Flux
from tests.gitops.flux_neighbours import Neighbours
from tests.gitops.repository import Repository
from tests.kustomization import build

from devcluster.controlplane import ControlPlane
from devcluster.tools import tool
from tenant_operator.core import kinds
from tenant_operator.core.kinds import Kind, Object

PAGE = "docs/install/flux.md"
TEAMS = ("analytics", "payments")
ROOT = "airflow-tenants"
LISTING = "manifests/flux/tenants/kustomization.yaml"
_COMMAND_SECONDS = 180
_TENANT_SECONDS = 240


@dataclass
class Fleet:
    """All that runs, and what was seen while it came up."""

    plane: ControlPlane
    api: Api
    flux: Flux
    repo: Repository
    stack: Stack
    neighbours: Neighbours
    airflow: AirflowServer
    #: Kustomization -> its condition Ready, while no chart was installed
    without_charts: dict[str, Object] = field(default_factory=dict)
    #: the same, while the operator's Deployment was up but nobody worked on tenants yet
    without_operator: dict[str, Object] = field(default_factory=dict)
    #: the definitions of kinds that were there while no chart was installed
    kinds_without_charts: set[str] = field(default_factory=set)

    def tenant(self, team: str) -> TenantUnderTest:
        """A team's tenant."""
        return TenantUnderTest(self.stack, team)

    def kubectl(self, *arguments: str) -> str:
        """kubectl as the administrator; its output."""
        return self.run("kubectl", *arguments)

    def run(self, program: str, *arguments: str) -> str:
        """A command in the root of the served repository's clone, as the administrator."""
        done = subprocess.run(
            [str(tool(program)) if program == "kubectl" else program, *arguments],
            cwd=self.repo.directory,
            env={**os.environ, **GIT_ENV, "KUBECONFIG": str(self.plane.kubeconfig)},
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"{program} {arguments}:\n{said}\n{self.flux.explain()}"
        return said

    def page(self, heading: str) -> None:
        """Run the commands of one part of the page."""
        for command in commands(PAGE, heading):
            self.run(*command.argv({"REPOSITORY": self.repo.url}))

    def push(self, message: str) -> str:
        """Commit what was changed and have it fetched; the commit."""
        commit = self.repo.commit(message)
        self.flux.fetch(commit)
        return commit

    def revert(self, commit: str) -> str:
        """Undo a commit and have that fetched; the new commit."""
        undone = self.repo.revert(commit)
        self.flux.fetch(undone)
        return undone

    def conditions(self) -> dict[str, Object]:
        """The condition Ready of every Kustomization, by name."""
        return {name: self.flux.ready(name) for name in self.flux.names()}


def prepare(repo: Repository, charts: str) -> None:
    """The test's own settings, committed: two teams, no internet, what failed is tried again soon."""
    assert repo.replace_everywhere("retryInterval: 1m", "retryInterval: 2s", "manifests/flux")
    for line in repo.read(LISTING).splitlines():
        if line.endswith(".yaml") and line.split()[-1] not in (
            "role.yaml",
            *(f"{team}.yaml" for team in TEAMS),
        ):
            repo.replace(LISTING, f"{line}\n", "")
    for file in sorted((repo.directory / "manifests" / "infrastructure" / "controllers").glob("*.yaml")):
        file.write_text(re.sub(r"(?m)^(  url: )https://.*$", rf"\g<1>{charts}", file.read_text()))
    repo.commit("Settings of the test")


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Fleet]:
    """All of it, every Kustomization Ready; what was seen on the way is in the Fleet."""
    with contextlib.ExitStack() as stack:
        plane = stack.enter_context(ControlPlane.start(folder / "cluster"))
        api = stack.enter_context(Api(plane))
        airflow = AirflowServer.start(folder / "airflow")
        stack.callback(airflow.stop)
        airflow.heartbeat(*JOBS)
        kubelet = FakeKubelet(api)
        kubelet.start()
        stack.callback(kubelet.stop)
        repo = stack.enter_context(repository.served(folder / "git"))
        prepare(repo, stack.enter_context(flux_neighbours.chart_repository()))
        its_flux = stack.enter_context(flux.running(folder / "flux", plane.kubeconfig, api))
        overlays = ("infrastructure/configs/staging", *(f"tenants/staging/{team}" for team in TEAMS))
        wanted = [o for path in overlays for o in build(repo.directory / "manifests" / path)]
        players = stack.enter_context(flux_neighbours.playing(api, wanted))
        operator = _operator(folder, plane, airflow)
        stack.callback(lambda: operator.process and operator.kill())
        fleet = Fleet(
            plane, api, its_flux, repo, Stack(folder, plane, api, kubelet, operator), players, airflow
        )
        fleet.page("Install")
        _come_up(fleet)
        yield fleet


def _operator(folder: Path, plane: ControlPlane, airflow: AirflowServer) -> Operator:
    """Started when Flux has installed it: the Deployment's pod is played, this process does its work."""
    environment = operator_environment(folder, airflow.url) | {
        "TENANT_DEFAULTS_FILE": str(folder / "defaults.yaml"),
        "RESYNC_INTERVAL": "30",
    }
    return Operator(
        plane.directory / "operator.kubeconfig", folder / "operator.log", free_port(), environment
    )


def _come_up(fleet: Fleet) -> None:
    its_flux, api, airflow = fleet.flux, fleet.api, fleet.airflow
    its_flux.wait_ready(ROOT)
    eventually(lambda: _only_charts_are_missing(fleet), 120, its_flux.explain)
    fleet.kinds_without_charts = {item["metadata"]["name"] for item in api.list(kinds.DEFINITION)}
    fleet.neighbours.charts_come.set()
    for team in TEAMS:
        # One Airflow is there for both tenants: each tenant's operator logs in as its administrator.
        api.secret(
            f"{team}-operator", fleet.tenant(team).namespace,
            username=airflow.username, password=airflow.password, hmac_key="key",
        )  # fmt: skip
        eventually(lambda name=f"tenant-{team}": _checks_health(its_flux, name), 120, its_flux.explain)
    fleet.without_operator = fleet.conditions()
    own_kubeconfig(fleet.plane)
    (fleet.stack.directory / "defaults.yaml").write_text(_defaults(api))
    fleet.stack.operator.start()
    for team in TEAMS:
        fleet.tenant(team).wait("Ready", seconds=_TENANT_SECONDS)
        its_flux.wait_ready(f"tenant-{team}")


def _only_charts_are_missing(fleet: Fleet) -> bool:
    """Everything that needs no chart is done, the rest has said what it misses."""
    found = fleet.without_charts = fleet.conditions()
    return (
        found["infrastructure-controllers"]["status"] == "Unknown"
        and found["infrastructure-configs"]["reason"] == "DependencyNotReady"
        and found["operator"]["status"] == "True"
        and all("no matches for kind" in found[f"tenant-{team}"]["message"] for team in TEAMS)
    )


def _defaults(api: Api) -> str:
    """The file that the Deployment mounts: which images tenants get, from the company's registry."""
    pod = api.get(kinds.DEPLOYMENT, OPERATOR_RELEASE, OPERATOR_NAMESPACE)["spec"]["template"]["spec"]
    (name,) = (volume["configMap"]["name"] for volume in pod["volumes"] if volume["name"] == "defaults")
    config = Kind("v1", "ConfigMap", "configmaps")
    return str(api.get(config, name, OPERATOR_NAMESPACE)["data"]["defaults.yaml"])


def _checks_health(its_flux: Flux, name: str) -> bool:
    """It has applied its objects and waits for them."""
    status = its_flux.kustomization(name).get("status") or {}
    return any(
        c["type"] == "Reconciling" and "health checks" in c["message"] for c in status.get("conditions") or []
    )
