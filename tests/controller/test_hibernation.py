"""A tenant at rest: nothing of it runs, nothing of it is lost, and it comes back as the spec says by then."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.controller.kubelet import container
from tests.controller.process import ROOT
from tests.controller.stack import Stack, TenantUnderTest

from devcluster.tools import tool
from tenant_operator.core import kinds, names
from tenant_operator.core.kinds import RENDERED, Object

_HOLD = "example.com/hold"
_BUDGET = next(kind for kind in RENDERED if kind.kind == "PodDisruptionBudget")


def running(tenant: TenantUnderTest) -> list[str]:
    """Names of pods that have not ended."""
    pods = tenant.objects(kinds.POD)
    return sorted(
        name for name, pod in pods.items() if pod["status"].get("phase") not in {"Succeeded", "Failed"}
    )


def replicas(tenant: TenantUnderTest) -> dict[str, int]:
    """Wanted pods of each Deployment and StatefulSet, by component."""
    return {
        name.removeprefix(f"{tenant.name}-"): obj["spec"]["replicas"]
        for kind in (kinds.DEPLOYMENT, kinds.STATEFUL_SET)
        for name, obj in tenant.objects(kind).items()
    }


def kept(tenant: TenantUnderTest) -> dict[tuple[str, str], str]:
    """The uid of everything that a rest must leave alone: data, Secrets, Services, policies, Jobs."""
    rendered = (kind for kind in RENDERED if kind is not _BUDGET)
    found = [(kind.kind, obj) for kind in rendered for obj in tenant.objects(kind).values()]
    found += [("PersistentVolumeClaim", obj) for obj in tenant.api.list(kinds.PVC, tenant.namespace)]
    found += [("Secret", obj) for obj in tenant.objects(kinds.SECRET).values() if obj["type"] == "Opaque"]
    return {(kind, obj["metadata"]["name"]): obj["metadata"]["uid"] for kind, obj in found}


def wait_asleep(tenant: TenantUnderTest) -> Object:
    ready = tenant.wait("Ready", "True", "Hibernated")
    assert tenant.status["state"] == "Hibernated"
    return ready


def wait_awake(tenant: TenantUnderTest) -> None:
    tenant.wait_released()
    tenant.until(lambda: tenant.status["state"] == "Running")


def hold(stack: Stack, tenant: TenantUnderTest, component: str) -> str:
    """Keep a component's pod from going; returns its name."""
    (name,) = (name for name in running(tenant) if name.startswith(f"{tenant.name}-{component}-"))
    stack.api.merge(kinds.POD, name, {"metadata": {"finalizers": [_HOLD]}}, tenant.namespace)
    return name


def release(stack: Stack, tenant: TenantUnderTest, pod: str) -> None:
    stack.api.merge(kinds.POD, pod, {"metadata": {"finalizers": None}}, tenant.namespace)


