"""A third tenant: created while the operator is killed, deleted with its data kept, found again, removed."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.e2e.support import Environment, path, scratch_tenant

from demo import cluster, gitserver
from demo.kube import TENANTS, names
from demo.process import wait_for
from devcluster.node.cgroups import Tree
from devcluster.target import DevclusterTarget

NAME = "scratch"
SPACE = "airflow-scratch"
GENERATED = {
    f"{NAME}-{what}"
    for what in ("fernet-key", "api-secret-key", "jwt-secret", "metadata", "admin", "operator")
}
DELETE_SECONDS = 180.0
OPERATOR_LABEL = f"app.kubernetes.io/instance={cluster.OPERATOR}"


def kill_operator(environment: Environment) -> None:
    """End the operator in the middle of its work.

    On our own node its process gets SIGKILL, as from a kernel that runs out of memory: no handler runs, and
    the kubelet starts the container again. Elsewhere its pod is deleted by force: SIGTERM, and SIGKILL two
    seconds later, for the kubelet gives no less.
    """
    target = environment.platform.target
    if isinstance(target, DevclusterTarget):
        members = Tree.of(target.node.spec.cgroup).members
        for pid in wait_for("the operator's process", lambda: operator_processes(members()), seconds=60):
            os.kill(pid, signal.SIGKILL)
        return
    killed = environment.kube.kubectl(
        "-n", cluster.OPERATOR_NAMESPACE, "delete", "pod", "-l", OPERATOR_LABEL, "--grace-period=0", "--force"
    )  # fmt: skip
    assert "force deleted" in killed, "nobody was killed"


def operator_processes(pids: Iterable[int]) -> list[int]:
    """Return those of some processes that run the operator; empty while it is not running."""
    found = []
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended meanwhile
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"tenant_operator" in words:
                found.append(pid)
    return found


def restarts(environment: Environment) -> int:
    """Return how often the containers of the operator's pods were started again."""
    pods = environment.kube.items(
        path(cluster.OPERATOR_NAMESPACE, "v1", "pods"), labelSelector=OPERATOR_LABEL
    )
    return sum(status["restartCount"] for pod in pods for status in pod["status"]["containerStatuses"])


def secrets(environment: Environment) -> dict[str, str]:
    """Return digests of the generated Secrets: a failing test must not print what they hold."""
    found = {name: gitserver.read_secret(environment.kube, SPACE, name) for name in sorted(GENERATED)}
    return {
        name: hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
        for name, data in found.items()
        if data is not None
    }


def passed(environment: Environment, gate: str) -> bool:
    return environment.tenant(NAME).is_condition(gate, "True")


def wait_gone(environment: Environment) -> None:
    wait_for(
        "the tenant's end",
        lambda: environment.kube.get(f"{TENANTS}/{NAME}") is None,
        seconds=DELETE_SECONDS,
        seen=lambda: environment.kube.get(f"{TENANTS}/{NAME}"),
    )


@pytest.mark.timeout(900, func_only=True)
def test_an_operator_that_is_killed_again_and_again_still_finishes(environment: Environment) -> None:
    before = restarts(environment)
    environment.kube.apply(scratch_tenant(NAME))
    for gate in ("NamespaceReady", "DatabaseReady", "MigrationsApplied"):
        wait_for(gate, functools.partial(passed, environment, gate), seconds=300, poll=0.2)
        kill_operator(environment)
    cluster.wait_operator(environment.platform)
    environment.wait_ready(NAME, seconds=600)
    if isinstance(environment.platform.target, DevclusterTarget):
        assert restarts(environment) == before + 3
    assert set(secrets(environment)) == GENERATED
    migrations = environment.kube.items(path(SPACE, "batch/v1", "jobs"))
    assert len([job for job in migrations if "migrate" in job["metadata"]["name"]]) == 1
    claims = names(environment.kube.items(path(SPACE, "v1", "persistentvolumeclaims")))
    assert len(claims) == 1


@pytest.mark.timeout(900, func_only=True)
def test_a_retained_tenant_leaves_its_data_and_one_of_the_same_name_finds_it(
    environment: Environment,
) -> None:
    environment.wait_ready(NAME)
    with environment.airflow(NAME) as client:
        client.request("POST", "/api/v2/variables", {"key": "kept", "value": "yes", "description": None})
    before = secrets(environment)
    claim = environment.kube.items(path(SPACE, "v1", "persistentvolumeclaims"))[0]["metadata"]

    environment.kube.delete(f"{TENANTS}/{NAME}")
    wait_gone(environment)
    assert environment.kube.get(f"/api/v1/namespaces/{SPACE}") is not None
    assert environment.kube.get(path(SPACE, "v1", "persistentvolumeclaims", claim["name"])) is not None
    assert secrets(environment) == before
    wait_for(
        "the end of everything that runs",
        lambda: not environment.kube.items(path(SPACE, "v1", "pods")),
        seconds=120,
        seen=lambda: names(environment.kube.items(path(SPACE, "v1", "pods"))),
    )
    for group, plural in (("apps/v1", "deployments"), ("apps/v1", "statefulsets"), ("v1", "services")):
        assert names(environment.kube.items(path(SPACE, group, plural))) == []

    environment.kube.apply(scratch_tenant(NAME))
    environment.wait_ready(NAME, seconds=600)
    assert secrets(environment) == before
    now = environment.kube.items(path(SPACE, "v1", "persistentvolumeclaims"))[0]["metadata"]
    assert now["uid"] == claim["uid"]
    with environment.airflow(NAME) as client:
        variable = client.find("/api/v2/variables/kept")
    assert variable is not None
    assert variable["value"] == "yes"


def test_a_deleted_tenant_with_policy_delete_leaves_nothing(environment: Environment) -> None:
    environment.patch(NAME, {"deletionPolicy": "Delete"})
    environment.kube.delete(f"{TENANTS}/{NAME}")
    wait_gone(environment)
    wait_for(
        "the namespace's end",
        lambda: environment.kube.get(f"/api/v1/namespaces/{SPACE}") is None,
        seconds=DELETE_SECONDS,
    )
    volumes = environment.kube.items("/api/v1/persistentvolumes")
    wait_for(
        "the end of its volumes",
        lambda: (
            not [
                volume
                for volume in environment.kube.items("/api/v1/persistentvolumes")
                if (volume["spec"].get("claimRef") or {}).get("namespace") == SPACE
            ]
        ),
        seconds=60,
        seen=lambda: names(volumes),
    )


def test_a_namespace_of_somebody_else_is_refused(environment: Environment) -> None:
    environment.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "somebody-elses"}})
    environment.kube.apply(scratch_tenant("thief", namespace={"name": "somebody-elses"}))
    try:
        condition = environment.wait_condition(
            "thief", "NamespaceReady", "False", "NamespaceTaken", seconds=60
        )
        assert "somebody-elses" in condition.message
        assert "airflowtenants.io/tenant" in condition.message
        time.sleep(2)
        assert names(environment.kube.items(path("somebody-elses", "v1", "secrets"))) == []
    finally:
        environment.kube.delete(f"{TENANTS}/thief")
        wait_for("its end", lambda: environment.kube.get(f"{TENANTS}/thief") is None, seconds=60)
    assert environment.kube.get("/api/v1/namespaces/somebody-elses") is not None
    environment.kube.delete("/api/v1/namespaces/somebody-elses")
