"""The buttons of a tenant in Argo CD: each is carried out, and Git does not take it back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.e2e.support import path
from tests.gitops.fleet import Fleet

from demo import gitserver, steps
from demo.airflow_client import AirflowClient
from demo.kube import TENANTS, Json
from demo.process import wait_for
from demo.samples import FIRST_MESSAGE, NEXT_DAG, NEXT_FOLDER, NEXT_MESSAGE, PAYMENTS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900, func_only=True)]

APP = "airflow-payments"
NAME = "payments"
SPACE = PAYMENTS.namespace
OURS = "airflowtenants.io/"
STATSD = path(SPACE, "apps/v1", "deployments", "payments-statsd")


def annotations(fleet: Fleet) -> dict[str, str]:
    return dict(fleet.environment.tenant(NAME).raw["metadata"].get("annotations") or {})


def status(fleet: Fleet) -> Json:
    return dict(fleet.environment.tenant(NAME).raw["status"])


def source(fleet: Fleet) -> Json:
    return dict(status(fleet)["dags"][0])


def act(fleet: Fleet, action: str) -> None:
    """Push a button that can be pushed."""
    wait_for(
        f"the action {action} to be offered",
        lambda: fleet.argo.actions(APP, NAME).get(action),
        seconds=120,
        seen=lambda: fleet.argo.actions(APP, NAME),
    )
    fleet.argo.act(APP, NAME, action)


def stays(fleet: Fleet, health: str) -> None:
    """After one more look at Git the Application is Synced, and our annotations are as they were."""
    before = {key: value for key, value in annotations(fleet).items() if key.startswith(OURS)}
    operation = fleet.argo.app(APP).status.get("operationState", {}).get("startedAt")
    fleet.argo.refresh(APP)
    app = fleet.argo.wait(APP, health=health, revision=fleet.repo.head(), seconds=120)
    after = {key: value for key, value in annotations(fleet).items() if key.startswith(OURS)}
    assert after == before
    assert app.status.get("operationState", {}).get("startedAt") == operation, "self-heal has been at work"


@contextmanager
def at_the_end(fleet: Fleet, *names: str) -> Iterator[None]:
    """Take annotations away whatever happens: the tests below want an ordinary tenant."""
    try:
        yield
    finally:
        gone: dict[str, None] = {f"{OURS}{name}": None for name in names}
        fleet.platform.kube.merge_patch(f"{TENANTS}/{NAME}", {"metadata": {"annotations": gone}})


def test_reconcile_now_is_a_full_pass_and_is_acknowledged(installed: Fleet) -> None:
    before = status(installed).get("lastHandledReconcileAt")
    act(installed, "reconcile-now")
    asked = annotations(installed)[f"{OURS}reconcile-requested-at"]
    assert asked != before
    wait_for(
        "the acknowledgement",
        lambda: status(installed).get("lastHandledReconcileAt") == asked,
        seconds=120,
        seen=lambda: status(installed).get("lastHandledReconcileAt"),
    )
    stays(installed, "Healthy")


def push_and_fetch(fleet: Fleet) -> str:
    """One more commit of DAGs, fetched now by the button; its hash."""
    git = fleet.environment.git
    commit = gitserver.add_commit(git, NAME, PAYMENTS.repository, FIRST_MESSAGE, NEXT_FOLDER, NEXT_MESSAGE)
    act(fleet, "sync-dags-now")
    asked = annotations(fleet)[f"{OURS}dag-sync-requested-at"]
    wait_for(
        "the acknowledgement",
        lambda: status(fleet).get("lastHandledDagSyncAt") == asked,
        seconds=180,
        seen=lambda: status(fleet).get("lastHandledDagSyncAt"),
    )
    return commit


def test_sync_dags_now_brings_a_commit_that_would_be_fetched_an_hour_later(installed: Fleet) -> None:
    commit = push_and_fetch(installed)
    with installed.environment.airflow(NAME) as client:
        wait_for("the new DAG", lambda: steps.is_at_commit(client, NEXT_DAG, commit), seconds=120)
    wait_for("the commit in the status", lambda: source(installed)["commit"] == commit, seconds=120)
    stays(installed, "Healthy")


def test_dags_roll_back_to_the_commit_before_and_follow_their_branch_again(installed: Fleet) -> None:
    if not source(installed).get("previousCommit"):  # nobody has pushed yet
        pushed = push_and_fetch(installed)
        wait_for("the commit in the status", lambda: source(installed)["commit"] == pushed, seconds=120)
    newest, previous = source(installed)["commit"], source(installed)["previousCommit"]
    assert previous
    assert previous != newest
    with at_the_end(installed, "dag-revisions"):
        act(installed, "roll-back-dags")
        assert annotations(installed)[f"{OURS}dag-revisions"] == f"main={previous}@{newest}"
        wait_for(
            "the DAGs to be held",
            lambda: (source(installed)["commit"], source(installed).get("held")) == (previous, True),
            seconds=300,
            seen=lambda: source(installed),
        )
        installed.argo.wait(APP, seconds=240)
        with installed.environment.airflow(NAME) as client:
            wait_for(
                "the old DAGs in Airflow",
                lambda: steps.is_at_commit(client, PAYMENTS.dag, previous),
                seconds=120,
            )
        stays(installed, "Healthy")
        act(installed, "follow-dags")
        assert f"{OURS}dag-revisions" not in annotations(installed)
    wait_for(
        "the DAGs to follow their branch",
        lambda: source(installed)["commit"] == newest and not source(installed).get("held"),
        seconds=300,
        seen=lambda: source(installed),
    )
    installed.argo.wait(APP, seconds=240)
    stays(installed, "Healthy")


def test_a_suspended_tenant_is_left_alone_until_it_is_resumed(installed: Fleet) -> None:
    kube = installed.platform.kube
    installed.environment.wait_settled(NAME)
    with at_the_end(installed, "suspend"):
        act(installed, "suspend")
        installed.argo.wait(APP, health="Suspended", seconds=120)
        assert "Suspended" in installed.environment.wait_condition(NAME, "Ready", "True", "Suspended").reason
        offered = installed.argo.actions(APP, NAME)
        assert offered["resume"]
        assert not offered["suspend"]
        kube.merge_patch(STATSD, {"spec": {"replicas": 2}})
        stays(installed, "Suspended")
        assert (kube.get(STATSD) or {})["spec"]["replicas"] == 2, "the operator changes nothing"
        act(installed, "resume")
    wait_for("the repair", lambda: (kube.get(STATSD) or {})["spec"]["replicas"] == 1, seconds=120)
    installed.argo.wait(APP, seconds=120)
    stays(installed, "Healthy")


def test_a_tenant_hibernates_and_wakes_with_its_data(installed: Fleet) -> None:
    with installed.environment.airflow(NAME) as client:
        steps.run_dag(client, PAYMENTS)
        runs = run_ids(client)
    with at_the_end(installed, "state"):
        act(installed, "hibernate")
        installed.argo.wait(APP, health="Suspended", seconds=300)
        wait_for(
            "the end of its pods",
            lambda: not installed.environment.pods(NAME),
            seconds=120,
            seen=lambda: len(installed.environment.pods(NAME)),
        )
        health, message = installed.argo.tenant(APP, NAME)
        assert health == "Suspended"
        assert "airflowtenants.io/state" in message
        stays(installed, "Suspended")
        assert installed.environment.pods(NAME) == []
        act(installed, "wake")
    installed.argo.wait(APP, seconds=1200)
    stays(installed, "Healthy")
    with installed.environment.airflow(NAME) as client:
        assert set(runs) <= set(run_ids(client))


def run_ids(client: AirflowClient) -> list[str]:
    """The runs of the sample's DAG."""
    answer = client.request("GET", f"/api/v2/dags/{PAYMENTS.dag}/dagRuns?limit=100")
    return [run["dag_run_id"] for run in answer["dag_runs"]]
