"""What annotations ask for, on a real API server: nothing of it changes the generation."""

from __future__ import annotations

import pytest
from tests.controller.asking import GIT, A, annotate, handled, refs
from tests.controller.exec_node import exec_node
from tests.controller.kubelet import container
from tests.controller.stack import Stack

from tenant_operator.core import kinds

ENV = {"name": "TOKEN", "secretKeyRef": {"name": "token", "key": "value"}}


def test_a_request_for_everything_reads_secrets_anew_and_is_answered_in_the_status(stack: Stack) -> None:
    """The Airflow of this stack does not answer and its look is an hour away: nothing else would find out."""
    tenant = stack.tenant("now")
    tenant.prepare_namespace()
    stack.api.secret("token", tenant.namespace, value="old")
    tenant.create(airflow={"env": [ENV]}, sync={"interval": "1h"})
    tenant.wait_released()
    before, generation = tenant.generations(), tenant.object["metadata"]["generation"]

    stack.api.secret("token", tenant.namespace, value="new")
    annotate(tenant, reconcile_requested_at="2026-01-31T12:00:00Z")
    handled(tenant, "lastHandledReconcileAt", "2026-01-31T12:00:00Z")
    tenant.until(lambda: tenant.status["release"]["revision"] == 2)
    assert tenant.generations() != before, "readers of the Secret roll"
    assert tenant.object["metadata"]["generation"] == generation


def test_a_request_costs_no_roll_and_no_release_where_nothing_differs(stack: Stack) -> None:
    tenant = stack.create("quiet")
    tenant.wait_released()
    before = tenant.generations()
    for value in ("one", "two"):
        annotate(tenant, reconcile_requested_at=value)
        handled(tenant, "lastHandledReconcileAt", value)
    assert tenant.generations() == before
    assert tenant.status["release"]["revision"] == 1


def test_an_annotation_suspends_and_resumes_and_the_status_says_who(stack: Stack) -> None:
    tenant = stack.create("paused")
    tenant.wait_released()
    annotate(tenant, suspend="true")
    says = "suspended by metadata.annotations[airflowtenants.io/suspend]"
    tenant.wait("Ready", "", "Suspended", says=says)
    annotate(tenant, reconcile_requested_at="later", suspend="true")
    tenant.edit(airflow={"triggerer": {"replicas": 2}})
    tenant.wait("Ready", "", "Suspended")
    triggerer = f"{tenant.name}-triggerer"
    assert tenant.objects(kinds.DEPLOYMENT)[triggerer]["spec"]["replicas"] == 1, "nothing is changed"
    assert tenant.status.get("lastHandledReconcileAt", "") == "", "the request waits"

    annotate(tenant, suspend=None)
    tenant.until(lambda: tenant.objects(kinds.DEPLOYMENT)[triggerer]["spec"]["replicas"] == 2)
    handled(tenant, "lastHandledReconcileAt", "later")


def test_an_annotation_resumes_what_the_spec_suspends(stack: Stack) -> None:
    tenant = stack.create("woken", suspend=True)
    tenant.wait("Ready", "", "Suspended", says="suspended by spec.suspend")
    annotate(tenant, suspend="false")
    tenant.wait_released()
    says = "spec.suspend: true is overruled by metadata.annotations[airflowtenants.io/suspend]: remove it"
    tenant.wait("Ready", "", says=says)
    annotate(tenant, suspend=None)
    tenant.wait("Ready", "", "Suspended", says="suspended by spec.suspend")


def test_an_annotation_that_keeps_a_tenant_awake_is_told_as_long_as_git_wants_it_asleep(stack: Stack) -> None:
    tenant = stack.create("insomnia")
    tenant.wait_released()
    annotate(tenant, state="Running")
    tenant.edit(state="Hibernated")
    says = "spec.state: Hibernated is overruled by metadata.annotations[airflowtenants.io/state]: remove it"
    tenant.wait("Ready", "", says=says)
    annotate(tenant, state=None)
    tenant.wait("Ready", "True", "Hibernated")
    assert "overruled" not in tenant.conditions()["Ready"]["message"]


