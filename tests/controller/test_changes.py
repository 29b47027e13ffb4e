"""Edits of a tenant: what must roll rolls, the rest is not touched; what fails leaves the earlier version."""

from __future__ import annotations

import itertools
import time
from collections import Counter

import pytest
from tests.controller.kubelet import container
from tests.controller.stack import Stack

from tenant_operator.core import kinds
from tenant_operator.core.kinds import Kind

_AIRFLOW = ("api-server", "dag-processor", "scheduler", "triggerer")
_BUDGETS = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")


def test_a_replica_count_touches_one_deployment(stack: Stack) -> None:
    tenant = stack.create("replicas")
    tenant.wait_released()
    before, jobs = tenant.generations(), tenant.objects(kinds.JOB).keys()

    tenant.edit(airflow={"triggerer": {"replicas": 2}})
    tenant.wait_released()

    after = tenant.generations()
    assert {name for name in after if after[name] != before[name]} == {f"{tenant.name}-triggerer"}
    assert tenant.objects(kinds.JOB).keys() == jobs, "no migration for a replica"
    assert tenant.status["release"]["revision"] == 2


def _calls(stack: Stack) -> Counter[str]:
    """What the operator has asked the Kubernetes API for so far: "METHOD code" -> how often."""
    found: Counter[str] = Counter()
    for (name, labels), value in stack.operator.metrics().items():
        if name == "airflow_operator_kube_api_requests_total":
            told = dict(labels)
            found[f"{told['method']} {told['code']}"] += int(value)
    return found


def test_a_one_value_change_costs_few_calls(stack: Stack) -> None:
    tenant = stack.create("calls")
    tenant.wait("Ready")
    stack.wait_alone(tenant)

    def change(cpu: str) -> Counter[str]:
        before, revision = _calls(stack), tenant.status["release"]["revision"]
        tenant.edit(airflow={"triggerer": {"resources": {"requests": {"cpu": cpu}}}})
        tenant.until(lambda: tenant.status["release"]["revision"] == revision + 1)
        tenant.wait("Ready")
        return _calls(stack) - before

    # once in five minutes the watches are opened anew, all at once: a call for each kind
    calls = min(change("60m"), change("70m"), key=Counter.total)
    # Every method and every code counts. Measured are 11 to 13: looks at the namespace and the Secrets (4),
    # the Deployment, the new Helm record and the label of the earlier one (3), and the status and its Events
    # while the rollout goes through its states. The target of 4 is not reached: bench/README.md says why.
    assert calls["PATCH 200"] >= 3, "the Deployment, the earlier record and the status are written at least"
    assert calls.total() <= 16, calls


@pytest.mark.parametrize("pause", [0.03, 0.1, 0.3])
def test_of_many_edits_in_a_row_the_last_one_counts(stack: Stack, pause: float) -> None:
    """An edit may arrive at any moment of a pass over an earlier one."""
    tenant = stack.create("hasty")
    tenant.wait_released()
    triggerer = f"{tenant.name}-triggerer"
    for replicas in (2, 3, 4, 5, 6, 7, 2, 3, 4, 5):
        generation = tenant.edit(airflow={"triggerer": {"replicas": replicas}})["metadata"]["generation"]
        time.sleep(pause)
        released = tenant.conditions()["ReleaseReady"]
        if (released["status"], released["observedGeneration"]) == ("True", generation):
            live = tenant.objects(kinds.DEPLOYMENT)[triggerer]
            assert live["spec"]["replicas"] == replicas, "it speaks of an edit that it has not seen"
    tenant.until(lambda: tenant.objects(kinds.DEPLOYMENT)[triggerer]["spec"]["replicas"] == 5)
    tenant.wait_released()
    assert tenant.objects(kinds.DEPLOYMENT)[triggerer]["spec"]["replicas"] == 5


def test_configuration_migrates_first_and_then_rolls_every_airflow_component(stack: Stack) -> None:
    tenant = stack.create("config")
    tenant.wait_released()
    before, (old,) = tenant.generations(), tenant.objects(kinds.JOB)

    tenant.edit(airflow={"config": {"core": {"parallelism": "7"}}})
    tenant.until(lambda: tenant.status["release"]["revision"] == 2)

    (new,) = tenant.objects(kinds.JOB)
    assert new != old, "the earlier Job is pruned"
    rolled = {name for name, generation in tenant.generations().items() if generation != before[name]}
    assert rolled == {
        f"{tenant.name}-{component}"
        for component in ("api-server", "dag-processor", "scheduler", "triggerer")
    }


def test_an_object_that_leaves_the_release_is_pruned(stack: Stack) -> None:
    tenant = stack.create("prune", airflow={"scheduler": {"replicas": 2}}, quota={"hard": {"pods": "50"}})
    tenant.wait_released()
    assert any(id_.kind == "ResourceQuota" for id_ in tenant.inventory())
    (budget,) = tenant.objects(_BUDGETS)

    tenant.edit(airflow={"scheduler": {"replicas": 1}}, quota=None)
    tenant.until(lambda: not tenant.objects(_BUDGETS))
    tenant.wait_released()

    assert not any(id_.kind in {"ResourceQuota", "PodDisruptionBudget"} for id_ in tenant.inventory())
    assert stack.api.list(Kind("v1", "ResourceQuota", "resourcequotas"), tenant.namespace) == []
    assert budget.startswith(tenant.name)


