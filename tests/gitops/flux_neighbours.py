"""What else a platform's cluster has, played: helm-controller, charts, secrets.

helm-controller's module cannot be had, and a test has no internet for charts. So: a HelmRelease gets the
kinds of its chart and says Ready, an ExternalSecret gets its Secret. They write what the real ones write.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.controller.api import Api, Refused
from tests.gitops.flux import define

from tenant_operator.core import kinds
from tenant_operator.core.kinds import Kind, Object

HELM_RELEASE = Kind("helm.toolkit.fluxcd.io/v2", "HelmRelease", "helmreleases")
EXTERNAL_SECRET = Kind("external-secrets.io/v1", "ExternalSecret", "externalsecrets")
_PAUSE = 0.2
#: Gone meanwhile, changed meanwhile, a new kind's storage is not ready: the next round sees what is then.
_PASSING = (404, 409, 429)
_JOIN_SECONDS = 120.0
_FLUX = "toolkit.fluxcd.io"
_OURS = "airflowtenants.io"


def foreign(objects: Iterable[Object]) -> list[Object]:
    """Definitions, open for every field, of the kinds that neither Kubernetes, Flux nor we bring."""
    found = {}
    for obj in objects:
        group = obj["apiVersion"].rpartition("/")[0]
        if "." in group and not group.endswith((".k8s.io", _FLUX, _OURS)):
            kind = Kind(obj["apiVersion"], obj["kind"], obj["kind"].lower() + "s",
                        namespaced="namespace" in obj["metadata"])  # fmt: skip
            found[(group, kind.kind)] = definition(kind)
    return list(found.values())


def definition(kind: Kind) -> Object:
    """A CustomResourceDefinition that takes every field."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": kinds.DEFINITION.api_version,
        "kind": kinds.DEFINITION.kind,
        "metadata": {"name": f"{kind.plural}.{kind.group}"},
        "spec": {
            "group": kind.group,
            "names": {"kind": kind.kind, "plural": kind.plural, "singular": kind.kind.lower()},
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [
                {
                    "name": kind.api_version.rpartition("/")[2],
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
            ],
        },
    }


def _helm_releases() -> Object:
    """As Flux' own: a status that says that nobody has looked; without one it counts as ready."""
    found = definition(HELM_RELEASE)
    (version,) = found["spec"]["versions"]
    status = {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
        "default": {"observedGeneration": -1},
    }
    version["schema"]["openAPIV3Schema"]["properties"] = {"status": status}
    return found


@dataclass
class Neighbours:
    """The thread. Charts are installed only once `charts_come` is set."""

    api: Api
    kinds_of_charts: list[Object]
    charts_come: threading.Event = field(default_factory=threading.Event)
    failure: BaseException | None = None
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        define(self.api, _helm_releases())
        self._thread = threading.Thread(target=self._run, name="neighbours", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        assert self._thread is not None
        self._thread.join(_JOIN_SECONDS)
        assert not self._thread.is_alive(), "the neighbours' thread does not end"
        assert self.failure is None, self.failure

    def _run(self) -> None:
        try:
            while not self._stopping.wait(_PAUSE):
                if self.charts_come.is_set():
                    self._once()
        except BaseException as error:  # noqa: BLE001 - told by stop()
            self.failure = error

    def _once(self) -> None:
        for one in self.kinds_of_charts:
            define(self.api, one)
        self.kinds_of_charts.clear()
        for act in (self._charts, self._secrets):
            try:
                act()
            except Refused as error:
                if error.status not in _PASSING:
                    raise

    def _charts(self) -> None:
        for release in self.api.list(HELM_RELEASE):
            if not _is_ready(release):
                spec = release["spec"]
                namespace = spec.get("targetNamespace", release["metadata"]["namespace"])
                self.api.apply(kinds.NAMESPACE.path("", namespace), _namespace(namespace))
                self._say_ready(HELM_RELEASE, release)

    def _secrets(self) -> None:
        for external in self.api.list(EXTERNAL_SECRET):
            if not _is_ready(external):
                metadata, spec = external["metadata"], external["spec"]
                values = {entry["secretKey"]: f"of-{metadata['name']}" for entry in spec.get("data") or []}
                self.api.secret(spec["target"]["name"], metadata["namespace"], **values)
                self._say_ready(EXTERNAL_SECRET, external)

    def _say_ready(self, kind: Kind, obj: Object) -> None:
        generation = obj["metadata"]["generation"]
        condition = {
            "type": "Ready", "status": "True", "reason": "Succeeded", "message": "",
            "observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z",
        }  # fmt: skip
        status = {"observedGeneration": generation, "conditions": [condition]}
        with contextlib.suppress(Refused):  # it has just been deleted
            self.api.merge(
                kind, obj["metadata"]["name"], {"status": status}, obj["metadata"]["namespace"], "status"
            )


def _namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _is_ready(obj: Object) -> bool:
    status = obj.get("status") or {}
    return bool(status.get("observedGeneration") == obj["metadata"]["generation"])


@contextlib.contextmanager
def playing(api: Api, objects: Iterable[Object]) -> Iterator[Neighbours]:
    """The neighbours for as long as the context lasts; `objects` say which kinds the charts bring."""
    neighbours = Neighbours(api, foreign(objects))
    neighbours.start()
    try:
        yield neighbours
    finally:
        neighbours.stop()


class _Index(BaseHTTPRequestHandler):
    """The index of a chart repository in which nothing is."""

    def do_GET(self) -> None:
        body = b'apiVersion: v1\nentries: {}\ngenerated: "2026-01-01T00:00:00Z"\n'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        pass


@contextlib.contextmanager
def chart_repository() -> Iterator[str]:
    """The address of a chart repository, for the HelmRepositories."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Index)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(_JOIN_SECONDS)
        server.server_close()
