"""A control plane, the operator with its own rights on it, a kubelet, and words for using them."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from tests.controller.api import Api, Refused
from tests.controller.kubelet import FakeKubelet
from tests.controller.process import ROOT, Operator, eventually

from devcluster.controlplane import ControlPlane
from devcluster.tools import tool
from tenant_operator.core import kinds, names
from tenant_operator.core.kinds import Kind, Object, ObjectId

OPERATOR_NAMESPACE = "airflow-tenants-system"
OPERATOR_RELEASE = "airflow-tenant-operator"
CRD = ROOT / "operator" / "crd" / "airflowtenants.airflowtenants.io.yaml"
CHARTS = ROOT / "charts"
#: A port of the loopback interface on which nobody listens: connections are refused at once.
NOWHERE = "http://127.0.0.1:9"
WAIT = 120.0
_PLURALS = {
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "ServiceAccount": "serviceaccounts",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass
class Stack:
    """What a session of tests shares. Tenants of different tests have different names."""

    directory: Path
    plane: ControlPlane
    api: Api
    kubelet: FakeKubelet
    operator: Operator
    tenants: list[TenantUnderTest] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def tenant(self, prefix: str = "t") -> TenantUnderTest:
        """A name that no other test has; nothing is created yet."""
        made = TenantUnderTest(self, f"{prefix}-{next(self._numbers)}")
        self.tenants.append(made)
        return made

    def create(self, prefix: str = "t", **spec: Any) -> TenantUnderTest:
        """A new tenant."""
        made = self.tenant(prefix)
        made.create(**spec)
        return made

    def clean(self) -> None:
        """Begin to delete what tests have made; the next test has names of its own, so nobody waits."""
        for tenant in self.tenants:
            with contextlib.suppress(Refused):
                self.api.merge(
                    kinds.TENANT, tenant.name, {"spec": {"deletionPolicy": "Delete", "suspend": False}}
                )
            self.api.delete(kinds.TENANT, tenant.name)
            self.kubelet.forget(tenant.namespace)
        self.tenants.clear()

    def wait_alone(self, tenant: TenantUnderTest) -> None:
        """Until what earlier tests left is gone, so that the operator's counters speak of one tenant."""

        def others() -> list[str]:
            return [t["metadata"]["name"] for t in self.api.list(kinds.TENANT)
                    if t["metadata"]["name"] != tenant.name]  # fmt: skip

        eventually(lambda: not others(), 90, others)

    def helm(self, *arguments: str) -> Any:
        """Run the real helm as the administrator; JSON output parsed."""
        done = subprocess.run(
            [str(tool("helm")), *arguments],
            env={**os.environ, "KUBECONFIG": str(self.plane.kubeconfig)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if "json" in arguments else done.stdout

    def restart_api_server(self) -> None:
        """Stop the whole control plane and start it again on the same data and ports."""
        self.plane.stop()
        server = self.plane.server
        self.plane = ControlPlane.start(self.directory / "cluster")
        assert self.plane.server == server, "it came back on another port"


@dataclass
class TenantUnderTest:
    """One AirflowTenant and what a test wants to know of it."""

    stack: Stack
    name: str
    own_namespace: str = ""

    @property
    def namespace(self) -> str:
        return self.own_namespace or f"airflow-{self.name}"

    @property
    def api(self) -> Api:
        return self.stack.api

    def create(self, **spec: Any) -> Object:
        """Create it; `spec` goes over a minimal one."""
        full = {"owner": {"team": "team"}, "suspend": False, "deletionPolicy": "Retain", **spec}
        if "namespace" in spec:
            self.own_namespace = spec["namespace"].get("name", "")
        return self.api.create(kinds.TENANT, {"metadata": {"name": self.name}, "spec": full})

    def edit(self, **spec: Any) -> Object:
        """Merge patch of the spec."""
        return self.api.merge(kinds.TENANT, self.name, {"spec": spec})

    def delete(self) -> None:
        self.api.delete(kinds.TENANT, self.name)

    def annotate(self, **annotations: str | None) -> None:
        """Set annotations of ours by the last part of their names, `_` for `-`; None removes one."""
        named = {f"{names.GROUP}/{key.replace('_', '-')}": value for key, value in annotations.items()}
        self.api.merge(kinds.TENANT, self.name, {"metadata": {"annotations": named}})

    def task_pod(self, name: str, **metadata: Any) -> Object:
        """A pod as the KubernetesExecutor makes one: with the tenant's labels, and owned by nobody."""
        labels = {names.LABEL_TENANT: self.name, names.LABEL_COMPONENT: "worker"}
        restricted = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        sizes = {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"memory": "1Mi"}}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": self.namespace, "labels": labels, **metadata},
            "spec": {
                "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [
                    {"name": "base", "image": "x", "resources": sizes, "securityContext": restricted}
                ],
            },
        }
        return self.api.create(kinds.POD, pod)

    def prepare_namespace(self, **annotations: str) -> None:
        """The namespace, handed over to the tenant, before the tenant exists."""
        self.api.create(
            kinds.NAMESPACE,
            {
                "metadata": {
                    "name": self.namespace,
                    "annotations": {names.ANNOTATION_TENANT: self.name, **annotations},
                }
            },
        )

    @property
    def object(self) -> Object:
        return self.api.get(kinds.TENANT, self.name)

    @property
    def status(self) -> Object:
        status: Object = self.object.get("status") or {}
        return status

    def conditions(self) -> dict[str, Object]:
        """Conditions by type."""
        return {condition["type"]: condition for condition in self.status.get("conditions") or []}

    def wait(
        self, condition: str, status: str = "True", reason: str = "", *, says: str = "", seconds: float = WAIT
    ) -> Object:
        """The condition, once it is so for the present spec (an empty text: anything); returns it."""

        def look() -> Object | None:
            tenant = self.object
            its = tenant.get("status") or {}
            if its.get("observedGeneration") != tenant["metadata"]["generation"]:
                return None
            found: Object | None = next(
                (c for c in its.get("conditions") or [] if c["type"] == condition), None
            )
            if found is None or status not in ("", found["status"]) or reason not in ("", found["reason"]):
                return None
            if found["observedGeneration"] != tenant["metadata"]["generation"]:
                return None
            return found if says in found["message"] else None

        found = eventually(look, seconds, self.explain)
        assert found is not None
        return found

    def wait_released(self, seconds: float = WAIT) -> None:
        """All components of the present spec are up, and the release is recorded."""
        self.wait("ReleaseReady", seconds=seconds)
        eventually(lambda: self.status["release"]["revision"], seconds, self.explain)

    def wait_gone(self, seconds: float = WAIT) -> None:
        eventually(lambda: self.api.find(kinds.TENANT, self.name) is None, seconds, self.explain)

    def explain(self) -> str:
        """What a failing test shows."""
        found = self.api.find(kinds.TENANT, self.name)
        status = yaml.safe_dump((found or {}).get("status"))
        return f"{self.name}:\n{status}\n--- operator ---\n{self.stack.operator.tail()}"

    def events(self, reason: str = "") -> list[Object]:
        """Events about this tenant, oldest first."""
        tenant = self.api.find(kinds.TENANT, self.name)
        uid = tenant["metadata"]["uid"] if tenant else None
        found = [
            event
            for event in self.api.list(kinds.EVENT, "default")
            if event["involvedObject"]["name"] == self.name
            and (uid is None or event["involvedObject"]["uid"] == uid)
            and reason in ("", event["reason"])
        ]
        return sorted(found, key=lambda event: int(event["metadata"]["resourceVersion"]))

    def inventory(self) -> list[ObjectId]:
        """The ids in the status."""
        return [ObjectId.parse(entry) for entry in self.status.get("inventory") or []]

    def objects(self, kind: Kind) -> dict[str, Object]:
        """Live objects of a kind that carry the tenant's label, by name."""
        found = self.api.list(kind, self.namespace, f"{names.LABEL_TENANT}={self.name}")
        return {obj["metadata"]["name"]: obj for obj in found}

    def generations(self) -> dict[str, int]:
        """Generations of Deployments and StatefulSets: one that does not move was not rolled."""
        return {
            name: obj["metadata"]["generation"]
            for kind in (kinds.DEPLOYMENT, kinds.STATEFUL_SET)
            for name, obj in self.objects(kind).items()
        }

    def secrets(self) -> dict[str, Object]:
        """The data of the generated Secrets by name."""
        return {
            name: obj["data"] for name, obj in self.objects(kinds.SECRET).items() if obj["type"] == "Opaque"
        }

    def until(self, look: Callable[[], Any], seconds: float = WAIT) -> Any:
        """The first true value of `look`, explained by the tenant's state when it does not come."""
        return eventually(look, seconds, self.explain)


