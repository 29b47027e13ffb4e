"""The states of a tenant as a real operator writes them: testdata of Argo CD's customization.

    python -m tests.manifests.argocd_capture    renew testdata/ and actions/testdata/ of AirflowTenant

The API server is real, and Airflow is, with a DAG processor over a folder as git-sync leaves it: commits in
the status are what Airflow parsed. Only pods are said to run, by a stand-in for the kubelet.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from tests.airflow.environment import ROOT
from tests.airflow.server import AirflowServer, wait_until
from tests.controller.kubelet import failing_git_sync
from tests.controller.process import eventually
from tests.controller.stack import Stack, TenantUnderTest, running

from tenant_operator.core import kinds, names

Object = dict[str, Any]

CUSTOMIZATION = ROOT / "manifests/argocd/resource_customizations/airflowtenants.io/AirflowTenant"
TESTDATA = CUSTOMIZATION / "testdata"
HEADER = "# Captured from a real operator by `python -m tests.manifests.argocd_capture`.\n"
MODULE = ROOT / "charts" / "airflow-tenant" / "files" / "tenant_bundles.py"
STAMP = "2026-01-01T00:00:00Z"
#: Argo CD's tests put this for the time at which an action ran.
NO_TIME = "0001-01-01T00:00:00Z"
V1, V2 = (hashlib.sha1(text, usedforsecurity=False).hexdigest() for text in (b"before", b"after"))
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_POD = re.compile(r"(Pod/[a-z-]+)-[a-z0-9]{6,10}-[a-z0-9]{5}\b")
_SECONDS = 90.0
_OWNER = {"team": "payments", "email": "payments@example.com"}
_SOURCE = {
    "name": "main",
    "gitSync": {
        "repo": "https://git.example.com/payments/airflow-dags.git",
        "ref": "main",
        "subPath": "dags",
    },
}
_NO_SUCH_REF = failing_git_sync(
    "Run(git fetch https://git.example.com/payments/airflow-dags.git release): "
    'exit status 128: { stdout: "", stderr: "fatal: couldn\'t find remote ref release" }'
)


@contextlib.contextmanager
def captured(folder: Path) -> Iterator[tuple[Stack, dict[str, Object]]]:
    """The running stack, and every state by the name of its file, as the API server gave it.

    Takes a minute or two: the operator sees some fifteen changes through.
    """
    airflow = _airflow(folder / "airflow")
    try:
        with running(folder / "stack", airflow_url=airflow.url) as stack:
            yield stack, _states(stack, airflow)
    finally:
        airflow.stop()


def clean(obj: Object) -> Object:
    """Without times, uids, resource versions, field managers and random parts of names."""
    metadata = obj["metadata"]
    kept = (
        "annotations",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generation",
        "name",
    )
    body = {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": obj["spec"],
        "status": obj["status"],
    }
    text = _POD.sub(r"\1-5b95599cd7-lg8z4", _TIME.sub(STAMP, json.dumps(body)))
    cleaned: Object = json.loads(text)
    return cleaned


def after_actions(found: Mapping[str, Object]) -> dict[str, Object]:
    """What actions must make of captured objects, by the name of the file."""
    return {
        f"{state}_{action}": _annotated(found[state], annotations)
        for state, action, annotations in (
            ("ready", "reconcile_now", {names.ANNOTATION_RECONCILE: NO_TIME}),
            ("ready", "sync_dags_now", {names.ANNOTATION_DAG_SYNC: NO_TIME}),
            ("ready", "suspend", {names.ANNOTATION_SUSPEND: "true"}),
            ("ready", "hibernate", {names.ANNOTATION_STATE: "Hibernated"}),
            ("ready", "roll_back_dags", {names.ANNOTATION_DAG_REVISIONS: f"main={V1}@{V2}"}),
            ("held", "follow_dags", {}),
            ("suspended", "resume", {names.ANNOTATION_SUSPEND: "false"}),
            ("suspended_by_annotation", "resume", {}),
            ("hibernated", "wake", {names.ANNOTATION_STATE: "Running"}),
            ("hibernated_by_annotation", "wake", {}),
        )
    }


def _annotated(obj: Object, annotations: Mapping[str, str]) -> Object:
    return {**obj, "metadata": {**obj["metadata"], "annotations": dict(annotations)}}


def render(obj: Object) -> str:
    """The text of a file of testdata."""
    return HEADER + yaml.safe_dump(obj, sort_keys=False, width=110, allow_unicode=True)


def _airflow(folder: Path) -> AirflowServer:
    """A real Airflow that has parsed one DAG of commit V1."""
    (folder / "config").mkdir(parents=True)
    (folder / "config" / MODULE.name).write_text(MODULE.read_text())
    publish(folder / "git", V1)
    bundle = {
        "name": "main",
        "classpath": "tenant_bundles.GitSyncDagBundle",
        "kwargs": {"root": str(folder / "git"), "subdir": "dags", "refresh_interval": 1},
    }
    airflow = AirflowServer.start(
        folder,
        {
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
            "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
        },
    )
    airflow.heartbeat("SchedulerJob", "TriggererJob")
    airflow.run("dag-processor")
    return airflow


def publish(root: Path, commit: str) -> None:
    """What git-sync does when it has another commit."""
    dags = root / ".worktrees" / commit / "dags"
    if not dags.exists():
        dags.mkdir(parents=True)
        text = f'from airflow.sdk import DAG\ndag = DAG("settlement", schedule=None, tags=["{commit[:7]}"])\n'
        (dags / "settlement.py").write_text(text)
    (root / "new").symlink_to(f".worktrees/{commit}")
    os.replace(root / "new", root / "current")


def _parsed(airflow: AirflowServer, commit: str) -> None:
    def version() -> bool:
        dags = airflow.call("GET", "/api/v2/dags?bundle_name=main")["dags"]
        return bool(dags) and dags[0]["bundle_version"] == commit

    wait_until(version, _SECONDS, lambda: airflow.log("dag-processor"))


def _states(stack: Stack, airflow: AirflowServer) -> dict[str, Object]:
    found: dict[str, Object] = {}
    found["new"] = _unseen(stack, lambda: TenantUnderTest(stack, "new").create(owner=_OWNER))
    broken = [("progressing", "postgresql", "containerStatuses", []),
              ("degraded", "scheduler", "initContainerStatuses", [_NO_SUCH_REF])]  # fmt: skip
    tenants = {
        name: TenantUnderTest(stack, name) for name in ("progressing", "degraded", "stalled", "suspended")
    }
    stack.tenants.extend(tenants.values())
    for name, component, field, statuses in broken:
        stack.kubelet.break_component(tenants[name].namespace, component, {field: statuses})
    tenants["progressing"].create(owner=_OWNER)
    tenants["degraded"].create(owner=_OWNER, dags={"sources": [_with_ref("release")]})
    tenants["stalled"].create(owner=_OWNER, airflow={"config": {"core": {"fernet_key": "x"}}})
    tenants["suspended"].create(owner=_OWNER, suspend=True)
    ready = _ready(stack, airflow)
    tenants["progressing"].wait("Reconciling", reason="DatabaseStarting", seconds=_SECONDS)
    tenants["degraded"].wait("Ready", "False", "GitSyncFailed", seconds=_SECONDS)
    tenants["stalled"].wait("Stalled", reason="InvalidSpec", seconds=_SECONDS)
    tenants["suspended"].until(lambda: tenants["suspended"].conditions()["Ready"]["reason"] == "Suspended")
    found |= {name: tenant.object for name, tenant in tenants.items()}
    return found | _life(stack, airflow, ready)


def _life(stack: Stack, airflow: AirflowServer, tenant: TenantUnderTest) -> dict[str, Object]:
    """What one tenant goes through, from Ready to its end."""
    found = {"ready": tenant.object}
    _annotate(tenant, names.ANNOTATION_DAG_REVISIONS, f"main={V1}")
    publish(airflow.directory / "git", V1)
    tenant.until(lambda: _source(tenant)["held"] and _source(tenant)["commit"] == V1, _SECONDS)
    tenant.wait("Ready", "True", seconds=_SECONDS)
    found["held"] = tenant.object
    _annotate(tenant, names.ANNOTATION_DAG_REVISIONS, None)
    tenant.until(lambda: not _source(tenant)["held"], _SECONDS)

    _annotate(tenant, names.ANNOTATION_SUSPEND, "true")
    tenant.until(lambda: tenant.conditions()["Ready"]["reason"] == "Suspended", _SECONDS)
    found["suspended_by_annotation"] = tenant.object
    _annotate(tenant, names.ANNOTATION_SUSPEND, None)
    tenant.wait("Ready", "True", "Succeeded", seconds=_SECONDS)

    _annotate(tenant, names.ANNOTATION_STATE, "Hibernated")
    tenant.wait("Ready", "True", "Hibernated", seconds=_SECONDS)
    found["hibernated_by_annotation"] = tenant.object
    _annotate(tenant, names.ANNOTATION_STATE, None)
    tenant.wait("Ready", "True", "Succeeded", seconds=_SECONDS)
    tenant.edit(state="Hibernated")
    tenant.wait("Ready", "True", "Hibernated", seconds=_SECONDS)
    found["hibernated"] = tenant.object
    tenant.edit(state="Running")
    tenant.wait("Ready", "True", "Succeeded", seconds=_SECONDS)

    _annotate(tenant, names.ANNOTATION_STATE, "asleep")
    tenant.wait("Stalled", reason="InvalidSpec", seconds=_SECONDS)
    found["stalled_by_annotation"] = tenant.object
    _annotate(tenant, names.ANNOTATION_STATE, None)
    tenant.wait("Ready", "True", "Succeeded", seconds=_SECONDS)

    found["changed"] = _unseen(stack, lambda: tenant.edit(pools=[{"name": "settlement_api", "slots": 4}]))
    pod = next(name for name in tenant.objects(kinds.POD) if name.startswith(f"{tenant.name}-scheduler-"))
    hold = {"metadata": {"finalizers": ["example.com/hold"]}}
    stack.api.merge(kinds.POD, pod, hold, tenant.namespace)
    tenant.delete()
    tenant.until(lambda: _left(tenant) == [pod], _SECONDS)
    found["deleting"] = tenant.object
    stack.api.merge(kinds.POD, pod, {"metadata": {"finalizers": None}}, tenant.namespace)
    tenant.wait_gone(_SECONDS)
    return found


def _ready(stack: Stack, airflow: AirflowServer) -> TenantUnderTest:
    """A tenant that is Ready at V2 and was at V1 before."""
    tenant = TenantUnderTest(stack, "payments")
    stack.tenants.append(tenant)
    tenant.prepare_namespace()
    stack.api.secret(
        f"{tenant.name}-operator",
        tenant.namespace,
        username=airflow.username,
        password=airflow.password,
        hmac_key="key",
    )
    _parsed(airflow, V1)
    tenant.create(
        owner=_OWNER,
        dags={"sources": [_SOURCE]},
        pools=[{"name": "settlement_api", "slots": 2}],
        sync={"interval": "1s"},
    )
    tenant.until(lambda: _source(tenant).get("commit") == V1, _SECONDS)
    publish(airflow.directory / "git", V2)
    tenant.until(lambda: _source(tenant).get("previousCommit") == V1, _SECONDS)
    tenant.wait("Ready", "True", "Succeeded", seconds=_SECONDS)
    return tenant


def _unseen(stack: Stack, change: Callable[[], Object]) -> Object:
    """What a change looks like before the operator has seen it: its process stands still meanwhile."""
    process = stack.operator.process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    try:
        eventually(lambda: _state(process.pid) == "T", _SECONDS, lambda: _state(process.pid), pause=0.01)
        return change()
    finally:
        process.send_signal(signal.SIGCONT)


def _state(pid: int) -> str:
    """The letter that Linux has for a process, see proc_pid_stat(5): T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _with_ref(ref: str) -> Object:
    return {**_SOURCE, "gitSync": {**_SOURCE["gitSync"], "ref": ref}}  # type: ignore[dict-item]


def _annotate(tenant: TenantUnderTest, annotation: str, value: str | None) -> None:
    tenant.api.merge(kinds.TENANT, tenant.name, {"metadata": {"annotations": {annotation: value}}})


def _left(tenant: TenantUnderTest) -> list[str]:
    """The pods that a deletion still waits for, as the status says."""
    ready = tenant.conditions()["Ready"]
    return re.findall(r"Pod/([^,]+)", ready["message"]) if ready["reason"] == "Deleting" else []


def _source(tenant: TenantUnderTest) -> Object:
    """The status of the only DAG source, empty while there is none."""
    return next(iter(tenant.status.get("dags") or []), {})


def main() -> None:
    """Renew the committed files."""
    with tempfile.TemporaryDirectory(prefix="capture-") as folder, captured(Path(folder)) as (_, raw):
        found = {name: clean(obj) for name, obj in raw.items()}
    for target, objects in ((TESTDATA, found), (CUSTOMIZATION / "actions/testdata", after_actions(found))):
        for old in target.glob("*.yaml"):
            old.unlink()
        for name, obj in objects.items():
            (target / f"{name}.yaml").write_text(render(obj))


if __name__ == "__main__":
    main()
