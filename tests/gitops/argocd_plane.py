"""A company's production cluster without a node: a real Argo CD brings it up as the install page says.

Real: API server, controllers, Argo CD, Git server, every manifest of ``manifests/argocd/production``. Played:
kubelet; what the operator and External Secrets write about their objects; and of the charts' repositories
that they hold nothing. So a test says when somebody is ready, and what must wait for it cannot be overtaken.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from tests.controller.api import Api, Refused
from tests.controller.kubelet import FakeKubelet
from tests.controller.stack import OPERATOR_NAMESPACE
from tests.docs import pages
from tests.git_remote import GIT_ENV
from tests.gitops import flux_neighbours, repository
from tests.gitops.argocd import APPLICATIONS, PROJECTS, SETS, App, ArgoCD
from tests.gitops.flux import define
from tests.gitops.flux_neighbours import EXTERNAL_SECRET
from tests.gitops.repository import Repository
from tools.manifests import new_tenant

from demo import process
from demo.kube import TENANTS, Json, Kube, names
from demo.process import wait_for
from devcluster.controlplane import ControlPlane
from devcluster.tools import tool
from tenant_operator.core import kinds
from tenant_operator.core.kinds import Kind, Object

PAGE = "docs/install/argocd.md"
ROOT = "platform"
PRODUCTION = "manifests/argocd/production"
WINDOWS = f"{PRODUCTION}/sync-windows.yaml"
TENANTS_FOLDER = "manifests/tenants/production"
CHARTS = (
    "cert-manager", "cloudnative-pg", "external-secrets", "keda", "kube-prometheus-stack", "metrics-server",
)  # fmt: skip
#: What teams have; one commit may give it to all.
TEAMS = ("analytics", "data-engineering", "ml", "payments", "platform")
#: A pod that no node takes.
_PENDING: Object = {"containerStatuses": []}
_PLAYED = (kinds.TENANT, EXTERNAL_SECRET)
_PAUSE = 0.2
_JOIN_SECONDS = 60.0
#: Gone meanwhile, changed meanwhile, a kind that is not there yet.
_PASSING = (404, 409, 429)


@dataclass
class Players:
    """A thread that says Ready of every tenant and ExternalSecret, but of those that are held.

    What was Ready stays so until its generation changes.
    """

    api: Api
    tenants: set[str] = field(default_factory=set)
    """Names of tenants that are held."""
    secrets: set[str] = field(default_factory=set)
    """Namespaces whose ExternalSecrets are held."""
    failure: BaseException | None = None
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="players", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        assert self._thread is not None
        self._thread.join(_JOIN_SECONDS)
        assert not self._thread.is_alive(), "the players' thread does not end"
        assert self.failure is None, self.failure

    def _run(self) -> None:
        try:
            while not self._stopping.wait(_PAUSE):
                for kind in _PLAYED:
                    try:
                        self._once(kind)
                    except Refused as error:
                        if error.status not in _PASSING:
                            raise
        except BaseException as error:  # noqa: BLE001 - told by stop()
            self.failure = error

    def _once(self, kind: Kind) -> None:
        for found in self.api.list(kind):
            metadata = found["metadata"]
            seen = (found.get("status") or {}).get("observedGeneration")
            held = (
                metadata["name"] in self.tenants
                if kind == kinds.TENANT
                else metadata["namespace"] in self.secrets
            )
            if held or seen == metadata["generation"]:
                continue
            condition = {
                "type": "Ready", "status": "True", "reason": "Succeeded", "message": "Played",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }  # fmt: skip
            status: Object = {"observedGeneration": metadata["generation"], "conditions": [condition]}
            patch = {"metadata": {"resourceVersion": metadata["resourceVersion"]}, "status": status}
            self.api.merge(kind, metadata["name"], patch, metadata.get("namespace", ""), "status")


@dataclass
class Company:
    """All that runs."""

    plane: ControlPlane
    api: Api
    kube: Kube
    kubelet: FakeKubelet
    players: Players
    argo: ArgoCD
    repo: Repository

    def install(self) -> None:
        """The page's commands; as it says, ``production`` stands in the place of ``staging``."""
        path = f"{self.kube.kubectl_path.parent}:{os.environ['PATH']}"
        environment = {**self.kube.environment, **GIT_ENV, "PATH": path}
        for command in pages.commands(PAGE, "Install"):
            words = command.argv({"REPOSITORY": self.repo.url})
            words = [word.replace("/staging", "/production") for word in words]
            process.run(words, directory=self.repo.directory, environment=environment, timeout=300)

    def wait_new_team(self, name: str, commit: str) -> App:
        """A new team's Application, once it is Synced and Healthy.

        The ApplicationSet may see a directory before the root has made its project, and looks again after
        three minutes: who does not want to wait so long refreshes it.
        """
        wait_for(f"the project of {name}", lambda: f"airflow-{name}" in self.projects(), seconds=240)
        self.argo.refresh()
        return self.argo.wait(f"airflow-{name}", revision=commit, seconds=300)

    def off_board(self) -> None:
        """What a person removes after a team's directory: Argo CD prunes none of it without being told so."""
        for namespace in self.namespaces():
            team = namespace.removeprefix("airflow-")
            if team not in TEAMS:
                self.kube.delete(f"{APPLICATIONS}/airflow-{team}")
                self.api.delete(kinds.TENANT, team)
                self.api.delete(kinds.NAMESPACE, namespace)

    def secrets_come(self) -> None:
        """The kind that the chart of External Secrets would bring."""
        define(self.api, flux_neighbours.definition(EXTERNAL_SECRET))

    def hold_operator(self) -> None:
        """No pod of the operator becomes ready."""
        self.kubelet.break_component(OPERATOR_NAMESPACE, "operator", _PENDING)

    def release_operator(self) -> None:
        """The operator's pods are ready."""
        self.kubelet.mend_component(OPERATOR_NAMESPACE, "operator")

    def wait_teams(self, commit: str = "", *teams: str, seconds: float = 120.0) -> None:
        """Until the teams' Applications are Synced (to a commit) and Healthy."""
        for team in teams or TEAMS:
            self.argo.wait(f"airflow-{team}", revision=commit, seconds=seconds)

    def commit(self, message: str) -> str:
        """Commit what was written and tell Argo CD, as a webhook would; the commit."""
        commit = self.repo.commit(message)
        self.argo.refresh()
        return commit

    @contextlib.contextmanager
    def taken_back(self) -> Iterator[None]:
        """At the block's end nobody is held and every file is as before, as far as the teams see it."""
        before = self.repo.head()
        try:
            yield
        finally:
            self.players.tenants.clear()
            self.players.secrets.clear()
            self.release_operator()
            if self.repo.restore(before):
                self.argo.refresh()

    def new_team(self, name: str) -> None:
        """Write what `make new-tenant` writes; nothing is committed."""
        manifests = str(self.repo.directory / "manifests")
        arguments = [name, "--team", name, "--email", f"{name}@example.com", "--manifests", manifests]
        assert new_tenant.main(arguments) == 0

    def change_operator(self) -> None:
        """Write a change that wants another pod of the operator; nothing is committed."""
        path = "manifests/operator/production/deployment.yaml"
        patch = yaml.safe_load(self.repo.read(path))
        patch["spec"]["template"]["metadata"]["annotations"]["example.com/again"] = "yes"
        self.repo.write(path, yaml.safe_dump(patch, sort_keys=False))

    def give_pods(self, pods: str, *teams: str) -> None:
        """Write another quota for teams; nothing is committed."""
        for team in teams:
            path = f"{TENANTS_FOLDER}/{team}/tenant.yaml"
            patch = yaml.safe_load(self.repo.read(path))
            patch["spec"].setdefault("quota", {}).setdefault("hard", {})["pods"] = pods
            self.repo.write(path, yaml.safe_dump(patch, sort_keys=False))

    def pods(self, team: str) -> str:
        """The quota that the cluster has for a team."""
        return str(self.tenant(team)["spec"].get("quota", {}).get("hard", {}).get("pods", ""))

    def tenant(self, team: str) -> Json:
        """A tenant that must be there."""
        return self.api.get(kinds.TENANT, team)

    def tenants(self) -> list[str]:
        return names(self.kube.items(TENANTS))

    def projects(self) -> list[str]:
        return names(self.kube.items(PROJECTS))

    def namespaces(self) -> list[str]:
        """Those of teams."""
        found = names(self.kube.items("/api/v1/namespaces"))
        return [name for name in found if name.startswith("airflow-") and name != OPERATOR_NAMESPACE]

    def application_set(self) -> Json:
        found = self.kube.get(f"{SETS}/airflow-tenants")
        assert found is not None
        return found

    def set_condition(self, kind: str) -> tuple[str, str]:
        """Status and message of a condition of the ApplicationSet."""
        conditions = self.application_set().get("status", {}).get("conditions") or []
        found = [c for c in conditions if c["type"] == kind]
        return (found[0]["status"], found[0]["message"]) if found else ("", "")


