"""A real Argo CD for a cluster: its kinds and settings in it, its programs beside it, its API to ask."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.gitops import modules
from tests.gitops.programs import NAMESPACE, Programs
from tests.gitops.together import PortTakenError

from demo.kube import Json, Kube
from demo.process import wait_for

APPLICATIONS = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/applications"
SETS = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/applicationsets"
PROJECTS = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/appprojects"
_MAPS = ("argocd-cm", "argocd-cmd-params-cm", "argocd-rbac-cm")
_ATTEMPTS = 3
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class App:
    """What an Application says about itself at one moment."""

    raw: Json

    @property
    def status(self) -> Json:
        return dict(self.raw.get("status") or {})

    @property
    def name(self) -> str:
        return str(self.raw["metadata"]["name"])

    @property
    def annotations(self) -> dict[str, str]:
        return dict(self.raw["metadata"].get("annotations") or {})

    @property
    def sync(self) -> str:
        """Synced, OutOfSync or Unknown."""
        return str(self.status.get("sync", {}).get("status", ""))

    @property
    def health(self) -> str:
        """Healthy, Progressing, Degraded, Suspended, Missing or Unknown."""
        return str(self.status.get("health", {}).get("status", ""))

    @property
    def revision(self) -> str:
        """The commit that was compared last."""
        return str(self.status.get("sync", {}).get("revision", ""))

    @property
    def operation(self) -> str:
        """Phase of the last sync; empty when there never was one."""
        return str(self.status.get("operationState", {}).get("phase", ""))

    @property
    def message(self) -> str:
        """What the last sync said."""
        return str(self.status.get("operationState", {}).get("message", ""))

    @property
    def conditions(self) -> dict[str, str]:
        return {c["type"]: c["message"] for c in self.status.get("conditions") or []}

    @property
    def resources(self) -> dict[tuple[str, str], Json]:
        """What Git has in it, by kind and name."""
        return {(item["kind"], item["name"]): item for item in self.status.get("resources") or []}

    @property
    def refused(self) -> dict[tuple[str, str], str]:
        """Messages of the objects that the last sync did not apply, by kind and name."""
        done = (self.status.get("operationState", {}).get("syncResult") or {}).get("resources") or []
        return {
            (item["kind"], item["name"]): item.get("message", "")
            for item in done
            if item.get("status") == "SyncFailed"
        }

    @property
    def summary(self) -> str:
        parts = (self.sync, self.health, self.operation, self.revision[:7], self.message)
        return " / ".join(part for part in (*parts, *self.conditions.values()) if part)


@dataclass
class ArgoCD:
    """A running Argo CD; its Applications are read from the cluster, the rest through argocd-server."""

    kube: Kube
    programs: Programs

    @classmethod
    def start(cls, kube: Kube, folder: Path) -> ArgoCD:
        """Install Argo CD as its own manifests say, nothing of ours in it, and start it."""
        install(kube)
        maps = {name: _data(kube, name) for name in _MAPS}
        for attempt in range(1, _ATTEMPTS + 1):
            programs = Programs(folder, kube.kubeconfig, maps)
            try:
                programs.start()
            except PortTakenError:
                if attempt == _ATTEMPTS:
                    raise
                continue
            break
        return cls(kube, programs)

    def stop(self) -> None:
        """End its processes."""
        self.programs.stop()

    def restart_application_sets(self) -> None:
        """As `kubectl rollout restart` of its Deployment: it reads its settings when it starts."""
        self.programs.restart(
            "argocd-applicationset-controller", {name: _data(self.kube, name) for name in _MAPS}
        )

    def find(self, name: str) -> App | None:
        """An Application, or None."""
        raw = self.kube.get(f"{APPLICATIONS}/{name}")
        return App(raw) if raw else None

    def app(self, name: str) -> App:
        """An Application that must be there."""
        found = self.find(name)
        assert found is not None, f"there is no Application {name}: {sorted(self.apps())}"
        return found

    def apps(self) -> dict[str, App]:
        """All Applications by name."""
        return {item["metadata"]["name"]: App(item) for item in self.kube.items(APPLICATIONS)}

    def refresh(self, *names: str) -> None:
        """Have Argo CD look at Git now, as its webhook would; by default for every Application and set."""
        for name in names or self.apps():
            self.annotate(name, {"argocd.argoproj.io/refresh": "normal"})
        if not names:
            patch = {"metadata": {"annotations": {"argocd.argoproj.io/application-set-refresh": "true"}}}
            for item in self.kube.items(SETS):
                self.kube.merge_patch(f"{SETS}/{item['metadata']['name']}", patch)

    def annotate(self, name: str, annotations: Mapping[str, str]) -> None:
        """Annotate an Application, for example to approve a deletion."""
        self.kube.merge_patch(f"{APPLICATIONS}/{name}", {"metadata": {"annotations": dict(annotations)}})

    def wait(
        self,
        name: str,
        *,
        sync: str = "Synced",
        health: str = "Healthy",
        revision: str = "",
        seconds: float = 120.0,
    ) -> App:
        """Wait until an Application says this (and about this commit, and about no older refresh)."""

        def fits(app: App) -> bool:
            fresh = "argocd.argoproj.io/refresh" not in app.annotations
            told = (app.sync, app.health) == (sync, health) and revision in ("", app.revision)
            return fresh and told and app.operation != "Running"

        return self.wait_until(name, f"{sync} and {health} {revision[:7]}", fits, seconds)

    def wait_until(self, name: str, what: str, fits: Callable[[App], bool], seconds: float = 120.0) -> App:
        """Wait until something is true of an Application, and return it as it was then."""

        def look() -> App | None:
            found = self.find(name)
            return found if found is not None and fits(found) else None

        def seen() -> str:
            found = self.find(name)
            return found.summary if found else "it is not there"

        return wait_for(f"Application {name}: {what}", look, seconds=seconds, poll=0.3, seen=seen)

    def deliver(self, revision: str, *names: str, health: str = "Healthy", seconds: float = 120.0) -> None:
        """Have a pushed commit applied now: refresh the Applications until each is Synced to it."""
        self.refresh(*names)
        for name in names:
            self.wait(name, revision=revision, health=health, seconds=seconds)

    def tree(self, name: str) -> list[Json]:
        """The nodes of an Application's tree, children included (with ``parentRefs``)."""
        found: list[Json] = (
            self.request("GET", f"/api/v1/applications/{name}/resource-tree").get("nodes") or []
        )
        return found

    def tenant(self, name: str, tenant: str) -> tuple[str, str]:
        """What the tree says of a tenant of an Application: health and message, as people see them."""
        nodes = [n for n in self.tree(name) if (n["kind"], n["name"]) == ("AirflowTenant", tenant)]
        health = nodes[0].get("health") or {} if nodes else {}
        return health.get("status", ""), health.get("message", "")

    def actions(self, name: str, tenant: str) -> dict[str, bool]:
        """The actions that Argo CD offers on a tenant of an Application: name -> can be chosen now."""
        query = urllib.parse.urlencode(_tenant(tenant))
        answer = self.request("GET", f"/api/v1/applications/{name}/resource/actions?{query}")
        return {action["name"]: not action.get("disabled", False) for action in answer.get("actions") or []}

    def act(self, name: str, tenant: str, action: str, parameters: Mapping[str, str] | None = None) -> None:
        """Run an action, as its button does."""
        given = [{"name": key, "value": value} for key, value in (parameters or {}).items()]
        body = {**_tenant(tenant), "name": name, "action": action, "resourceActionParameters": given}
        self.request("POST", f"/api/v1/applications/{name}/resource/actions/v2", body)

    def metrics(self, name: str) -> dict[str, dict[str, str]]:
        """The controller's series about one Application: labels of the last series of each metric."""
        address = f"http://127.0.0.1:{self.programs.ports['controller-metrics']}/metrics"
        with urllib.request.urlopen(address, timeout=30) as answer:
            text = answer.read().decode()
        found = {}
        for line in text.splitlines():
            metric, brace, rest = line.partition("{")
            labels = dict(_LABEL.findall(rest.rpartition("}")[0]))
            if brace and labels.get("name") == name:
                found[metric] = labels
        return found

    def request(self, method: str, path: str, body: object = None) -> Any:
        """Send a request to argocd-server; AssertionError holds what it said when it refused."""
        address = f"http://127.0.0.1:{self.programs.ports['server']}{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from error


