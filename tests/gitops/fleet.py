"""One small company: a cluster, its Git repository, an Argo CD that follows it, and two teams with Airflows.

The repository is this project's HEAD and one commit more, ``environment/``: the platform team's own
environment ``test``, built over ``staging`` as any company would add one.
"""

from __future__ import annotations

import copy
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.docs import pages
from tests.e2e.support import Environment
from tests.git_remote import GIT_ENV
from tests.gitops import repository
from tests.gitops.argocd import ArgoCD
from tests.gitops.repository import Repository

from demo import cluster, gitserver, process
from demo.cluster import Platform
from demo.console import Console
from demo.gitserver import GitServer
from demo.kube import Json
from demo.samples import FIRST_MESSAGE, SAMPLES, Sample, namespace_object

HERE = Path(__file__).parent
FOLDER = repository.ROOT / "build" / "gitops"
TEST = "manifests/tenants/test"
PAGE = "docs/install/argocd.md"
TEAMS = tuple(f"airflow-{sample.name}" for sample in SAMPLES)
PLATFORM = ("platform", "argocd-config", "infrastructure-classes", "policies", "operator")


@dataclass(frozen=True)
class Fleet:
    """All of it. ``environment`` looks into the cluster as the end-to-end tests do."""

    environment: Environment
    argo: ArgoCD
    repo: Repository

    @property
    def platform(self) -> Platform:
        return self.environment.platform

    def install(self) -> None:
        """What is done by hand: the commands of the page under "Install", in a clone of the repository."""
        clone = FOLDER / "clone"
        shutil.rmtree(clone, ignore_errors=True)
        self.repo.remote.run("clone", "-q", self.repo.url, str(clone))
        self.follow_page("Install", clone)
        self.repo.pull()

    def follow_page(self, heading: str, clone: Path) -> None:
        """Run commands of the page; as it says, the cluster's name stands in the place of `staging`."""
        kubectl = self.platform.kube.kubectl_path.parent
        environment = {**self.platform.kube.environment, **GIT_ENV, "PATH": f"{kubectl}:{os.environ['PATH']}"}
        for command in pages.commands(PAGE, heading):
            words = [
                word.replace("/staging", "/test") for word in command.argv({"REPOSITORY": self.repo.url})
            ]
            process.run(words, directory=clone, environment=environment, timeout=1200)

    def tenant_file(self, name: str) -> str:
        """The file with a tenant's changes in this environment."""
        return f"{TEST}/{name}/dags.yaml"

    def change(self, name: str, spec: Mapping[str, Any], message: str) -> str:
        """Commit a change of a tenant's spec (whole keys of it) and have it applied; return the commit."""
        path = self.tenant_file(name)
        patch = yaml.safe_load(self.repo.read(path))
        patch["spec"].update(spec)
        self.repo.write(path, yaml.safe_dump(patch, sort_keys=False))
        return self.commit(message, f"airflow-{name}")

    def commit(self, message: str, *apps: str) -> str:
        """Commit what was written and tell these Applications, as a webhook would; return the commit."""
        commit = self.repo.commit(message)
        self.argo.refresh(*apps)
        return commit

    @contextmanager
    def taken_back(self, *apps: str) -> Iterator[None]:
        """Whatever is committed in the block is taken back at its end, also after a failure.

        The Applications are told; who goes on waits until they are at ``repo.head()``.
        """
        before = self.repo.head()
        try:
            yield
        finally:
            if self.repo.restore(before):
                self.argo.refresh(*apps)

    def spec(self, name: str) -> Json:
        """A tenant's spec as the cluster has it, to be changed."""
        return dict(copy.deepcopy(self.environment.tenant(name).raw["spec"]))


@contextmanager
def opened(platform: Platform, console: Console, *, keep: bool) -> Iterator[Fleet]:
    """Git server, Secrets, the company's repository and Argo CD; nothing of ours is applied yet.

    With ``keep`` the repository of the last time is served again, at its address.
    """
    if not keep:
        shutil.rmtree(FOLDER, ignore_errors=True)
    git = GitServer.ensure(platform.kube, platform.images["git-server"], [sample.name for sample in SAMPLES])
    git.wait()
    for sample in SAMPLES:
        git.push_first(sample.name, sample.repository, FIRST_MESSAGE)
        _fill_secrets(platform, git, sample)
    with repository.served(FOLDER, _port()) as repo:
        (FOLDER / "port").write_text(repo.url.rpartition(":")[2].partition("/")[0])
        if not (repo.directory / TEST).exists():
            commit_environment(repo, platform)
        argo = ArgoCD.start(platform.kube, FOLDER / "argocd")
        try:
            yield Fleet(Environment(platform, git, console), argo, repo)
        finally:
            argo.stop()


def _port() -> int:
    try:
        return int((FOLDER / "port").read_text())
    except (FileNotFoundError, ValueError):
        return 0


def commit_environment(repo: Repository, platform: Platform) -> str:
    """Add the environment ``test`` to the repository."""
    defaults = cluster.operator_values(platform.images)["tenantDefaults"]["images"]
    operator = cluster.split_reference(platform.images["operator"])
    repo.overlay(
        HERE / "environment",
        {
            "OPERATOR_REPOSITORY": operator["repository"],
            "OPERATOR_TAG": operator["tag"],
            "TENANT_IMAGES": json.dumps(defaults),
        },
    )
    registry = operator["repository"].rpartition("/")[0]
    changed = repo.replace_everywhere("'registry.example.com/'", f"'{registry}/'", "manifests/policies")
    assert changed, "the policies name no registry"
    demo = "manifests/tenants/demo"
    repo.write("manifests/tenants/small/small.yaml", repo.read(f"{demo}/small.yaml"))
    for sample in SAMPLES:
        own = yaml.safe_load(repo.read(f"{demo}/{sample.name}.yaml"))
        own["spec"]["dags"]["sources"][0]["gitSync"]["period"] = "1h"  # a commit comes when it is asked for
        repo.write(f"{TEST}/{sample.name}/dags.yaml", yaml.safe_dump(own, sort_keys=False))
    return repo.commit("Our environment")


def _fill_secrets(platform: Platform, git: GitServer, sample: Sample) -> None:
    """Make the Secrets that External Secrets would make of the company's store."""
    file = repository.ROOT / "manifests" / "tenants" / "base" / sample.name / "external-secrets.yaml"
    wanted: dict[str, dict[str, str]] = {}
    for item in filter(None, yaml.safe_load_all(file.read_text())):
        keys = [entry["secretKey"] for entry in item["spec"]["data"]]
        wanted[item["spec"]["target"]["name"]] = {key: _value(git, sample, key) for key in keys}
    wanted["git-credentials"] = dict(git.credentials)
    platform.kube.apply(namespace_object(sample))
    missing: list[Json] = [
        gitserver.secret(sample.namespace, name, data)
        for name, data in wanted.items()
        if gitserver.read_secret(platform.kube, sample.namespace, name) is None
    ]
    if missing:
        platform.kube.apply(*missing)


def _value(git: GitServer, sample: Sample, key: str) -> str:
    known = {"email": f"{sample.name}@example.com", "username": git.username, "host": "smtp.example.com"}
    return known.get(key) or secrets.token_urlsafe(18)