def test_nothing_runs_nothing_is_lost_and_it_comes_back_as_it_was(stack: Stack) -> None:
    tenant = stack.create("rest", airflow={"executor": "KubernetesExecutor", "scheduler": {"replicas": 2}})
    wait_awake(tenant)
    before, wanted, there = tenant.status["release"]["revision"], replicas(tenant), kept(tenant)
    budgets = tenant.objects(_BUDGET)
    assert min(wanted.values()) > 0
    assert budgets
    assert ("PersistentVolumeClaim", f"data-{tenant.name}-postgresql-0") in there
    stack.kubelet.break_component(tenant.namespace, "worker", {"phase": "Failed"})
    tenant.task_pod("failed-task")
    tenant.until(lambda: tenant.objects(kinds.POD)["failed-task"]["status"]["phase"] == "Failed")
    stack.kubelet.mend_component(tenant.namespace, "worker")
    tenant.task_pod("running-task")
    tenant.until(lambda: tenant.events("Ready"))  # posted after the status: it belongs to what was before
    told = len(tenant.events())

    tenant.edit(state="Hibernated")
    ready = wait_asleep(tenant)
    assert "by spec.state" in ready["message"]
    assert "set it to Running to wake it" in ready["message"]
    assert not {"Reconciling", "Stalled"} & tenant.conditions().keys()
    assert set(replicas(tenant).values()) == {0}
    assert running(tenant) == []
    assert "failed-task" in tenant.objects(kinds.POD), "its log may still be read"
    assert kept(tenant) == there
    assert tenant.objects(_BUDGET) == {}

    def told_now() -> list[tuple[str, str]]:
        return [(event["type"], event["reason"]) for event in tenant.events()[told:]]

    tenant.until(lambda: len(told_now()) >= 2)  # Events are posted after the status
    assert told_now() == [("Normal", "Hibernating"), ("Normal", "Hibernated")], "Ready was never False"

    tenant.edit(state="Running")
    wait_awake(tenant)
    assert replicas(tenant) == wanted
    assert kept(tenant) == there, "the same volume and the same migration, which does not run again"
    assert tenant.objects(_BUDGET).keys() == budgets.keys()
    assert tenant.status["release"]["revision"] == before + 2
    assert "Hibernated" not in {condition["reason"] for condition in tenant.conditions().values()}


def test_the_database_goes_last_and_comes_first(stack: Stack) -> None:
    tenant = stack.create("order")
    wait_awake(tenant)
    pod = hold(stack, tenant, "scheduler")
    tenant.edit(state="Hibernated")
    tenant.wait("Ready", "Unknown", "Hibernating", says="scheduler still running")
    tenant.until(lambda: len(running(tenant)) == 2)
    tenant.wait("Reconciling", reason="Hibernating")
    assert tenant.status["state"] == "Hibernating"
    assert replicas(tenant).pop("postgresql") == 1
    release(stack, tenant, pod)
    wait_asleep(tenant)

    stack.kubelet.break_component(tenant.namespace, "postgresql", {"containerStatuses": []})
    tenant.edit(state="Running")
    tenant.wait("DatabaseReady", "False", "DatabaseStarting")
    tenant.wait("Ready", "False", "DatabaseStarting")
    assert tenant.status["state"] == "Waking"
    wanted = replicas(tenant)
    assert wanted.pop("postgresql") == 1
    assert set(wanted.values()) == {0}
    stack.kubelet.mend_component(tenant.namespace, "postgresql")
    wait_awake(tenant)


def test_a_task_that_takes_its_time_to_end_is_waited_for(stack: Stack) -> None:
    tenant = stack.create("task", airflow={"executor": "KubernetesExecutor"})
    wait_awake(tenant)
    tenant.task_pod("slow-task", finalizers=[_HOLD])
    tenant.edit(state="Hibernated")
    tenant.wait("Ready", "Unknown", "Hibernating", says="1 task pod(s) still running, first slow-task")
    assert tenant.objects(kinds.POD)["slow-task"]["metadata"]["deletionTimestamp"]
    release(stack, tenant, "slow-task")
    wait_asleep(tenant)
    assert running(tenant) == []


def test_a_rest_that_is_called_off_on_the_way_ends_awake(stack: Stack) -> None:
    tenant = stack.create("undecided")
    wait_awake(tenant)
    pod = hold(stack, tenant, "triggerer")
    tenant.edit(state="Hibernated")
    tenant.wait("Ready", "Unknown", "Hibernating")
    tenant.edit(state="Running")
    wait_awake(tenant)
    release(stack, tenant, pod)
    assert set(replicas(tenant).values()) == {1}


def test_the_annotation_wins_over_the_spec_and_says_so(stack: Stack) -> None:
    tenant = stack.create("annotated", state="Running")
    wait_awake(tenant)
    tenant.annotate(state="Hibernated")
    ready = wait_asleep(tenant)
    assert f"by metadata.annotations[{names.ANNOTATION_STATE}]" in ready["message"]
    assert running(tenant) == []
    tenant.annotate(state=None)
    wait_awake(tenant)

    tenant.edit(state="Hibernated")
    wait_asleep(tenant)
    tenant.annotate(state="Running")
    wait_awake(tenant)