@pytest.mark.parametrize(
    ("annotation", "value", "words"),
    [
        ("suspend", "perhaps", "[airflowtenants.io/suspend]: must be true or false, not 'perhaps'"),
        ("state", "asleep", "[airflowtenants.io/state]: must be Running or Hibernated, not 'asleep'"),
        ("dag_revisions", "main=abc1234", "source 'main': 'abc1234' is not a full commit hash"),
        ("dag_revisions", f"main={A},main={A}", "source 'main' is named twice"),
    ],
)
def test_a_wrong_annotation_stalls_the_tenant_in_words_until_it_is_mended(
    stack: Stack, annotation: str, value: str, words: str
) -> None:
    tenant = stack.create("wrong", dags={"sources": [GIT]})
    annotate(tenant, **{annotation: value})
    found = tenant.wait("Ready", "False", "InvalidSpec", says=words)
    assert found["message"].startswith("metadata.annotations[airflowtenants.io/")
    tenant.wait("Stalled")
    annotate(tenant, **{annotation: None})
    tenant.until(lambda: "Stalled" not in tenant.conditions())


def test_a_hold_replaces_the_ref_of_every_git_sync_until_it_goes(stack: Stack) -> None:
    tenant = stack.create("ref", dags={"sources": [GIT]})
    tenant.wait_released()
    before = tenant.generations()
    annotate(tenant, dag_revisions=f"main={A}")
    tenant.until(lambda: refs(tenant) == {A})
    rolled = {name for name, generation in tenant.generations().items() if generation != before[name]}
    readers = ("scheduler", "dag-processor", "triggerer")
    assert rolled == {f"{tenant.name}-{component}" for component in readers}, "as for an edit of ref"
    annotate(tenant, dag_revisions=None)
    tenant.until(lambda: refs(tenant) == {"stable"})


def test_a_hold_that_the_repository_has_not_is_blamed_on_the_annotation(stack: Stack) -> None:
    said = f"fatal: remote error: upload-pack: not our ref {A}"
    tenant = stack.create("no-ref", dags={"sources": [GIT]})
    tenant.wait_released()
    ended = {"terminated": {"exitCode": 1, "reason": "Error", "message": said}}
    broken = {"initContainerStatuses": [container("git-sync-init-main", ended, restartCount=1)]}
    stack.kubelet.break_component(tenant.namespace, "scheduler", broken)
    annotate(tenant, dag_revisions=f"main={A}")
    says = "metadata.annotations[airflowtenants.io/dag-revisions] holds it at aaaaaaa: "
    found = tenant.wait("Ready", "False", "GitSyncFailed", says=says)
    assert said in found["message"]
    assert "remove the annotation" in found["message"]
    assert "check repo, ref" not in found["message"]
    annotate(tenant, dag_revisions=None)
    tenant.wait("Ready", "False", "GitSyncFailed", says="check repo, ref and credentialsSecretRef")
    stack.kubelet.mend_component(tenant.namespace, "scheduler")
    tenant.wait_released()


def test_a_held_source_that_git_renames_keeps_no_tenant_from_its_care(stack: Stack) -> None:
    tenant = stack.create("renamed", dags={"sources": [GIT]})
    tenant.wait_released()
    annotate(tenant, dag_revisions=f"main={A}")
    held = "'main' held by metadata.annotations[airflowtenants.io/dag-revisions]: remove it"
    tenant.wait("Ready", "", says=held)
    tenant.until(lambda: refs(tenant) == {A})

    tenant.edit(dags={"sources": [{**GIT, "name": "renamed"}]}, airflow={"triggerer": {"replicas": 2}})
    says = "[airflowtenants.io/dag-revisions] holds nothing for 'main': spec.dags has no gitSync source"
    tenant.wait("Ready", "", says=says)
    tenant.until(lambda: refs(tenant) == {"stable"})
    triggerer = f"{tenant.name}-triggerer"
    tenant.until(lambda: tenant.objects(kinds.DEPLOYMENT)[triggerer]["spec"]["replicas"] == 2)
    tenant.until(lambda: tenant.events("DagHoldIgnored"))
    annotate(tenant, dag_revisions=None, reconcile_requested_at="again")
    handled(tenant, "lastHandledReconcileAt", "again")
    tenant.until(lambda: "dag-revisions" not in tenant.conditions()["Ready"]["message"])
    (event,) = tenant.events("DagHoldIgnored")
    assert event["type"] == "Warning"


