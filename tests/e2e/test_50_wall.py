"""Teams cannot reach each other, and a task's pod reaches only what a task needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.e2e.support import COMPONENT, INSTANCE, Environment

from demo.kube import Json

SPACE = "airflow-analytics"


def toolbox(environment: Environment, name: str, labels: dict[str, str]) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": SPACE, "labels": labels},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "toolbox",
                    "image": environment.platform.images["toolbox"],
                    "imagePullPolicy": "IfNotPresent",
                    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }


@pytest.fixture(scope="module")
def pods(environment: Environment) -> Iterator[Environment]:
    """A stranger (no labels) and a pod that looks like a task of analytics."""
    environment.wait_ready("payments", "analytics")
    worker = {"app.kubernetes.io/name": "airflow-tenant", INSTANCE: "analytics", COMPONENT: "worker"}
    environment.kube.apply(toolbox(environment, "stranger", {}), toolbox(environment, "task", worker))
    environment.kube.kubectl(
        "-n", SPACE, "wait", "--for=condition=Ready", "pod/stranger", "pod/task", "--timeout=60s"
    )
    yield environment
    environment.kube.kubectl("-n", SPACE, "delete", "pod", "stranger", "task", "--wait=false")


def reach(environment: Environment, pod: str, host: str, port: int) -> bool:
    """Whether a TCP connection from the pod to host:port opens within three seconds."""
    script = f"timeout 3 bash -c 'exec 3<>/dev/tcp/{host}/{port}' 2>/dev/null && echo open || echo closed"
    return environment.kube.kubectl("-n", SPACE, "exec", pod, "--", "bash", "-c", script).strip() == "open"


OTHER = "airflow-payments.svc.cluster.local"
OWN = "airflow-analytics.svc.cluster.local"


@pytest.mark.covers("S003-22")
@pytest.mark.parametrize(
    ("pod", "host", "port", "allowed"),
    [
        pytest.param("task", f"payments-postgresql.{OTHER}", 5432, False, id="task-other-database"),
        pytest.param("task", f"payments-api-server.{OTHER}", 8080, False, id="task-other-api"),
        pytest.param("task", f"analytics-postgresql.{OWN}", 5432, False, id="task-own-database"),
        pytest.param("task", f"analytics-api-server.{OWN}", 8080, True, id="task-own-api"),
        pytest.param("task", "git-server.git.svc.cluster.local", 8080, True, id="task-git"),
        pytest.param("task", "kubernetes.default.svc.cluster.local", 443, False, id="task-kubernetes-api"),
        pytest.param("stranger", f"payments-postgresql.{OTHER}", 5432, False, id="stranger-other-database"),
        pytest.param("stranger", f"payments-api-server.{OTHER}", 8080, False, id="stranger-other-api"),
        pytest.param("stranger", f"analytics-postgresql.{OWN}", 5432, False, id="stranger-own-database"),
        pytest.param("stranger", f"analytics-api-server.{OWN}", 8080, False, id="stranger-own-api"),
    ],
)
def test_the_wall(pods: Environment, pod: str, host: str, port: int, allowed: bool) -> None:
    assert reach(pods, pod, host, port) is allowed


def test_a_closed_port_is_closed_by_the_wall_and_not_by_chance(pods: Environment) -> None:
    """The addresses that the wall closes do listen: from the scheduler's pod its own database is open."""
    script = "import socket; socket.create_connection(('analytics-postgresql', 5432), 3)"
    pods.kube.kubectl(
        "-n", SPACE, "exec", "deployment/analytics-scheduler", "-c", "scheduler", "--", "python", "-c", script
    )