def operator_environment(directory: Path, airflow_url: str = NOWHERE) -> dict[str, str]:
    """The settings of an operator that runs as a process; its quick chart goes to ``directory``."""
    return {
        "HELM": str(tool("helm")),
        "CHART_PATH": str(quick_chart(directory)),
        "OPERATOR_NAMESPACE": OPERATOR_NAMESPACE,
        "OPERATOR_SERVICE_ACCOUNT": OPERATOR_RELEASE,
        "AIRFLOW_URL_TEMPLATE": airflow_url,
    }


@contextlib.contextmanager
def running(directory: Path, *, airflow_url: str = NOWHERE, **environment: str) -> Iterator[Stack]:
    """A whole stack for as long as the context lasts."""
    with contextlib.ExitStack() as stack:
        plane = ControlPlane.start(directory / "cluster")
        made: list[Stack] = []
        # A restart puts another plane into its place.
        stack.callback(lambda: [(made[0].plane if made else plane).stop()])
        api = stack.enter_context(Api(plane))
        install(api, plane)
        kubelet = FakeKubelet(api)
        kubelet.start()
        stack.callback(kubelet.stop)
        operator = Operator(
            kubeconfig=own_kubeconfig(plane),
            log=directory / "operator.log",
            port=free_port(),
            environment=operator_environment(directory, airflow_url) | environment,
        )
        made.append(Stack(directory, plane, api, kubelet, operator))
        stack.callback(lambda: operator.process and operator.kill())
        operator.start()
        yield made[0]


