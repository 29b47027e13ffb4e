"""On the way to rest and back: the operator ends, people change their minds, migrations take their time."""

from __future__ import annotations

import pytest
from tests.controller.kubelet import container
from tests.controller.stack import Stack, TenantUnderTest
from tests.controller.test_hibernation import hold, release, replicas, running, wait_asleep, wait_awake

from tenant_operator.core import kinds
from tenant_operator.core.kinds import Object

MIGRATION = "migrate-database"
#: What a migration looks like while it is at work.
AT_WORK = {"phase": "Running", "containerStatuses": [container(MIGRATION, {"running": {}}, ready=True)]}
#: A pod that is on its node and does not come up.
STARTING: Object = {"containerStatuses": []}


def pods(tenant: TenantUnderTest, component: str) -> list[str]:
    """Names of the pods of a component that have not ended."""
    return [name for name in running(tenant) if name.startswith(f"{tenant.name}-{component}-")]


def test_killed_on_the_way_to_sleep_it_goes_on_where_it_was(stack: Stack) -> None:
    tenant = stack.create("down")
    wait_awake(tenant)
    pod = hold(stack, tenant, "scheduler")
    tenant.edit(state="Hibernated")
    tenant.wait("Ready", "Unknown", "Hibernating", says="scheduler still running")
    stack.operator.kill()
    stack.operator.start()
    tenant.edit(airflow={"triggerer": {"replicas": 2}})
    tenant.wait("Ready", "Unknown", "Hibernating", says="scheduler still running")  # a pass of the new one
    assert tenant.status["state"] == "Hibernating"
    assert replicas(tenant)["postgresql"] == 1
    release(stack, tenant, pod)
    wait_asleep(tenant)
    assert running(tenant) == []


def test_killed_while_it_wakes_it_goes_on_where_it_was(stack: Stack) -> None:
    tenant = stack.create("up", state="Hibernated")
    wait_asleep(tenant)
    stack.kubelet.break_component(tenant.namespace, "postgresql", STARTING)
    tenant.edit(state="Running")
    tenant.wait("Ready", "False", "DatabaseStarting")
    assert tenant.status["state"] == "Waking"
    stack.operator.kill()
    stack.kubelet.mend_component(tenant.namespace, "postgresql")
    stack.operator.start()
    wait_awake(tenant)
    assert set(replicas(tenant).values()) == {1}


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_a_tenant_that_falls_asleep_can_be_deleted(stack: Stack, policy: str) -> None:
    tenant = stack.create("leaves", deletionPolicy=policy)
    wait_awake(tenant)
    pod = hold(stack, tenant, "scheduler")
    tenant.edit(state="Hibernated")
    tenant.wait("Ready", "Unknown", "Hibernating")
    tenant.delete()
    release(stack, tenant, pod)
    tenant.wait_gone()
    kept = stack.api.find(kinds.PVC, f"data-{tenant.name}-postgresql-0", tenant.namespace)
    assert (kept is None) is (policy == "Delete")


def test_suspended_on_the_way_to_sleep_it_goes_no_further_until_it_is_resumed(stack: Stack) -> None:
    tenant = stack.create("stopped")
    wait_awake(tenant)
    pod = hold(stack, tenant, "scheduler")
    tenant.edit(state="Hibernated")
    tenant.wait("Ready", "Unknown", "Hibernating", says="scheduler still running")
    tenant.edit(suspend=True)
    tenant.wait("Ready", "Unknown", "Suspended")
    release(stack, tenant, pod)
    tenant.until(lambda: not pods(tenant, "scheduler"))
    tenant.edit(airflow={"triggerer": {"replicas": 2}})
    tenant.wait("Ready", "Unknown", "Suspended")  # a pass that knew of the pod's end
    assert replicas(tenant)["postgresql"] == 1
    assert tenant.status["state"] == "Hibernating"
    tenant.edit(suspend=False)
    wait_asleep(tenant)


def test_a_migration_at_work_is_let_end_before_the_tenant_sleeps(stack: Stack) -> None:
    tenant = stack.create("migrates")
    wait_awake(tenant)
    stack.kubelet.break_component(tenant.namespace, MIGRATION, AT_WORK)
    tenant.edit(airflow={"image": {"tag": "3.3.2-ours"}})
    tenant.wait("MigrationsApplied", "False", "MigrationRunning")
    (pod,) = tenant.until(lambda: pods(tenant, "migrate"))
    tenant.until(lambda: tenant.objects(kinds.POD)[pod]["status"]["phase"] == "Running")
    tenant.edit(state="Hibernated")
    tenant.wait("Ready", "Unknown", "Hibernating", says="the database migration is let run to its end")
    assert pods(tenant, "migrate") == [pod]
    assert "deletionTimestamp" not in tenant.objects(kinds.POD)[pod]["metadata"]
    assert replicas(tenant).pop("postgresql") == 1
    stack.kubelet.break_component(
        tenant.namespace,
        MIGRATION,
        {"phase": "Succeeded", "containerStatuses": [container(MIGRATION, {"terminated": {"exitCode": 0}})]},
    )
    wait_asleep(tenant)
    stack.kubelet.mend_component(tenant.namespace, MIGRATION)
    tenant.edit(state="Running")
    wait_awake(tenant)
    job = pod.rpartition("-")[0]
    assert [name for name in tenant.objects(kinds.POD) if name.startswith(f"{job}-")] == [pod], "not again"


def test_a_migration_that_has_not_begun_keeps_nobody_from_sleep_and_runs_at_the_waking(stack: Stack) -> None:
    tenant = stack.create("waits")
    wait_awake(tenant)
    stack.kubelet.break_component(tenant.namespace, MIGRATION, STARTING)
    tenant.edit(airflow={"image": {"tag": "3.3.2-ours"}})
    tenant.wait("MigrationsApplied", "False", "MigrationRunning")
    tenant.edit(state="Hibernated")
    wait_asleep(tenant)
    assert running(tenant) == []

    tenant.edit(state="Running")
    tenant.wait("Ready", "False", "MigrationRunning")
    assert tenant.status["state"] == "Waking"
    wanted = replicas(tenant)
    assert wanted.pop("postgresql") == 1
    assert set(wanted.values()) == {0}
    stack.kubelet.mend_component(tenant.namespace, MIGRATION)
    wait_awake(tenant)
    assert tenant.status["release"]["digest"]


def test_a_pod_that_somebody_started_keeps_nobody_from_sleep(stack: Stack) -> None:
    tenant = stack.create("debugged")
    wait_awake(tenant)
    tenant.task_pod("debug", labels={"airflowtenants.io/tenant": tenant.name})
    tenant.until(lambda: tenant.objects(kinds.POD)["debug"]["status"].get("phase") == "Running")
    tenant.edit(state="Hibernated")
    wait_asleep(tenant)
    assert running(tenant) == ["debug"], "nor is it touched"
