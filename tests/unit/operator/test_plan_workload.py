from __future__ import annotations

import json
from typing import Any

import pytest

from tenant_operator.core.errors import Reason
from tenant_operator.plan.workload import PodState, read_pod, summarize


def workload(
    kind: str, status: dict[str, Any] | None, replicas: int = 2, generation: int = 3
) -> dict[str, Any]:
    return {
        "kind": kind,
        "metadata": {"generation": generation, "labels": {"app.kubernetes.io/component": "scheduler"}},
        "spec": {"replicas": replicas},
        "status": status,
    }


UP = {
    "observedGeneration": 3,
    "replicas": 2,
    "updatedReplicas": 2,
    "availableReplicas": 2,
    "readyReplicas": 2,
}


@pytest.mark.parametrize(
    ("kind", "status", "ready", "detail"),
    [
        ("Deployment", UP, True, "2/2"),
        ("Deployment", None, False, "rolling out"),
        ("Deployment", UP | {"observedGeneration": 2}, False, "rolling out"),
        ("Deployment", UP | {"updatedReplicas": 1}, False, "1/2"),
        ("Deployment", UP | {"availableReplicas": 1}, False, "1/2"),
        ("Deployment", UP | {"availableReplicas": 1, "readyReplicas": 2}, False, "1/2"),
        ("Deployment", UP | {"replicas": 3}, False, "rolling out"),
        ("StatefulSet", UP, True, "2/2"),
        ("StatefulSet", UP | {"readyReplicas": 0}, False, "0/2"),
        (
            "StatefulSet",
            {
                "observedGeneration": 3,
                "replicas": 2,
                "readyReplicas": 2,
                "currentRevision": "a",
                "updateRevision": "a",
            },
            True,
            "2/2",
        ),
        (
            "StatefulSet",
            {
                "observedGeneration": 3,
                "replicas": 2,
                "readyReplicas": 2,
                "updatedReplicas": 1,
                "currentRevision": "a",
                "updateRevision": "b",
            },
            False,
            "1/2",
        ),
    ],
)
def test_a_rollout_is_ready_when_all_its_pods_are_new_and_up(
    kind: str, status: dict[str, Any] | None, ready: bool, detail: str
) -> None:
    found = summarize(workload(kind, status))
    assert (found.component, found.ready, found.detail) == ("scheduler", ready, detail)


def test_scaled_to_zero_is_ready() -> None:
    none = summarize(workload("Deployment", {"observedGeneration": 3}, replicas=0))
    assert (none.ready, none.serving) == (True, False)


def test_a_rollout_that_does_not_come_up_serves_as_long_as_an_older_pod_is_ready() -> None:
    rolling = summarize(workload("Deployment", UP | {"updatedReplicas": 1, "readyReplicas": 1}))
    assert (rolling.ready, rolling.serving) == (False, True)


@pytest.mark.parametrize(
    ("message", "reason", "words"),
    [
        (
            "pods x is forbidden: exceeded quota: q",
            Reason.QUOTA_EXCEEDED,
            "raise spec.quota.hard or ask for less",
        ),
        ("admission webhook denied", Reason.APPLY_REJECTED, "admission webhook denied"),
    ],
)
def test_pods_that_cannot_be_made_are_a_problem(message: str, reason: Reason, words: str) -> None:
    condition = {"type": "ReplicaFailure", "status": "True", "message": message}
    found = summarize(workload("Deployment", {"conditions": [condition]})).problem
    assert found is not None
    assert found.reason is reason
    assert words in found.message
    condition["status"] = "False"
    assert summarize(workload("Deployment", {"conditions": [condition]})).problem is None


@pytest.mark.parametrize(
    ("conditions", "ready", "failed", "detail"),
    [
        ([], False, False, ""),
        ([{"type": "Complete", "status": "True"}], True, False, ""),
        ([{"type": "Failed", "status": "True", "message": "too often"}], False, True, "too often"),
        ([{"type": "Failed", "status": "False", "message": "x"}], False, False, ""),
    ],
)
def test_a_job_is_running_complete_or_failed(
    conditions: list[dict[str, str]], ready: bool, failed: bool, detail: str
) -> None:
    found = summarize(workload("Job", {"conditions": conditions}))
    assert (found.ready, found.failed, found.detail) == (ready, failed, detail)