def window(*, closed: bool, **changes: Any) -> dict[str, Any]:
    """Fields of a sync window that is closed now, or far from closed, whatever day it is."""
    far = (datetime.now(UTC) + timedelta(days=3)).isoweekday() % 7
    schedule = "* * * * *" if closed else f"0 16 * * {far}"
    return {"schedule": schedule, "duration": "1h", "timeZone": "UTC", **changes}


def set_window(repo: Repository, fields: dict[str, Any]) -> None:
    """Write fields of production's one window."""
    operations = yaml.safe_load(repo.read(WINDOWS))
    operations[0]["value"][0].update(fields)
    repo.write(WINDOWS, yaml.safe_dump(operations, sort_keys=False))


def prepare(repo: Repository, charts: str) -> None:
    """The tests' own settings, committed: no internet, and a weekend that is not now."""
    for file in ("applications/generated/infrastructure.yaml", "projects/platform/project.yaml"):
        path = f"manifests/argocd/{file}"
        lines = repo.read(path).splitlines()
        ours = "https://git.example.com/"
        repo.write(
            path,
            "".join(
                f"{line}\n" if "https://" not in line or ours in line or "server:" in line
                else f"{line.partition('https://')[0]}{charts}\n"
                for line in lines
            ),
        )  # fmt: skip
    set_window(repo, window(closed=False))
    repo.commit("Settings of the test")


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Company]:
    """Argo CD beside a cluster in which nothing of ours is; `install` is the caller's."""
    with contextlib.ExitStack() as stack:
        plane = stack.enter_context(ControlPlane.start(folder / "cluster"))
        api = stack.enter_context(Api(plane))
        kube = stack.enter_context(Kube(tool("kubectl"), plane.kubeconfig))
        kubelet = FakeKubelet(api)
        kubelet.start()
        stack.callback(kubelet.stop)
        players = Players(api)
        players.start()
        stack.callback(players.stop)
        repo = stack.enter_context(repository.served(folder / "git"))
        prepare(repo, stack.enter_context(flux_neighbours.chart_repository()))
        argo = ArgoCD.start(kube, folder / "argocd")
        stack.callback(argo.stop)
        yield Company(plane, api, kube, kubelet, players, argo, repo)