def test_what_is_edited_meanwhile_holds_from_the_waking_on(stack: Stack) -> None:
    tenant = stack.create("edited", state="Hibernated")
    wait_asleep(tenant)
    (first,) = tenant.objects(kinds.JOB)
    tenant.edit(airflow={"image": {"tag": "3.3.2-ours"}, "triggerer": {"replicas": 2}})
    wait_asleep(tenant)
    ((name, job),) = tenant.objects(kinds.JOB).items()
    assert name != first
    assert job["spec"]["suspend"] is True, "a migration needs a database"
    assert tenant.objects(kinds.POD) == {}
    assert set(replicas(tenant).values()) == {0}

    tenant.annotate(suspend="perhaps")
    tenant.wait("Stalled", reason="InvalidSpec", says=names.ANNOTATION_SUSPEND)
    assert tenant.conditions()["Ready"]["status"] == "False"
    assert tenant.status["state"] == "Hibernated"
    assert tenant.objects(kinds.POD) == {}
    tenant.annotate(suspend=None)
    wait_asleep(tenant)

    tenant.edit(state="Running")
    wait_awake(tenant)
    assert tenant.objects(kinds.JOB)[name]["status"]["succeeded"] == 1
    triggerer = tenant.objects(kinds.DEPLOYMENT)[f"{tenant.name}-triggerer"]["spec"]
    assert triggerer["replicas"] == 2
    assert triggerer["template"]["spec"]["containers"][0]["image"].endswith(":3.3.2-ours")


def test_woken_into_a_migration_that_fails_says_that_nothing_runs_and_takes_the_way_back(
    stack: Stack,
) -> None:
    tenant = stack.create("rude-awakening")
    wait_awake(tenant)
    tenant.edit(state="Hibernated")
    wait_asleep(tenant)
    ended = {"terminated": {"exitCode": 1, "reason": "Error", "message": "no such column"}}
    broken = {"phase": "Failed", "containerStatuses": [container("migrate-database", ended)]}
    stack.kubelet.break_component(tenant.namespace, "migrate-database", broken)
    tenant.edit(state="Running", airflow={"config": {"core": {"parallelism": "7"}}})
    found = tenant.wait("Ready", "False", "MigrationFailed", says="no such column")
    tenant.wait("Stalled", reason="MigrationFailed")
    assert "nothing runs until it succeeds, or until the earlier image is back" in found["message"]
    assert "keeps serving" not in found["message"]
    assert tenant.status["state"] == "Waking"
    wanted = replicas(tenant)
    assert wanted.pop("postgresql") == 1
    assert set(wanted.values()) == {0}

    stack.kubelet.mend_component(tenant.namespace, "migrate-database")
    tenant.edit(airflow={"config": {"core": {"parallelism": None}}})
    wait_awake(tenant)


def test_who_wakes_a_part_by_hand_is_put_back_also_by_an_operator_that_has_just_started(stack: Stack) -> None:
    tenant = stack.create("poked")
    wait_awake(tenant)
    tenant.edit(state="Hibernated")
    wait_asleep(tenant)
    stack.operator.kill()
    scheduler = f"{tenant.name}-scheduler"
    stack.api.merge(kinds.DEPLOYMENT, scheduler, {"spec": {"replicas": 1}}, tenant.namespace)
    tenant.until(lambda: running(tenant))
    stack.operator.start()
    tenant.until(lambda: replicas(tenant)["scheduler"] == 0)
    tenant.until(lambda: not running(tenant))
    wait_asleep(tenant)


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_a_tenant_at_rest_can_be_deleted(stack: Stack, policy: str) -> None:
    tenant = stack.create("over", deletionPolicy=policy)
    wait_awake(tenant)
    secrets = tenant.secrets()
    tenant.edit(state="Hibernated")
    wait_asleep(tenant)
    tenant.delete()
    tenant.wait_gone(60)
    if policy == "Delete":
        assert stack.api.find(kinds.NAMESPACE, tenant.namespace) is None
        return
    assert tenant.secrets() == secrets
    assert stack.api.find(kinds.PVC, f"data-{tenant.name}-postgresql-0", tenant.namespace)
    assert not tenant.objects(kinds.DEPLOYMENT)