def test_what_is_asked_of_a_tenant_that_wakes_waits_until_it_is_up(stack: Stack) -> None:
    """Nothing below its database has been looked at, and its new pods fetch by themselves."""
    tenant = stack.create("drowsy", state="Hibernated", dags={"sources": [GIT]})
    tenant.wait("Ready", "True", "Hibernated")
    stack.kubelet.break_component(tenant.namespace, "postgresql", {"containerStatuses": []})
    annotate(tenant, reconcile_requested_at="1", dag_sync_requested_at="1")
    tenant.edit(state="Running")
    tenant.wait("Ready", "False", "DatabaseStarting")
    annotate(tenant, reconcile_requested_at="2")
    generation = tenant.edit(airflow={"triggerer": {"replicas": 2}})["metadata"]["generation"]
    tenant.until(lambda: tenant.status["observedGeneration"] == generation)
    assert tenant.status["state"] == "Waking"
    assert tenant.status.get("lastHandledReconcileAt", "") in {"", "1"}, "asked while it slept"
    assert tenant.status.get("lastHandledDagSyncAt", "") == ""
    assert not [event for event in tenant.events() if event["reason"].startswith("DagSync")]

    with exec_node(stack, "drowsy-node") as node:
        stack.kubelet.mend_component(tenant.namespace, "postgresql")
        tenant.wait_released()
        node.take(tenant)
        handled(tenant, "lastHandledReconcileAt", "2")
        assert tenant.status["state"] == "Running"
        handled(tenant, "lastHandledDagSyncAt", "1")


def test_a_fetch_that_is_asked_of_a_tenant_while_it_is_installed_waits_without_a_warning(
    stack: Stack,
) -> None:
    tenant = stack.tenant("newborn")
    stack.kubelet.break_component(tenant.namespace, "postgresql", {"containerStatuses": []})
    tenant.create(dags={"sources": [GIT]})
    annotate(tenant, dag_sync_requested_at="now", reconcile_requested_at="now")
    tenant.wait("Ready", "False", "DatabaseStarting")
    generation = tenant.edit(airflow={"triggerer": {"replicas": 2}})["metadata"]["generation"]
    tenant.until(lambda: tenant.status["observedGeneration"] == generation)
    assert not [event for event in tenant.events() if event["reason"].startswith("DagSync")]
    assert {tenant.status.get(f"lastHandled{what}At", "") for what in ("Reconcile", "DagSync")} == {""}
    stack.kubelet.mend_component(tenant.namespace, "postgresql")
    handled(tenant, "lastHandledReconcileAt", "now")
    assert tenant.status["release"]["revision"] == 1, "it came through all gates"


def test_a_request_of_a_tenant_in_which_something_is_wrong_is_answered(stack: Stack) -> None:
    crash = container(
        "scheduler",
        {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
        restartCount=4,
        lastState={"terminated": {"exitCode": 1, "reason": "Error", "message": "boom"}},
    )
    tenant = stack.tenant("wounded")
    stack.kubelet.break_component(tenant.namespace, "scheduler", {"containerStatuses": [crash]})
    tenant.create()
    tenant.wait("Ready", "False", "CrashLooping")
    annotate(tenant, reconcile_requested_at="now")
    handled(tenant, "lastHandledReconcileAt", "now")
    tenant.wait("Ready", "False", "CrashLooping")


def test_of_requests_in_quick_succession_the_last_is_answered_and_saw_what_was_there_then(
    stack: Stack,
) -> None:
    tenant = stack.tenant("many")
    tenant.prepare_namespace()
    stack.api.secret("token", tenant.namespace, value="0")
    tenant.create(airflow={"env": [ENV]}, sync={"interval": "1h"}, dags={"sources": [GIT]})
    tenant.wait_released()
    first = tenant.generations()
    with exec_node(stack, "many-node") as node:
        pods = node.take(tenant)
        for value in ("1", "2", "3"):
            stack.api.secret("token", tenant.namespace, value=value)
            annotate(tenant, reconcile_requested_at=value, dag_sync_requested_at=value)
        handled(tenant, "lastHandledReconcileAt", "3")
        tenant.until(lambda: (node.take(tenant), tenant.status.get("lastHandledDagSyncAt") == "3")[1])
        assert len(node.told()) >= len(pods)
        rolled = tenant.generations()
        assert rolled != first
        annotate(tenant, reconcile_requested_at="4")
        handled(tenant, "lastHandledReconcileAt", "4")
        assert tenant.generations() == rolled, "the third had seen the last value of the Secret"
        assert tenant.status["lastHandledDagSyncAt"] == "3"