def test_what_a_release_that_never_came_up_left_is_pruned_even_after_a_restart(stack: Stack) -> None:
    tenant = stack.tenant("leftover")
    tenant.create()
    tenant.wait_released()
    stack.kubelet.break_component(tenant.namespace, "migrate-database", {"containerStatuses": []})
    tenant.edit(airflow={"config": {"core": {"parallelism": "7"}}})
    tenant.wait("MigrationsApplied", "False", "MigrationRunning")
    stack.operator.terminate()
    stack.operator.start()
    stuck = set(tenant.objects(kinds.JOB))
    stack.kubelet.mend_component(tenant.namespace, "migrate-database")
    tenant.edit(airflow={"config": {"core": {"parallelism": "23"}}})
    tenant.wait_released()
    tenant.until(lambda: len(tenant.objects(kinds.JOB)) == 1)
    assert not stuck & set(tenant.objects(kinds.JOB))


def test_a_failed_migration_leaves_the_earlier_version_serving(stack: Stack) -> None:
    tenant = stack.create("migration")
    tenant.wait_released()
    before = tenant.generations()
    words = "sqlalchemy.exc.OperationalError: no such column"
    ended = {"terminated": {"exitCode": 1, "reason": "Error", "message": words}}
    stack.kubelet.break_component(
        tenant.namespace,
        "migrate-database",
        {"phase": "Failed", "containerStatuses": [container("migrate-database", ended)]},
    )

    tenant.edit(airflow={"config": {"core": {"parallelism": "7"}}})
    # the Job may be known to have failed before its pod is: the pod has the words
    found = tenant.wait("MigrationsApplied", "False", "MigrationFailed", says=words)

    assert "spec.airflow" in found["message"]
    assert "the earlier version keeps serving" in found["message"]
    tenant.wait("Stalled", reason="MigrationFailed")
    assert tenant.conditions()["Ready"]["reason"] == "MigrationFailed"
    assert tenant.conditions()["ReleaseReady"]["observedGeneration"] == 1, "it speaks of the earlier spec"
    assert tenant.generations() == before
    assert tenant.status["release"]["revision"] == 1

    stack.kubelet.mend_component(tenant.namespace, "migrate-database")
    tenant.edit(airflow={"config": {"core": {"parallelism": "8"}}})
    tenant.wait_released()
    assert "Stalled" not in tenant.conditions()
    assert len(tenant.objects(kinds.JOB)) == 1


def test_a_migration_that_fails_once_is_told_while_it_is_tried_again(stack: Stack) -> None:
    """With the chart's own backoffLimit a Job gives up after minutes: that must not pass in silence."""
    tenant = stack.tenant("attempt")
    ended = {"terminated": {"exitCode": 1, "reason": "Error", "message": "database is read-only"}}
    stack.kubelet.break_component(
        tenant.namespace,
        "migrate-database",
        {"phase": "Running", "containerStatuses": [container("migrate-database", ended)]},
    )
    tenant.create()
    found = tenant.wait("MigrationsApplied", "False", "MigrationRunning", says="database is read-only")
    assert "attempt" in found["message"]


def test_suspended_nothing_changes_until_it_is_resumed(stack: Stack) -> None:
    tenant = stack.create("suspend")
    tenant.wait_released()
    tenant.edit(suspend=True)
    ready = tenant.wait("Ready", "", "Suspended")
    assert "spec.suspend" in ready["message"]
    before = tenant.generations()

    scheduler = f"{tenant.name}-scheduler"
    stack.api.merge(kinds.DEPLOYMENT, scheduler, {"spec": {"replicas": 0}}, tenant.namespace)
    tenant.edit(airflow={"triggerer": {"replicas": 3}})
    tenant.until(lambda: tenant.status["observedGeneration"] == tenant.object["metadata"]["generation"])
    changed = {name for name, generation in tenant.generations().items() if generation != before[name]}
    assert changed == {scheduler}, "only by hand"
    conditions = tenant.conditions()
    assert not {"Reconciling", "Stalled"} & conditions.keys()

    tenant.edit(suspend=False)
    tenant.wait_released()
    live = tenant.objects(kinds.DEPLOYMENT)
    assert live[scheduler]["spec"]["replicas"] == 1
    assert live[f"{tenant.name}-triggerer"]["spec"]["replicas"] == 3


def test_a_tenant_that_was_suspended_from_the_start_makes_nothing(stack: Stack) -> None:
    tenant = stack.create("asleep", suspend=True)
    tenant.wait("Ready", "Unknown", "Suspended")
    assert stack.api.find(kinds.NAMESPACE, tenant.namespace) is None


def test_each_turn_is_told_once(stack: Stack) -> None:
    tenant = stack.tenant("events")
    stack.kubelet.break_component(tenant.namespace, "postgresql", {"containerStatuses": []})
    tenant.create()
    tenant.until(lambda: tenant.events("DatabaseStarting"))
    stack.kubelet.mend_component(tenant.namespace, "postgresql")
    tenant.wait("Ready")
    stack.kubelet.break_component(tenant.namespace, "triggerer", {"containerStatuses": []})
    tenant.edit(airflow={"triggerer": {"replicas": 2}})
    tenant.until(lambda: tenant.conditions()["Ready"]["status"] != "True")
    stack.kubelet.mend_component(tenant.namespace, "triggerer")
    tenant.wait("Ready")
    tenant.until(lambda: len(tenant.events("Ready")) >= 2)
    told = [event["reason"] for event in tenant.events()]
    twice = [a for a, b in itertools.pairwise(told) if a == b]
    assert not twice, told
    assert told.count("DatabaseStarting") == 1
    assert all(event["source"]["component"] == "airflow-tenant-operator" for event in tenant.events())
