"""The operator may end at any moment, and the API server may go away: all comes to the same end."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from tests.controller.asking import GIT, annotate, handled
from tests.controller.exec_node import exec_node
from tests.controller.process import eventually
from tests.controller.stack import Stack, TenantUnderTest

from tenant_operator.core import kinds

#: Moments of a create at which the operator is killed.
MOMENTS: dict[str, Callable[[TenantUnderTest], object]] = {
    "namespace": lambda tenant: tenant.api.find(kinds.NAMESPACE, tenant.namespace),
    "first Secret": lambda tenant: tenant.api.list(kinds.SECRET, tenant.namespace),
    "first ServiceAccount": lambda tenant: tenant.objects(kinds.RENDERED[0]),
    "database": lambda tenant: tenant.objects(kinds.STATEFUL_SET),
    "migration": lambda tenant: tenant.objects(kinds.JOB),
    "first Deployment": lambda tenant: tenant.objects(kinds.DEPLOYMENT),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_in_the_middle_of_a_create_it_goes_on_with_the_same_keys(stack: Stack, moment: str) -> None:
    tenant = stack.create("killed")
    eventually(lambda: MOMENTS[moment](tenant), 30, tenant.explain, pause=0.002)
    stack.operator.kill()
    made = tenant.secrets()

    stack.operator.start()
    tenant.wait_released(60)

    assert made.items() <= tenant.secrets().items()
    assert len(tenant.secrets()) == 6
    assert tenant.status["release"]["revision"] == 1
    history = stack.helm("history", tenant.name, "-n", tenant.namespace, "-o", "json")
    assert [(entry["revision"], entry["status"]) for entry in history] == [(1, "deployed")]


def test_killed_while_it_deletes_it_goes_on(stack: Stack) -> None:
    tenant = stack.create("killdelete")
    tenant.wait_released()
    tenant.delete()
    eventually(lambda: "deletionTimestamp" in (tenant.api.find(kinds.TENANT, tenant.name) or {}).get(
        "metadata", {"deletionTimestamp": 1}), 10, tenant.explain, pause=0.002)  # fmt: skip
    stack.operator.kill()
    stack.operator.start()
    tenant.wait_gone()
    assert len(tenant.secrets()) == 6


def test_killed_between_two_tries_of_a_fetch_it_goes_on_and_answers_once(stack: Stack) -> None:
    tenant = stack.create("retried", dags={"sources": [GIT]})
    tenant.wait_released()
    with exec_node(stack, "retried-node") as node:
        node.failure = "kill: no such process"
        pods = node.take(tenant)
        annotate(tenant, dag_sync_requested_at="now")
        tenant.until(lambda: tenant.events("DagSyncDelayed"))
        stack.operator.kill()
        assert tenant.status.get("lastHandledDagSyncAt", "") == ""
        node.failure = ""
        node.runs.clear()

        stack.operator.start()
        handled(tenant, "lastHandledDagSyncAt", "now")
        assert node.told() == pods
        tenant.until(lambda: tenant.events("DagSyncRequested"))  # the status may be there first

        stack.operator.kill()
        node.runs.clear()
        stack.operator.start()
        annotate(tenant, reconcile_requested_at="now")
        handled(tenant, "lastHandledReconcileAt", "now")
        assert not node.runs, "what the status says is not done again"
    assert len(tenant.events("DagSyncRequested")) == 1
    assert not tenant.events("DagSyncFailed")


def test_killed_while_git_sync_is_told_it_tells_it_again(stack: Stack) -> None:
    """Whether the signal came through is not known: one fetch too many is better than none."""
    tenant = stack.create("untold", dags={"sources": [GIT]})
    tenant.wait_released()
    with exec_node(stack, "untold-node") as node:
        pods = node.take(tenant)
        node.hold()
        annotate(tenant, dag_sync_requested_at="now")
        tenant.until(lambda: node.told() == pods)
        stack.operator.kill()
        begun = len(node.runs)
        node.go()
        stack.operator.start()
        handled(tenant, "lastHandledDagSyncAt", "now")
        assert node.told(begun) == pods
    assert len(tenant.until(lambda: tenant.events("DagSyncRequested"))) == 1


def test_a_restart_rolls_nothing_and_records_nothing(stack: Stack) -> None:
    tenant = stack.create("restart")
    tenant.wait("Ready")
    before, ready = tenant.generations(), tenant.conditions()["Ready"]
    pods = set(tenant.objects(kinds.POD))
    stack.operator.terminate()
    stack.operator.start()
    scheduler = f"{tenant.name}-scheduler"
    stack.api.merge(kinds.DEPLOYMENT, scheduler, {"spec": {"replicas": 4}}, tenant.namespace)
    tenant.until(lambda: tenant.objects(kinds.DEPLOYMENT)[scheduler]["spec"]["replicas"] == 1)
    tenant.until(lambda: tenant.conditions()["Ready"]["message"] == ready["message"])
    after = tenant.generations()
    assert {name for name in after if after[name] != before[name]} == {scheduler}
    assert tenant.status["release"]["revision"] == 1
    assert pods - set(tenant.objects(kinds.POD)) <= {pod for pod in pods if pod.startswith(scheduler)}


def test_drift_from_while_it_was_away_is_repaired(stack: Stack) -> None:
    tenant = stack.create("away")
    tenant.wait_released()
    stack.operator.kill()
    scheduler, triggerer = f"{tenant.name}-scheduler", f"{tenant.name}-triggerer"
    stack.api.merge(kinds.DEPLOYMENT, scheduler, {"spec": {"replicas": 0}}, tenant.namespace)
    stack.api.delete(kinds.DEPLOYMENT, triggerer, tenant.namespace)
    stack.operator.start()
    tenant.until(lambda: triggerer in tenant.objects(kinds.DEPLOYMENT))
    tenant.until(lambda: tenant.objects(kinds.DEPLOYMENT)[scheduler]["spec"]["replicas"] == 1)


def test_an_edit_and_a_deletion_from_while_it_was_away_are_seen(stack: Stack) -> None:
    edited, deleted = stack.create("edited"), stack.create("deleted")
    edited.wait_released()
    deleted.wait_released()
    stack.operator.kill()
    edited.edit(airflow={"triggerer": {"replicas": 2}})
    deleted.delete()
    stack.operator.start()
    edited.wait_released()
    assert edited.objects(kinds.DEPLOYMENT)[f"{edited.name}-triggerer"]["spec"]["replicas"] == 2
    deleted.wait_gone()


def test_sigterm_ends_it_in_time_and_in_order(stack: Stack) -> None:
    tenant = stack.create("sigterm")  # work is under way
    tenant.until(lambda: tenant.api.find(kinds.NAMESPACE, tenant.namespace))
    assert stack.operator.terminate(10.0) == 0
    assert "Traceback" not in stack.operator.tail(30)
    stack.operator.start()
    tenant.wait_released(60)


def test_it_survives_a_restart_of_the_api_server(stack: Stack) -> None:
    tenant = stack.create("outage")
    tenant.wait_released()
    process = stack.operator.process
    assert process is not None

    stack.restart_api_server()

    scheduler = f"{tenant.name}-scheduler"
    stack.api.merge(kinds.DEPLOYMENT, scheduler, {"spec": {"replicas": 0}}, tenant.namespace)
    tenant.until(lambda: tenant.objects(kinds.DEPLOYMENT)[scheduler]["spec"]["replicas"] == 1, 90)
    late = stack.create("late")
    late.wait_released(60)
    assert process.poll() is None, "the same process"
    assert stack.operator.total("airflow_operator_watch_restarts_total") > 0


def test_it_answers_on_its_port(stack: Stack) -> None:
    assert stack.operator.http("/healthz") == (200, "ok\n")
    assert stack.operator.http("/readyz") == (200, "ok\n")
    assert stack.operator.http("/secrets")[0] == 404
    tenant = stack.create("metrics")
    tenant.wait("Ready")
    operator = stack.operator
    assert operator.total("airflow_operator_build_info") == 1
    assert operator.total("airflow_operator_reconcile_total", result="success") > 0
    assert operator.total("airflow_operator_helm_operation_total", result="success") > 0
    series = {"tenant": tenant.name, "namespace": tenant.namespace, "type": "Ready"}
    # shown when the API server has answered that it has the status
    tenant.until(lambda: operator.total("airflow_tenant_status_condition", **series, status="True") == 1)
    assert operator.total("airflow_tenant_status_condition", **series) == 1, "one status at a time"

    tenant.delete()
    tenant.wait_gone()
    eventually(lambda: operator.total("airflow_tenant_status_condition", tenant=tenant.name) == 0, 10)


def test_it_is_not_ready_before_it_has_seen_the_cluster(stack: Stack) -> None:
    """Without rights nothing can be watched: alive, not ready, and it says why."""
    stack.operator.terminate()
    text = stack.operator.kubeconfig.read_text()
    stack.operator.kubeconfig.write_text(re.sub(r"token: .*", "token: wrong", text))
    try:
        with pytest.raises(AssertionError, match=r"401|Unauthorized"):
            stack.operator.start()
    finally:
        stack.operator.kubeconfig.write_text(text)
        if stack.operator.process is not None and stack.operator.process.poll() is None:
            stack.operator.kill()
        stack.operator.process = None
        stack.operator.start()
