"""Flux' source- and kustomize-controller as plain processes beside a cluster, and what to ask them.

The programs are those of an installation (https://fluxcd.io/flux/components/) with the settings that
manifests/flux/README.md recommends. Only addresses are ours, and how often they look again by themselves.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml
from tests.controller.api import Api, Refused
from tests.controller.definitions import DEFINITION
from tests.controller.process import eventually
from tests.gitops import modules
from tests.gitops.together import LOOPBACK, PortTakenError, Together, free_ports, inherited

from devcluster.tools import tool
from tenant_operator.core import kinds
from tenant_operator.core.kinds import Kind, Object

NAMESPACE = "flux-system"
GIT = Kind("source.toolkit.fluxcd.io/v1", "GitRepository", "gitrepositories")
KUSTOMIZATION = Kind("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "kustomizations")
SOURCE = "airflow-tenants"
#: What `flux reconcile` writes and how the controllers answer (fluxcd/pkg/apis/meta).
REQUEST = "reconcile.fluxcd.io/requestedAt"
WAIT = 120.0
_PROGRAMS = ("source-controller", "kustomize-controller")
_ATTEMPTS = 3
_COMMON = ("--events-addr=", "--watch-all-namespaces", "--log-level=info", "--requeue-dependency=1s")


@dataclass
class Flux(Together):
    """Both controllers on a cluster whose kinds are there. ``folder`` holds artifacts and logs."""

    kubeconfig: Path
    api: Api

    def start(self) -> None:
        """Start both and wait until they are ready; what fails leaves nothing behind."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._start()
            except PortTakenError:
                if attempt == _ATTEMPTS:
                    raise

    def _start(self) -> None:
        with self.starting():
            ports = {name: free_ports(3) for name in _PROGRAMS}
            for name in _PROGRAMS:
                self.launch(name, self._command(name, *ports[name]), self._environment(name))
            for name in _PROGRAMS:
                self.wait_answer(name, f"http://{LOOPBACK}:{ports[name][1]}/readyz")

    def _command(self, name: str, metrics: int, health: int, storage: int) -> list[str]:
        own = {
            "source-controller": [
                f"--storage-path={self.folder}/storage", f"--storage-addr={LOOPBACK}:{storage}",
                f"--storage-adv-addr={LOOPBACK}:{storage}",
            ],
            "kustomize-controller": ["--feature-gates=CancelHealthCheckOnNewRevision=true"],
        }[name]  # fmt: skip
        addresses = [f"--metrics-addr={LOOPBACK}:{metrics}", f"--health-addr={LOOPBACK}:{health}"]
        return [str(tool(name)), *_COMMON, *addresses, *own]

    def _environment(self, name: str) -> dict[str, str]:
        temporary = self.folder / f"tmp-{name}"
        for folder in (temporary, self.folder / "storage", self.folder / "home"):
            folder.mkdir(parents=True, exist_ok=True)
        return {
            **inherited(),
            "KUBECONFIG": str(self.kubeconfig),
            "RUNTIME_NAMESPACE": NAMESPACE,
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(temporary),
        }

    def kustomization(self, name: str) -> Object:
        """One Flux Kustomization as it is now."""
        return self.api.get(KUSTOMIZATION, name, NAMESPACE)

    def names(self) -> set[str]:
        """All Flux Kustomizations."""
        return {item["metadata"]["name"] for item in self.api.list(KUSTOMIZATION, NAMESPACE)}

    def ready(self, name: str) -> Object:
        """Its condition Ready, if it speaks of the present generation; else one with nothing in it."""
        found = self.api.find(KUSTOMIZATION, name, NAMESPACE) or {"metadata": {"generation": 0}}
        status = found.get("status") or {}
        for condition in status.get("conditions") or []:
            if (
                condition["type"] == "Ready"
                and condition.get("observedGeneration") == found["metadata"]["generation"]
            ):
                return dict(condition)
        return {"status": "", "reason": "", "message": ""}

    def is_ready(self, name: str, commit: str = "") -> bool:
        """Ready=True, and of this commit when one is given."""
        applied = (self.kustomization(name).get("status") or {}).get("lastAppliedRevision", "")
        return self.ready(name)["status"] == "True" and applied.endswith(commit)

    def wait_ready(self, name: str, commit: str = "", seconds: float = WAIT) -> None:
        """Until it is Ready with this commit."""
        eventually(
            lambda: self.api.find(KUSTOMIZATION, name, NAMESPACE) is not None and self.is_ready(name, commit),
            seconds,
            self.explain,
        )

    def wait_failed(self, name: str, says: str, seconds: float = WAIT) -> Object:
        """Until it is not Ready for a reason that holds this text; the condition."""

        def failed() -> Object | None:
            found = self.ready(name)
            return found if found["status"] == "False" and says in found["message"] else None

        found = eventually(failed, seconds, self.explain)
        assert found is not None
        return found

    def fetch(self, commit: str) -> None:
        """As `flux reconcile source git airflow-tenants`; returns when this commit has been fetched."""
        self.request(GIT, SOURCE)

        def fetched() -> bool:
            status = self.api.get(GIT, SOURCE, NAMESPACE).get("status") or {}
            return str((status.get("artifact") or {}).get("revision", "")).endswith(commit)

        eventually(fetched, WAIT, self.explain)

    def request(self, kind: Kind, name: str) -> str:
        """Ask a controller to look now; the request's value."""
        value = datetime.now(UTC).isoformat()
        self.api.merge(kind, name, {"metadata": {"annotations": {REQUEST: value}}}, NAMESPACE)
        return value

    def pass_over(self, name: str) -> None:
        """As `flux reconcile kustomization NAME`: one full pass of it that begins now."""
        value = self.request(KUSTOMIZATION, name)

        def handled() -> bool:
            status = self.kustomization(name).get("status") or {}
            return (
                bool(status.get("lastHandledReconcileAt") == value) and self.ready(name)["status"] == "True"
            )

        eventually(handled, WAIT, self.explain)

    def explain(self) -> str:
        """What a failing test shows."""
        lines = []
        for kind in (GIT, KUSTOMIZATION):
            with contextlib.suppress(Refused):
                lines += [yaml.safe_dump({i["metadata"]["name"]: (i.get("status") or {}).get("conditions")})
                          for i in self.api.list(kind, NAMESPACE)]  # fmt: skip
        logs = [self.log(name).read_text(errors="replace")[-1500:] for name in self.running]
        return "\n".join([*lines, *logs])


