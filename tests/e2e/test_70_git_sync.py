"""The contract between the tenant chart and git-sync v4, written from its documentation.

It holds for the stand-in of the development cluster and for the real program: name that one in
``GIT_SYNC_IMAGE`` (for example ``registry.k8s.io/git-sync/git-sync:v4.4.2``, where the cluster can pull it).
https://github.com/kubernetes/git-sync
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence

import pytest
from tests.e2e.support import GIT_SECRET, Environment, path

from demo import gitserver
from demo.kube import Json
from demo.process import wait_for
from demo.samples import FIRST_MESSAGE, PAYMENTS

SPACE = "git-sync-contract"
REPO = gitserver.in_cluster_url("payments")
USER = "--username=airflow"
PASSWORD = "--password-file=/etc/git/password"
FAILURES = {
    "bad-repo": [f"--repo={gitserver.in_cluster_url('no-such')}", "--one-time", USER, PASSWORD],
    "bad-ref": [f"--repo={REPO}", "--ref=no-such-ref", "--one-time", USER, PASSWORD],
    "gives-up": [f"--repo={gitserver.in_cluster_url('no-such')}", "--period=1s", USER, PASSWORD],
    "no-repo": [],
    "bad-flag": ["--no-such-flag"],
}


def image(environment: Environment) -> str:
    return os.environ.get("GIT_SYNC_IMAGE") or environment.platform.images["git-sync-standin"]


def container(name: str, image: str, arguments: Sequence[str] = ()) -> Json:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        **({"args": [*arguments, f"--root=/git/{name}"]} if arguments or name in FAILURES else {}),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsUser": 65533,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "git", "mountPath": "/git"},
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "credentials", "mountPath": "/etc/git", "readOnly": True},
        ],
    }


def pod(name: str, init: Sequence[Json], containers: Sequence[Json]) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": SPACE},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 2,
            "securityContext": {
                "runAsNonRoot": True,
                "fsGroup": 65533,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "initContainers": list(init),
            "containers": list(containers),
            "volumes": [
                {"name": "git", "emptyDir": {}},
                {"name": "tmp", "emptyDir": {}},
                {"name": "credentials", "secret": {"secretName": GIT_SECRET}},
            ],
        },
    }


@pytest.fixture(scope="module")
def contract(environment: Environment) -> Iterator[Environment]:
    kube, git_sync = environment.kube, image(environment)
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    kube.apply(gitserver.secret(SPACE, GIT_SECRET, environment.git.credentials))
    once = ["--link=current", "--one-time", "--touch-file=touched"]
    stays = ["--link=current", "--period=1s", "--max-failures=-1", "--http-bind=:2020", "--http-metrics"]
    common = [f"--repo={REPO}", "--ref=main", USER, PASSWORD]
    kube.apply(
        pod(
            "good",
            [container("once", git_sync, [*common, *once])],
            [
                container("stays", git_sync, [*common, *stays]),
                container("toolbox", environment.platform.images["toolbox"]),
            ],
        ),
        pod("failures", [], [container(name, git_sync, arguments) for name, arguments in FAILURES.items()]),
    )
    yield environment
    kube.delete(f"/api/v1/namespaces/{SPACE}")


def statuses(environment: Environment, name: str, kind: str = "containerStatuses") -> dict[str, Json]:
    found = environment.kube.get(path(SPACE, "v1", "pods", name)) or {}
    return {status["name"]: status["state"] for status in found.get("status", {}).get(kind, [])}


def shell(environment: Environment, script: str) -> str:
    return environment.kube.kubectl(
        "-n", SPACE, "exec", "good", "-c", "toolbox", "--", "sh", "-c", script
    ).strip()


@pytest.fixture(scope="module")
def running(contract: Environment) -> Environment:
    wait_for("the good pod", lambda: "running" in statuses(contract, "good").get("toolbox", {}), seconds=120)
    return contract


@pytest.fixture(scope="module")
def ended(contract: Environment) -> dict[str, Json]:
    def all_ended() -> dict[str, Json] | None:
        found = statuses(contract, "failures")
        done = len(found) == len(FAILURES) and all("terminated" in state for state in found.values())
        return found if done else None

    return wait_for("the failures", all_ended, seconds=120, seen=lambda: statuses(contract, "failures"))


def test_one_time_ends_with_zero_and_leaves_the_documented_layout(running: Environment) -> None:
    assert statuses(running, "good", "initContainerStatuses")["once"]["terminated"]["exitCode"] == 0
    target = shell(running, "readlink /git/once/current")
    folder, _, commit = target.rpartition("/")
    assert folder == ".worktrees", "the link is relative, so that it works under another mount path"
    assert len(commit) == 40
    assert int(commit, 16)
    assert (
        shell(running, f"ls -d /git/once/.git /git/once/.worktrees/{commit}/dags /git/once/touched").count(
            "\n"
        )
        == 2
    )


def test_it_serves_health_and_metrics(running: Environment) -> None:
    wait_for(
        "health",
        lambda: shell(running, "wget -qO /dev/null http://127.0.0.1:2020/ && echo ok || true") == "ok",
        seconds=120,
    )
    metrics = shell(running, "wget -qO- http://127.0.0.1:2020/metrics")
    assert 'git_sync_count_total{status="success"} 1' in metrics
    assert 'git_sync_duration_seconds_count{status="success"} 1' in metrics


def test_a_push_flips_the_link_and_removes_the_old_worktree(running: Environment) -> None:
    before = shell(running, "readlink /git/stays/current")
    with running.git.open("payments", PAYMENTS.repository, FIRST_MESSAGE) as (copy, url):
        (copy.directory / "NOTES.md").write_text(f"after {before}\n")
        commit = copy.commit("Notes")
        copy.push(url)
    wait_for(
        "the flip",
        lambda: shell(running, "readlink /git/stays/current") == f".worktrees/{commit}",
        seconds=120,
    )
    wait_for(
        "the end of the old worktree",
        lambda: shell(running, "ls /git/stays/.worktrees") == commit,
        seconds=120,
        seen=lambda: shell(running, "ls /git/stays/.worktrees"),
    )


@pytest.mark.parametrize("name", ["bad-repo", "bad-ref", "gives-up"])
def test_without_more_failures_allowed_it_ends_with_one_and_says_why(
    contract: Environment, ended: dict[str, Json], name: str
) -> None:
    assert ended[name]["terminated"]["exitCode"] == 1
    log = contract.kube.kubectl("-n", SPACE, "logs", "failures", "-c", name)
    last = [json.loads(line) for line in log.splitlines() if line.startswith("{")][-1]
    assert "too many failures, aborting" in last["msg"]
    assert last["error"]


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("no-repo", 1, "required flag: --repo must be specified"),
        ("bad-flag", 2, "unknown flag: --no-such-flag"),
    ],
)
def test_wrong_arguments_are_named(
    contract: Environment, ended: dict[str, Json], name: str, code: int, said: str
) -> None:
    assert ended[name]["terminated"]["exitCode"] == code
    assert said in contract.kube.kubectl("-n", SPACE, "logs", "failures", "-c", name)
