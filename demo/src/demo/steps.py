"""The demo, step by step. Each step does only what is missing, so a second run is quick."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo import cluster, forwarder, gitserver, tenants
from demo.airflow_client import AirflowClient
from demo.cluster import Platform
from demo.console import Console, duration
from demo.errors import ApiError, DemoError
from demo.gitserver import GitServer
from demo.kube import Kube
from demo.process import wait_for
from demo.samples import (
    FIRST_MESSAGE,
    MANIFESTS,
    NEXT_DAG,
    NEXT_FOLDER,
    NEXT_MESSAGE,
    PAYMENTS,
    SAMPLES,
    Sample,
    ensure_secrets,
)

READY_SECONDS = 900.0
DAG_SECONDS = 180.0
RUN_SECONDS = 420.0
DRIFT_SECONDS = 180.0
ALREADY_SECONDS = 0.5
HAND_MADE_SLOTS = 99
API_PORT = 8080


@dataclass
class Demo:
    """What the steps share."""

    console: Console
    platform: Platform
    state: Path
    git: GitServer | None = None
    facts: dict[str, float] = field(default_factory=dict)

    @property
    def kube(self) -> Kube:
        """The cluster."""
        return self.platform.kube


@contextmanager
def airflow(kube: Kube, tenant: str, namespace: str) -> Iterator[AirflowClient]:
    """Yield a client that is logged in as the tenant's generated administrator, through a port forward."""
    account = gitserver.read_secret(kube, namespace, f"{tenant}-admin")
    if account is None:
        raise DemoError(f"the Secret {tenant}-admin is not in {namespace}: is the tenant Ready?")
    with kube.forward(namespace, f"svc/{tenant}-api-server", API_PORT) as url:
        yield AirflowClient(url, account["username"], account["password"])


def install(demo: Demo, values: Mapping[str, Any] | None = None) -> None:
    """Operator and Git server, with the teams' repositories in it; `values` go over the operator chart's."""
    console, kube = demo.console, demo.kube
    names = [sample.name for sample in SAMPLES]
    with console.step("operator and Git server"):
        cluster.install_operator(demo.platform, values)
        demo.git = GitServer.ensure(kube, demo.platform.images["git-server"], names)
        demo.git.wait()
        cluster.wait_operator(demo.platform)
    with console.step("the teams' Git repositories"):
        push_all(demo.git)


def push_all(git: GitServer) -> None:
    """Give every team's repository its first commit; side by side, for the wait is all latency."""
    with ThreadPoolExecutor(len(SAMPLES)) as pool:
        pushes = [pool.submit(git.push_first, s.name, s.repository, FIRST_MESSAGE) for s in SAMPLES]
        for push in pushes:
            push.result()


def apply_tenants(demo: Demo) -> None:
    """Secrets, then both tenants; then wait until they are Ready."""
    console, kube = demo.console, demo.kube
    if demo.git is None:
        raise DemoError("install comes first")
    with console.step("Secrets of the teams, and kubectl apply -k manifests/tenants/demo"):
        for sample in SAMPLES:
            ensure_secrets(kube, demo.git, sample)
        kube.kubectl("apply", "--server-side", "--field-manager=demo", "-k", str(MANIFESTS))
    console.say("  waiting for both to become Ready:")
    took = tenants.wait_ready(kube, [sample.name for sample in SAMPLES], console, seconds=READY_SECONDS)
    for name, seconds in took.items():
        if seconds < ALREADY_SECONDS:
            continue  # it was Ready before: nothing was measured
        demo.facts[f"{name}: apply to Ready"] = seconds


def run_dags(demo: Demo) -> None:
    """Start a run in each Airflow through its REST API and wait until both have succeeded."""
    console = demo.console
    for sample in SAMPLES:
        with (
            console.step(f"{sample.name}: run the DAG {sample.dag} by the REST API"),
            airflow(demo.kube, sample.name, sample.namespace) as client,
        ):
            demo.facts[f"{sample.name}: run of {sample.dag}"] = run_dag(client, sample)


def run_dag(client: AirflowClient, sample: Sample) -> float:
    """Wait for the sample's DAG, let it run, start it, and return the seconds until it succeeded."""
    wait_for(
        f"the DAG {sample.dag} of {sample.name}", lambda: quiet_dag(client, sample.dag), seconds=DAG_SECONDS
    )
    client.unpause(sample.dag)
    return client.wait_for_run(sample.dag, client.trigger(sample.dag), seconds=RUN_SECONDS)


def quiet_dag(client: AirflowClient, dag_id: str) -> dict[str, object] | None:
    """Return the DAG or None, also while the API server cannot answer."""
    try:
        return client.dag(dag_id)
    except ApiError as exc:
        if exc.status in (0, 500, 502, 503, 504):
            return None
        raise


def push_commit(demo: Demo) -> None:
    """Push a commit to the payments repository and watch the new DAG appear."""
    if demo.git is None:
        raise DemoError("install comes first")
    with (
        demo.console.step(f"git push: the DAG {NEXT_DAG} appears in payments"),
        airflow(demo.kube, PAYMENTS.name, PAYMENTS.namespace) as client,
    ):
        commit = gitserver.add_commit(
            demo.git, PAYMENTS.name, PAYMENTS.repository, FIRST_MESSAGE, NEXT_FOLDER, NEXT_MESSAGE
        )
        pushed = time.monotonic()
        wait_for(
            f"commit {commit[:7]} of {NEXT_DAG}",
            lambda: is_at_commit(client, NEXT_DAG, commit),
            seconds=DAG_SECONDS,
            poll=0.5,
            seen=lambda: quiet_dag(client, NEXT_DAG),
        )
        demo.facts["git push to visible"] = time.monotonic() - pushed


def is_at_commit(client: AirflowClient, dag_id: str, commit: str) -> bool:
    """Whether Airflow has parsed the DAG at this commit."""
    dag = quiet_dag(client, dag_id)
    return dag is not None and dag.get("bundle_version") == commit and not dag.get("is_stale")


def edit_pool(demo: Demo) -> None:
    """Change a pool by hand and watch the operator put it back."""
    name = "settlement_api"
    with (
        demo.console.step(f"the pool {name}, resized by hand, is put back"),
        airflow(demo.kube, PAYMENTS.name, PAYMENTS.namespace) as client,
    ):
        before = client.pool(name)
        if before is None:
            raise DemoError(f"the pool {name} is not there")
        client.set_pool_slots(name, HAND_MADE_SLOTS)
        edited = time.monotonic()
        wait_for(
            f"the pool {name} to have {before['slots']} slots again",
            lambda: (client.pool(name) or {}).get("slots") == before["slots"],
            seconds=DRIFT_SECONDS,
            poll=0.5,
        )
        demo.facts["pool edited by hand, put back"] = time.monotonic() - edited


def open_urls(demo: Demo) -> dict[str, str]:
    """Make Airflow's user interfaces reachable from this machine; return tenant -> URL."""
    wanted = {
        sample.name: {
            "namespace": sample.namespace,
            "target": f"svc/{sample.name}-api-server",
            "port": API_PORT,
            "local": sample.port,
        }
        for sample in SAMPLES
    }
    with demo.console.step("port forwards for your browser"):
        return forwarder.start(demo.state, demo.kube.kubectl_path, demo.kube.kubeconfig, wanted)


def facts_lines(facts: dict[str, float]) -> list[str]:
    """Return the measured times as lines."""
    width = max(map(len, facts), default=0)
    return [f"{what:<{width}}  {duration(seconds):>12}" for what, seconds in facts.items()]
