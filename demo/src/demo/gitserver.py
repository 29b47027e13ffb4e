"""The Git server inside the cluster: its objects, its credentials, and pushing to it."""

from __future__ import annotations

import base64
import contextlib
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo import repository
from demo.errors import DemoError
from demo.kube import Json, Kube
from demo.repository import WorkingCopy

NAMESPACE = "git"
NAME = "git-server"
PORT = 8080
USERNAME = "airflow"


def in_cluster_url(team: str) -> str:
    """Return the repository's address for git-sync."""
    return f"http://{NAME}.{NAMESPACE}.svc.cluster.local:{PORT}/cgi-bin/git/{team}.git"


def read_secret(kube: Kube, namespace: str, name: str) -> dict[str, str] | None:
    """Return a Secret's data as text, or None when it is not there."""
    found = kube.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
    if found is None:
        return None
    return {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()}


def secret(namespace: str, name: str, data: dict[str, str]) -> Json:
    """Return a Secret's manifest."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "Opaque",
        "stringData": data,
    }


@dataclass(frozen=True, slots=True)
class GitServer:
    """A running Git server and how to log in to it."""

    kube: Kube
    username: str
    password: str = field(repr=False)

    @classmethod
    def ensure(
        cls, kube: Kube, image: str, teams: Sequence[str], *, pull_policy: str = "IfNotPresent"
    ) -> GitServer:
        """Apply the server's objects; the password is made once and kept in the cluster."""
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        kept = read_secret(kube, NAMESPACE, NAME)
        password = kept["password"] if kept else secrets.token_urlsafe(18)
        credentials = secret(NAMESPACE, NAME, {"username": USERNAME, "password": password})
        kube.apply(credentials, *objects(image, teams, pull_policy))
        return cls(kube, USERNAME, password)

    def wait(self, seconds: float = 120.0) -> None:
        """Wait until the server answers."""
        self.kube.kubectl(
            "-n", NAMESPACE, "rollout", "status", f"deployment/{NAME}", f"--timeout={seconds:.0f}s",
            timeout=seconds + 10,
        )  # fmt: skip

    @property
    def credentials(self) -> dict[str, str]:
        """What goes into a tenant's Secret for git-sync."""
        return {"username": self.username, "password": self.password}

    @contextlib.contextmanager
    def open(self, team: str, first: Path, message: str) -> Iterator[tuple[WorkingCopy, str]]:
        """Yield a working copy of a team's repository and the address to push to.

        The history starts with the folder ``first``. When the server has none, or one that started with
        something else, it is (re)started here and pushed; otherwise what the server has is kept.
        """
        token = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        remote = {"http.extraHeader": f"Authorization: Basic {token}"}
        with (
            self.kube.forward(NAMESPACE, f"svc/{NAME}", PORT) as base,
            tempfile.TemporaryDirectory(prefix="aft-git-") as scratch,
        ):
            url = f"{base}/cgi-bin/git/{team}.git"
            fresh = repository.start(Path(scratch) / "fresh", team, first, message, remote)
            yield _continued(fresh, Path(scratch) / "clone", url), url

    def push_first(self, team: str, first: Path, message: str) -> str:
        """Make sure that the team's repository has its first commit; return the current one."""
        with self.open(team, first, message) as (copy, _):
            return copy.head()


def _continued(fresh: WorkingCopy, directory: Path, url: str) -> WorkingCopy:
    """Return the server's history when it began like ``fresh``, else ``fresh`` itself, pushed."""
    there = repository.remote_head(fresh, url)
    if there == fresh.head():
        return fresh
    if there:
        copy = repository.clone(directory, fresh.team, url, fresh.remote)
        if repository.root_commit(copy) == fresh.head():
            return copy
    fresh.push(url, force=True)
    return fresh


def add_commit(server: GitServer, team: str, first: Path, opening: str, change: Path, message: str) -> str:
    """Push one more commit that lays ``change`` over the repository; return its hash.

    A last line in its files makes the commit a new one when the change is there already (a second run).
    """
    with server.open(team, first, opening) as (copy, url):
        repository.overlay(copy, change)
        number = copy.commits() + 1
        for file in sorted(change.rglob("*.py")):
            target = copy.directory / file.relative_to(change)
            target.write_text(f"{target.read_text(encoding='utf-8')}\n# commit {number}\n", encoding="utf-8")
        commit = copy.commit(message)
        copy.push(url)
        return commit


def objects(image: str, teams: Sequence[str], pull_policy: str) -> list[Json]:
    """Return the server's objects: a claim, a Deployment of one pod, a Service."""
    if not teams:
        raise DemoError("a Git server without repositories serves nobody")
    labels = {"app.kubernetes.io/name": NAME}
    meta: Json = {"name": NAME, "namespace": NAMESPACE, "labels": labels}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "256Mi"}}}
    service = {
        "selector": labels,
        "ports": [{"name": "http", "port": PORT, "targetPort": "http"}, {"name": "git", "port": 9418}],
    }
    return [
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": claim},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": service},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": meta,
            "spec": {
                "replicas": 1,
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": _pod(image, teams, pull_policy)},
            },
        },
    ]


def _pod(image: str, teams: Sequence[str], pull_policy: str) -> dict[str, Any]:
    def from_secret(key: str) -> Json:
        return {"valueFrom": {"secretKeyRef": {"name": NAME, "key": key}}}

    container = {
        "name": NAME,
        "image": image,
        "imagePullPolicy": pull_policy,
        "env": [
            {"name": "INIT_REPOS", "value": " ".join(teams)},
            {"name": "GIT_USER", **from_secret("username")},
            {"name": "GIT_PASSWORD", **from_secret("password")},
        ],
        "ports": [{"name": "http", "containerPort": PORT}, {"name": "git", "containerPort": 9418}],
        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 2},
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "repositories", "mountPath": "/srv/git"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - in the container
        ],
    }
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            {"name": "repositories", "persistentVolumeClaim": {"claimName": NAME}},
            {"name": "tmp", "emptyDir": {}},
        ],
    }