def test_suspended_at_rest_nothing_wakes_until_it_is_resumed(stack: Stack) -> None:
    tenant = stack.create("both", state="Hibernated")
    wait_asleep(tenant)
    tenant.edit(suspend=True)
    tenant.wait("Ready", "True", "Suspended")
    tenant.edit(state="Running")
    tenant.wait("Ready", "True", "Suspended")
    assert tenant.status["state"] == "Hibernated"
    assert set(replicas(tenant).values()) == {0}
    tenant.edit(suspend=False)
    wait_awake(tenant)


def nights(tenant: TenantUnderTest) -> tuple[str, list[Object]]:
    """The section of the documentation, and its manifest written for a tenant."""
    text = (ROOT / "docs/operations.md").read_text().partition("\n## Hibernate a tenant\n")[2]
    section = text.partition("\n## ")[0]
    (manifest,) = re.findall(r"```yaml\n(.+?)```", section, re.DOTALL)
    return section, list(yaml.safe_load_all(manifest.replace("payments", tenant.name)))


def test_the_documented_cron_job_puts_its_own_tenant_to_rest_and_no_other(stack: Stack) -> None:
    tenant, other = stack.create("nights"), stack.create("other")
    section, objects = nights(tenant)
    assert [obj["kind"] for obj in objects] == [
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "CronJob",
    ]
    applied = kubectl(stack, "apply", "--validate=strict", "-f", "-", given=yaml.safe_dump_all(objects))
    assert applied.count("created") == len(objects), "and no admission warning: the pod is a restricted one"
    assert "Warning" not in applied
    account, pod = objects[0]["metadata"], objects[3]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    token = kubectl(stack, "create", "token", account["name"], "-n", account["namespace"]).strip()
    # without the administrator's certificate, which would win over the token
    config = yaml.safe_load(stack.plane.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    own = stack.directory / f"{tenant.name}.kubeconfig"
    own.write_text(yaml.safe_dump(config))

    wait_awake(tenant)
    sleeps = pod["containers"][0]["args"]
    kubectl(stack, *sleeps, config=own)
    wait_asleep(tenant)
    assert "`airflowtenants.io/state-` as the last argument" in section
    wakes = [*sleeps[:-1], "airflowtenants.io/state-"]
    kubectl(stack, *wakes, config=own)
    wait_awake(tenant)
    kubectl(stack, *wakes, config=own)  # nothing to remove is no failure

    wrong = [other.name if argument.endswith(f"/{tenant.name}") else argument for argument in sleeps]
    wrong = [f"airflowtenant/{word}" if word == other.name else word for word in wrong]
    with pytest.raises(subprocess.CalledProcessError) as refused:
        kubectl(stack, *wrong, config=own)
    assert "Forbidden" in refused.value.stderr


def kubectl(stack: Stack, *arguments: str, given: str = "", config: Path | None = None) -> str:
    """Run kubectl, as the administrator or with another kubeconfig; what it says on both streams."""
    done = subprocess.run(
        [str(tool("kubectl")), "--kubeconfig", str(config or stack.plane.kubeconfig), *arguments],
        input=given,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout + done.stderr


def test_kubectl_get_tells_who_rests(stack: Stack) -> None:
    tenant = stack.create("column", state="Hibernated")
    wait_asleep(tenant)
    header, row = kubectl(stack, "get", "aft", tenant.name).splitlines()
    assert header.split()[:4] == ["NAME", "READY", "STATE", "STATUS"]
    assert row.split()[:3] == [tenant.name, "True", "Hibernated"]
    assert "hibernated by spec.state" in row