def quick_chart(directory: Path) -> Path:
    """The tenant chart with one value changed: the migration Job fails at once, not after ten minutes."""
    copy = directory / "airflow-tenant"
    shutil.copytree(CHARTS / "airflow-tenant", copy, dirs_exist_ok=True)
    values = (copy / "values.yaml").read_text()
    head, mark, tail = values.partition("\nmigrateDatabaseJob:\n")
    assert mark, "values.yaml has no migrateDatabaseJob"
    lines = tail.splitlines()
    index = next(i for i, line in enumerate(lines) if line.startswith("  backoffLimit:"))
    lines[index] = "  backoffLimit: 0"
    (copy / "values.yaml").write_text(head + mark + "\n".join(lines) + "\n")
    return copy


def install(api: Api, plane: ControlPlane) -> None:
    """The kind, the operator's rights and the policies about it, as the operator's chart makes them."""
    api.create(kinds.NAMESPACE, {"metadata": {"name": OPERATOR_NAMESPACE}})
    crd = yaml.safe_load(CRD.read_text())
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd['metadata']['name']}"
    api.apply(path, crd)
    rendered = subprocess.run(
        [str(tool("helm")), "template", OPERATOR_RELEASE, str(CHARTS / "tenant-operator"),
         "--namespace", OPERATOR_NAMESPACE],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    for obj in yaml.safe_load_all(rendered):
        if obj and obj["kind"] in _PLURALS:
            kind = Kind(
                obj["apiVersion"],
                obj["kind"],
                _PLURALS[obj["kind"]],
                namespaced=obj["kind"] == "ServiceAccount",
            )
            api.apply(kind.path(obj["metadata"].get("namespace", ""), obj["metadata"]["name"]), obj)
    eventually(lambda: _served(api), 20.0, lambda: "the kind is not served")
    eventually(lambda: _held(plane), WAIT, lambda: "the policies about the operator are not in force", 0.2)


def _held(plane: ControlPlane) -> bool:
    """Whether the policies about the operator are in force: new ones are looked for about once a second."""
    user = f"system:serviceaccount:{OPERATOR_NAMESPACE}:{OPERATOR_RELEASE}"
    done = subprocess.run(
        [str(tool("kubectl")), "--kubeconfig", str(plane.kubeconfig), "create", "namespace", "probe",
         "--dry-run=server", "--as", user],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return "ValidatingAdmissionPolicy" in done.stderr


def _served(api: Api) -> bool:
    try:
        api.list(kinds.TENANT)
    except Refused:
        return False
    return True


def own_kubeconfig(plane: ControlPlane) -> Path:
    """A kubeconfig of the operator's ServiceAccount: it has its chart's rights and no others."""
    done = subprocess.run(
        [str(tool("kubectl")), "--kubeconfig", str(plane.kubeconfig), "create", "token", OPERATOR_RELEASE,
         "--namespace", OPERATOR_NAMESPACE, "--duration", "24h"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    config = yaml.safe_load(plane.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": done.stdout.strip()}
    file = plane.directory / "operator.kubeconfig"
    file.write_text(yaml.safe_dump(config))
    file.chmod(0o600)
    return file