def pod(*containers: dict[str, Any], init: tuple[dict[str, Any], ...] = (), **more: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "labels": {"app.kubernetes.io/component": "scheduler"}},
        "spec": {"restartPolicy": more.pop("policy", "Always")},
        "status": {"containerStatuses": list(containers), "initContainerStatuses": list(init), **more},
    }


def container(name: str = "scheduler", **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "reg/a:b", "ready": False, "restartCount": 0, **more}


def waiting(reason: str, message: str = "words") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def ended(code: int = 1, message: str = "", reason: str = "Error") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "message": message, "reason": reason}}


TRACE = "Traceback (most recent call last):\n  File x\nAirflowConfigException: boom\n"
PROBLEMS: dict[str, tuple[dict[str, Any], Reason | None, str]] = {
    "running": (pod(container(ready=True, state={"running": {}})), None, ""),
    "starting": (pod(container(state=waiting("PodInitializing"))), None, ""),
    "image": (
        pod(container(state=waiting("ErrImagePull", "not  found"))),
        Reason.IMAGE_PULL_FAILED,
        "image reg/a:b cannot be pulled: check spec.airflow.image and its pullSecrets (not found)",
    ),
    "image again": (pod(container(state=waiting("ImagePullBackOff"))), Reason.IMAGE_PULL_FAILED, "reg/a:b"),
    "image name": (pod(container(state=waiting("InvalidImageName"))), Reason.IMAGE_PULL_FAILED, "reg/a:b"),
    "config": (
        pod(container(state=waiting("CreateContainerConfigError", 'secret "x" not found'))),
        Reason.CRASH_LOOPING,
        'container scheduler cannot start: secret "x" not found',
    ),
    "crash loop": (
        pod(container(state=waiting("CrashLoopBackOff"), lastState=ended(2, TRACE))),
        Reason.CRASH_LOOPING,
        "container scheduler keeps ending with code 2: AirflowConfigException: boom",
    ),
    "first restart": (pod(container(restartCount=1, state={"running": {}}, lastState=ended())), None, ""),
    "second restart": (
        pod(container(restartCount=2, state={"running": {}}, lastState=ended(1, "x"))),
        Reason.CRASH_LOOPING,
        "container scheduler keeps ending with code 1: x",
    ),
    "recovered": (
        pod(container(restartCount=9, ready=True, state={"running": {}}, lastState=ended())),
        None,
        "",
    ),
    "no words": (
        pod(container(state=waiting("CrashLoopBackOff"), lastState=ended(3, reason="Error"))),
        Reason.CRASH_LOOPING,
        "container scheduler keeps ending with code 3: Error",
    ),
    "memory": (
        pod(container(state=waiting("CrashLoopBackOff"), lastState=ended(137, "x", "OOMKilled"))),
        Reason.CRASH_LOOPING,
        "keeps ending with code 137: out of memory: raise its memory limit",
    ),
    "clean end": (pod(container(restartCount=5, state={"running": {}}, lastState=ended(0))), None, ""),
    "init container": (
        pod(init=(container("wait", state=waiting("CrashLoopBackOff"), lastState=ended(1, "no")),)),
        Reason.CRASH_LOOPING,
        "container wait keeps ending with code 1: no",
    ),
    "git": (
        pod(init=(container("git-sync-init-main", state=ended(1, "fatal: no such ref")),)),
        Reason.GIT_SYNC_FAILED,
        "spec.dags.sources[main].gitSync: git-sync fails: fatal: no such ref; "
        "check repo, ref and credentialsSecretRef",
    ),
    "git sidecar": (
        pod(init=(container("git-sync-main", restartCount=1, ready=True, lastState=ended(1, "x")),)),
        None,
        "",
    ),
    "attempt": (
        pod(container(state=ended(1, TRACE)), policy="Never"),
        Reason.MIGRATION_FAILED,
        "an attempt ended with code 1: AirflowConfigException: boom",
    ),
    "unschedulable": (
        pod(conditions=[{"reason": "Unschedulable", "status": "False", "message": "0/1 nodes"}]),
        Reason.UNSCHEDULABLE,
        "no node takes the pod: 0/1 nodes",
    ),
    "scheduled": (pod(conditions=[{"type": "PodScheduled", "status": "True"}]), None, ""),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_keeps_a_pod_from_running(name: str) -> None:
    given, reason, words = PROBLEMS[name]
    found = read_pod(given)
    assert found.component == "scheduler"
    assert (found.problem.reason if found.problem else None) is reason
    assert words in (found.problem.message if found.problem else "")


def test_a_pod_on_its_way_out_is_no_problem() -> None:
    given = PROBLEMS["image"][0]
    given = {**given, "metadata": {**given["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    assert read_pod(given) == PodState("scheduler", None, stray=True)


def test_a_pod_names_its_job() -> None:
    given = pod()
    given["metadata"]["labels"]["batch.kubernetes.io/job-name"] = "migrate-1"
    assert read_pod(given).job == "migrate-1"


def test_a_pod_that_a_workload_made_is_no_stray_and_one_at_work_is_known() -> None:
    given = pod()
    assert read_pod(given).stray
    given["metadata"]["ownerReferences"] = [{"kind": "Node", "name": "n"}]
    assert read_pod(given).stray
    given["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "r", "controller": True}]
    assert not read_pod(given).stray
    assert [
        read_pod({**given, "status": {"phase": phase}}).runs for phase in ("Pending", "Running", "Failed")
    ] == [
        False,
        True,
        False,
    ]


def test_a_database_serves_when_its_server_is_ready_whatever_the_exporter_does() -> None:
    def database(*, ready: bool, **metadata: str) -> PodState:
        exporter = container("metrics", state=waiting("ImagePullBackOff"))
        given = pod(container("postgresql", ready=ready), exporter)
        labels = {"app.kubernetes.io/component": "postgresql"}
        return read_pod({**given, "metadata": {"name": "p", "labels": labels, **metadata}})

    assert database(ready=True).serves
    assert not database(ready=False).serves
    assert not database(ready=True, deletionTimestamp="2026-01-01T00:00:00Z").serves


def test_a_pod_without_a_status_is_no_problem() -> None:
    assert read_pod({"metadata": {"name": "p"}}) == PodState("", None, stray=True)


def git_line(error: str) -> str:
    return json.dumps({"logger": "", "ts": "2026-01-01", "msg": "error syncing repo", "error": error})


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (
            git_line(
                'Run(git fetch): exit status 128: { stdout: "", stderr: "fatal: Authentication failed" }'
            ),
            "fatal: Authentication failed",
        ),
        (
            git_line('Run(git): { stdout: "", stderr: "remote: no\\nfatal: repository \\"x\\" not found" }'),
            'fatal: repository "x" not found',
        ),
        (git_line("context deadline exceeded"), "context deadline exceeded"),
        ('{"msg":"starting up"}\n' + git_line("no route to host") + "\n", "no route to host"),
        ("plain words\nlast line\n", "last line"),
        ("", "Error"),
    ],
)
def test_what_git_said_is_found_in_git_sync_s_log(log: str, words: str) -> None:
    found = read_pod(pod(init=(container("git-sync-init-main", state=ended(1, log)),))).problem
    assert found is not None
    assert found.message == (
        f"spec.dags.sources[main].gitSync: git-sync fails: {words}; check repo, ref and credentialsSecretRef"
    )


def test_messages_stay_short() -> None:
    found = read_pod(
        pod(container(state=waiting("CrashLoopBackOff"), lastState=ended(1, "x" * 9000)))
    ).problem
    assert found is not None
    assert len(found.message) < 500


def told(message: str) -> str:
    state = read_pod(pod(container(state=waiting("CrashLoopBackOff"), lastState=ended(1, message))))
    assert state.problem is not None
    return state.problem.message.removeprefix("container scheduler keeps ending with code 1: ")


FAILED = json.dumps(
    {
        "timestamp": "2026-11-21T15:00:00Z",
        "event": "Unhandled exception",
        "exception": [
            {"exc_type": "KeyError", "exc_value": "'a'", "frames": []},
            {"exc_type": "AirflowConfigException", "exc_value": 'section "x" is not there', "frames": ["f"]},
        ],
    },
    separators=(",", ":"),
)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (FAILED, 'AirflowConfigException: section "x" is not there'),
        (FAILED[-150:], 'AirflowConfigException: section "x" is not there'),
        ('{"event":"cannot bind to port 8080","level":"error"}', "cannot bind to port 8080"),
        ('{"level":"error"}', '{"level":"error"}'),
        ("[1, 2]", "[1, 2]"),
    ],
    ids=["exception", "cut-by-the-kubelet", "event", "neither", "no-object"],
)
def test_a_json_log_line_is_told_as_its_exception_or_event(line: str, words: str) -> None:
    assert told(f"starting\n{line}\n") == words
