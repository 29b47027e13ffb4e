"""API calls and CPU of the operator per create, per one-value change and at rest.

Runs the real operator against a real API server without a node; pods are declared running by the
tests' stand-in for a kubelet. Calls are counted by the operator's own metrics (watches apart), CPU by
the operating system. `python -m bench.operator_calls [TENANTS]` prints a table.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import yaml
from tests.controller.kubelet import FakeKubelet

from devcluster.controlplane import ControlPlane
from devcluster.tools import tool
from tenant_operator.adapters.kube import KubeClient, connect
from tenant_operator.adapters.system import SystemClock
from tenant_operator.core import kinds
from tenant_operator.core.metrics import Metrics

ROOT = Path(__file__).parent.parent
DEADLINE = 300.0


class Operator:
    """The operator as a process of its own."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "HELM": str(tool("helm")),
            "CHART_PATH": str(ROOT / "charts/airflow-tenant"),
            "METRICS_HOST": "127.0.0.1",
            "METRICS_PORT": str(self.port),
            "AIRFLOW_URL_TEMPLATE": "http://127.0.0.1:9",
        }
        self.log = (folder / "operator.log").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tenant_operator"], env=environment, stderr=self.log
        )

    def __enter__(self) -> Operator:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                self.get("/readyz")
            except OSError:
                time.sleep(0.1)
            else:
                return self
        raise TimeoutError("the operator does not become ready")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(20)
        self.log.close()

    def get(self, path: str) -> str:
        """The body of one of the operator's pages."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            text: str = answer.read().decode()
            return text

    def calls(self) -> dict[str, int]:
        """Requests so far, by method."""
        found: dict[str, int] = {}
        pattern = r'^airflow_operator_kube_api_requests_total{code="\w+",method="(\w+)"} (\S+)$'
        for method, count in re.findall(pattern, self.get("/metrics"), re.M):
            found[method] = found.get(method, 0) + int(float(count))
        return found

    def cpu(self) -> float:
        """CPU seconds so far, its Helm processes included."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")

    def rss(self) -> float:
        """Resident memory in MiB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", text)
        return int(found.group(1)) / 1024 if found else 0.0


def tenant(name: str, pool: int) -> dict[str, object]:
    """A sample tenant; `pool` is the value that the change changes."""
    return {
        "apiVersion": "airflowtenants.io/v1alpha1",
        "kind": "AirflowTenant",
        "metadata": {"name": name},
        "spec": {
            "owner": {"team": name},
            "airflow": {"executor": "LocalExecutor", "triggerer": {"replicas": pool}},
            "dags": {
                "sources": [{"name": "main", "gitSync": {"repo": f"https://git.example.com/{name}.git"}}]
            },
        },
    }


async def _released(kube: KubeClient, names: list[str], generation: int) -> None:
    deadline = time.monotonic() + DEADLINE
    waiting = set(names)
    while waiting and time.monotonic() < deadline:
        for item in await kube.list(kinds.TENANT):
            status = item.get("status") or {}
            up = any(
                c["type"] == "ReleaseReady"
                and c["status"] == "True"
                and c["observedGeneration"] == generation
                for c in status.get("conditions") or []
            )
            if up and status.get("release", {}).get("revision"):
                waiting.discard(item["metadata"]["name"])
        await asyncio.sleep(0.2)
    if waiting:
        raise TimeoutError(f"not released: {sorted(waiting)}")


async def _measure(operator: Operator, kube: KubeClient, count: int) -> None:
    names = [f"bench-{index}" for index in range(count)]
    await _row("create", operator, kube, names, 1, 1)
    await _row("change one value", operator, kube, names, 2, 2)
    await _rest(operator)
    print(f"operator's memory: {operator.rss():.0f} MiB with {count} tenants")
    objects = (await kube.get(kinds.TENANT, names[0]))["status"]["inventory"]
    print(f"objects of a release: {len(objects)} (and a namespace, 6 Secrets, a Helm record)")


async def _row(
    label: str, operator: Operator, kube: KubeClient, names: list[str], value: int, generation: int
) -> None:
    calls, cpu, started = operator.calls(), operator.cpu(), time.monotonic()
    for name in names:
        await kube.apply(kinds.TENANT, tenant(name, value))
    await _released(kube, names, generation)
    await asyncio.sleep(1)
    took = time.monotonic() - started
    after = operator.calls()
    by_method = {method: (after[method] - calls.get(method, 0)) / len(names) for method in sorted(after)}
    total = sum(by_method.values())
    details = " ".join(f"{method} {number:.1f}" for method, number in by_method.items() if number)
    milliseconds = (operator.cpu() - cpu) * 1000 / len(names)
    print(f"{label:<18} {total:6.1f} calls ({details}), {milliseconds:6.0f} CPU-ms per tenant, {took:.1f} s")


async def _rest(operator: Operator) -> None:
    calls, cpu = sum(operator.calls().values()), operator.cpu()
    await asyncio.sleep(15)
    # The Airflows of this bench do not exist; asking them again reads the tenant's Secrets each time.
    print(
        f"{'no change (15 s)':<18} {sum(operator.calls().values()) - calls:6.1f} calls, "
        f"{(operator.cpu() - cpu) / 15 * 100:.2f} % of a core"
    )


async def _main(count: int) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        plane = stack.enter_context(ControlPlane.start(folder / "cp"))
        kube = KubeClient(await connect(kubeconfig=str(plane.kubeconfig)), SystemClock(), Metrics())
        crd = yaml.safe_load((ROOT / "operator/crd/airflowtenants.airflowtenants.io.yaml").read_text())
        definition = kinds.Kind(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            "customresourcedefinitions",
            namespaced=False,
        )
        await kube.apply(definition, crd)
        await asyncio.sleep(2)
        operator = stack.enter_context(Operator(plane.kubeconfig, folder))
        kubelet = asyncio.create_task(FakeKubelet(kube).run())
        try:
            await _measure(operator, kube, count)
        finally:
            kubelet.cancel()
            await kube.close()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