def install(kube: Kube) -> None:
    """Argo CD's kinds, its own ConfigMaps and Secret; what is there already stays."""
    base = modules.source("argocd") / "manifests"
    kinds = [base / "crds" / f"{kind}-crd.yaml" for kind in ("application", "applicationset", "appproject")]
    files = [base / "base" / "config" / f"{name}.yaml" for name in (*_MAPS, "argocd-secret")]
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    # By the server: the ApplicationSet's definition is larger than an annotation may be.
    _apply(kube, *(f"--filename={file}" for file in kinds))
    _apply(kube, *(f"--filename={file}" for file in files))
    for address in (APPLICATIONS, SETS, PROJECTS):  # a new kind is named before its storage is ready
        wait_for(address, lambda a=address: kube.request("GET", a)[0] == 200, seconds=120, poll=0.1)


def _apply(kube: Kube, *what: str) -> None:
    kube.kubectl(
        "apply", "--server-side", "--force-conflicts", "--field-manager=argocd-installation",
        f"--namespace={NAMESPACE}", *what,
    )  # fmt: skip


def _data(kube: Kube, name: str) -> dict[str, str]:
    found = kube.get(f"/api/v1/namespaces/{NAMESPACE}/configmaps/{name}") or {}
    return dict(found.get("data") or {})


def _tenant(name: str) -> dict[str, str]:
    return {
        "resourceName": name,
        "namespace": "",
        "group": "airflowtenants.io",
        "version": "v1alpha1",
        "kind": "AirflowTenant",
    }