def install_kinds(api: Api) -> None:
    """Flux' own definitions of its kinds, and its namespace, as `flux install` makes them."""
    api.create(kinds.NAMESPACE, {"metadata": {"name": NAMESPACE}})
    for name in _PROGRAMS:
        for file in sorted((modules.source(name) / "config" / "crd" / "bases").glob("*.yaml")):
            define(api, next(document for document in yaml.safe_load_all(file.read_text()) if document))


def define(api: Api, definition: Object) -> None:
    """Install a definition and wait until its objects can be listed."""
    api.apply(DEFINITION.path("", definition["metadata"]["name"]), definition)
    spec = definition["spec"]
    version = next(version["name"] for version in spec["versions"] if version["storage"])
    kind = Kind(f"{spec['group']}/{version}", spec["names"]["kind"], spec["names"]["plural"])

    def served() -> bool:
        try:
            api.list(kind)
        except Refused:  # 404: not yet; 429: its storage is made
            return False
        return True

    eventually(served, WAIT, lambda: definition["metadata"]["name"])


@contextlib.contextmanager
def running(folder: Path, kubeconfig: Path, api: Api) -> Iterator[Flux]:
    """Flux for as long as the context lasts."""
    install_kinds(api)
    flux = Flux(folder, kubeconfig, api)
    flux.start()
    try:
        yield flux
    finally:
        flux.stop()
