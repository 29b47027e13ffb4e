"""Requests to fetch DAGs now, on a real API server: who is told, what becomes of those that fail."""

from __future__ import annotations

from tests.controller.asking import GIT, annotate, handled
from tests.controller.exec_node import exec_node
from tests.controller.stack import Stack


def test_a_fetch_is_told_to_every_git_sync_by_the_operators_own_rights(stack: Stack) -> None:
    """The API server checks `get` and `create` of pods/exec before it passes the command on."""
    tenant = stack.create("fetch", dags={"sources": [GIT]})
    tenant.wait_released()
    with exec_node(stack, "exec-node") as node:
        pods = node.take(tenant)
        assert len(pods) == 3
        annotate(tenant, dag_sync_requested_at="now")
        handled(tenant, "lastHandledDagSyncAt", "now")
        assert set(node.runs) == {
            (tenant.namespace, pod, "git-sync-main", "sh -c kill -HUP 1") for pod in pods
        }
        (event,) = tenant.until(lambda: tenant.events("DagSyncRequested"))  # the status may be there first
        assert (event["type"], event["message"]) == ("Normal", "git-sync of main fetches now")
        node.runs.clear()
        annotate(tenant, reconcile_requested_at="now")
        handled(tenant, "lastHandledReconcileAt", "now")
        assert node.runs == [], "once for each value"


def test_a_fetch_that_cannot_be_told_is_an_event_and_is_tried_again(stack: Stack) -> None:
    tenant = stack.create("delayed", dags={"sources": [GIT]})
    tenant.wait_released()
    with exec_node(stack, "delayed-node") as node:
        node.failure = "kill: no such process"
        node.take(tenant)
        retried = "airflow_operator_handler_retries_total"
        before = stack.operator.total(retried, handler="fetch")
        annotate(tenant, dag_sync_requested_at="now")
        (event,) = tenant.until(lambda: tenant.events("DagSyncDelayed"))
        # counted when the API server has answered that it has the Event
        tenant.until(lambda: stack.operator.total(retried, handler="fetch") > before)
        assert event["type"] == "Warning"
        assert "the command failed: kill: no such process; tried again for 180 seconds" in event["message"]
        assert tenant.status.get("lastHandledDagSyncAt", "") == ""
        node.failure = ""
        handled(tenant, "lastHandledDagSyncAt", "now")
    assert len(tenant.events("DagSyncDelayed")) == 1


def test_a_fetch_that_is_asked_for_while_another_is_under_way_is_begun_after_it(stack: Stack) -> None:
    """What git-sync has begun may have asked Git before the second request came."""
    tenant = stack.create("twice", dags={"sources": [GIT]})
    tenant.wait_released()
    with exec_node(stack, "twice-node") as node:
        pods = node.take(tenant)
        node.hold()
        annotate(tenant, dag_sync_requested_at="first")
        tenant.until(lambda: node.told() == pods)
        annotate(tenant, dag_sync_requested_at="second")
        begun = len(node.runs)
        node.go()
        handled(tenant, "lastHandledDagSyncAt", "second")
        assert node.told(begun) == pods


def test_a_fetch_that_fails_is_carried_out_for_a_source_by_the_name_that_git_has_given_it(
    stack: Stack,
) -> None:
    tenant = stack.create("relabel", dags={"sources": [GIT]})
    tenant.wait_released()
    with exec_node(stack, "relabel-node") as node:
        node.failure = "kill: no such process"
        node.take(tenant)
        annotate(tenant, dag_sync_requested_at="now")
        tenant.until(lambda: tenant.events("DagSyncDelayed"))
        tenant.edit(dags={"sources": [{**GIT, "name": "renamed"}]})
        tenant.wait_released()
        node.failure = ""
        tenant.until(lambda: (node.take(tenant), tenant.status.get("lastHandledDagSyncAt") == "now")[1])
    (event,) = tenant.until(lambda: tenant.events("DagSyncRequested"))
    assert event["message"] == "git-sync of renamed fetches now"
    assert {container for _, _, container, _ in node.runs} == {"git-sync-main", "git-sync-renamed"}


def test_a_tenant_that_is_deleted_while_its_fetch_is_retried_goes_and_a_namesake_asks_anew(
    stack: Stack,
) -> None:
    tenant = stack.create("leaving", dags={"sources": [GIT]})
    tenant.wait_released()
    with exec_node(stack, "leaving-node") as node:
        node.failure = "kill: no such process"
        node.take(tenant)
        annotate(tenant, dag_sync_requested_at="now")
        tenant.until(lambda: tenant.events("DagSyncDelayed"))
        tenant.delete()
        tenant.wait_gone()
        node.failure = ""
        node.runs.clear()
        tenant.create(dags={"sources": [GIT]})
        tenant.wait_released()
        assert tenant.status.get("lastHandledDagSyncAt", "") == ""
        pods = node.take(tenant)
        annotate(tenant, dag_sync_requested_at="now")
        handled(tenant, "lastHandledDagSyncAt", "now")
        assert node.told() == pods
        assert not tenant.events("DagSyncDelayed"), "of the namesake"


def test_a_tenant_without_git_has_nothing_to_fetch_and_says_so(stack: Stack) -> None:
    tenant = stack.create("no-git")
    annotate(tenant, dag_sync_requested_at="now")
    handled(tenant, "lastHandledDagSyncAt", "now")
    (event,) = tenant.until(lambda: tenant.events("DagSyncRequested"))
    assert event["message"] == "no DAG source is pulled by Git"
