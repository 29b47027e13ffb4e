"""What annotations ask of an Airflow that answers. Unless asked, it is looked at once an hour."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.airflow.server import AirflowServer
from tests.controller.asking import GIT, A, B, C, annotate, handled, refs
from tests.controller.stack import Stack, TenantUnderTest, running

#: What was parsed before A.
OLDER = "0" * 40


@pytest.fixture(scope="module")
def airflow_stack(airflow: AirflowServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An operator that takes one real Airflow for every tenant's."""
    with running(tmp_path_factory.mktemp("requests"), airflow_url=airflow.url) as stack:
        yield stack


def served(stack: Stack, airflow: AirflowServer, prefix: str, **spec: Any) -> TenantUnderTest:
    """A tenant whose Airflow is the real one; it is looked at once an hour."""
    tenant = stack.tenant(prefix)
    tenant.prepare_namespace()
    user = {"username": airflow.username, "password": airflow.password, "hmac_key": "key"}
    stack.api.secret(f"{tenant.name}-operator", tenant.namespace, **user)
    tenant.create(sync={"interval": "1h"}, **spec)
    return tenant


def dag(tenant: TenantUnderTest) -> dict[str, Any]:
    found: dict[str, Any] = tenant.status["dags"][0]
    return found


def test_a_request_for_everything_finds_drift_inside_airflow(
    airflow_stack: Stack, airflow: AirflowServer
) -> None:
    tenant = served(airflow_stack, airflow, "drift", pools=[{"name": "now", "slots": 3}])
    tenant.wait("ObjectsSynced")
    airflow.call("DELETE", "/api/v2/pools/now")
    annotate(tenant, reconcile_requested_at="now")
    handled(tenant, "lastHandledReconcileAt", "now")
    assert airflow.call("GET", "/api/v2/pools/now")["slots"] == 3, "handled means that it was compared"
    airflow_stack.clean()


def test_a_roll_back_that_was_chosen_on_old_news_is_refused_and_the_next_one_is_right(
    airflow_stack: Stack, airflow: AirflowServer
) -> None:
    """The status is an hour old; who chose the commit before the one it tells would go back one too far."""
    airflow.parsed("main", A)
    tenant = served(airflow_stack, airflow, "stale", dags={"sources": [GIT]})
    tenant.until(lambda: tenant.status.get("dags") and dag(tenant)["commit"] == A)
    airflow.parsed("main", B)
    annotate(tenant, dag_revisions=f"main={OLDER}@{A}")
    says = "holds nothing for 'main': Airflow has another commit of 'main' than the one after @: remove the"
    tenant.wait("Ready", "", says=says)
    assert (dag(tenant)["commit"], dag(tenant)["previousCommit"], dag(tenant)["held"]) == (B, A, False)
    assert refs(tenant) == {"stable"}
    (event,) = tenant.until(lambda: tenant.events("DagHoldIgnored"))
    assert says in event["message"]

    annotate(tenant, dag_revisions=f"main={A}@{B}")
    tenant.until(lambda: refs(tenant) == {A})
    tenant.until(lambda: dag(tenant)["held"])
    airflow.parsed("main", C)  # a push that an old pod fetches on its way out
    annotate(tenant, reconcile_requested_at="push")
    handled(tenant, "lastHandledReconcileAt", "push")
    assert (refs(tenant), dag(tenant)["held"], dag(tenant)["heldCommit"]) == ({A}, True, A)
    assert "holds nothing" not in tenant.conditions()["Ready"]["message"]

    annotate(tenant, dag_revisions=f"main={OLDER}@{B}")  # another choice, on what was there before the push
    tenant.wait("Ready", "", says=says)
    tenant.until(lambda: refs(tenant) == {"stable"})
    assert (dag(tenant)["held"], dag(tenant)["heldCommit"]) == (False, "")
    airflow_stack.clean()


def test_sources_are_held_and_let_go_and_the_status_says_what_to_go_back_to(
    airflow_stack: Stack, airflow: AirflowServer
) -> None:
    airflow.parsed("main", A)
    tenant = served(airflow_stack, airflow, "held", dags={"sources": [GIT]})
    tenant.until(lambda: tenant.status.get("dags") and dag(tenant)["commit"] == A)
    airflow.parsed("main", B)
    annotate(tenant, reconcile_requested_at="1")
    handled(tenant, "lastHandledReconcileAt", "1")
    assert dag(tenant)["commit"] == B, "the way to be sure of what previousCommit is before"
    assert (dag(tenant)["previousCommit"], dag(tenant)["held"], refs(tenant)) == (A, False, {"stable"})

    annotate(tenant, dag_revisions=f"main={A}@{B}")
    tenant.until(lambda: refs(tenant) == {A})
    tenant.wait("DagsSynced", "Unknown", "DagsPending", says="Airflow still has main@bbbbbbb")
    airflow.parsed("main", A)
    says = "main is held at aaaaaaa by the annotation airflowtenants.io/dag-revisions"
    tenant.wait("DagsSynced", says=says)
    assert (dag(tenant)["commit"], dag(tenant)["previousCommit"]) == (A, A)
    assert (dag(tenant)["held"], dag(tenant)["ref"]) == (True, "stable")

    airflow_stack.operator.terminate()
    airflow_stack.operator.start()
    tenant.wait("DagsSynced", says=says)
    assert dag(tenant)["previousCommit"] == A

    airflow.parsed("main", C)
    annotate(tenant, dag_revisions=None)
    tenant.until(lambda: refs(tenant) == {"stable"})
    tenant.until(lambda: dag(tenant)["commit"] == C and not dag(tenant)["held"])
    assert dag(tenant)["previousCommit"] == A
    tenant.wait("DagsSynced", says="1 DAG(s) parsed")
    airflow_stack.clean()
