"""What somebody changes by hand is put back; what others own is left alone."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from tests.e2e.support import Environment, path

from demo.kube import Json
from demo.process import wait_for

SPACE = "airflow-payments"
STATSD = path(SPACE, "apps/v1", "deployments", "payments-statsd")
REPAIR_SECONDS = 30.0
SYNC_SECONDS = 60.0


def present(environment: Environment, where: str) -> Json:
    found = environment.kube.get(where)
    assert found is not None, where
    return found


def repaired(environment: Environment, what: str, check: Callable[[], object], seconds: float) -> None:
    started = time.monotonic()
    wait_for(what, lambda: bool(check()), seconds=seconds, poll=0.1)
    environment.console.say(f"{what}: {time.monotonic() - started:.2f} s")


def first_policy(environment: Environment) -> str:
    found = environment.kube.items(path(SPACE, "networking.k8s.io/v1", "networkpolicies"))
    assert found, "a tenant without a NetworkPolicy has no wall"
    name = next(p["metadata"]["name"] for p in found if p["metadata"]["name"].endswith("-postgresql"))
    return path(SPACE, "networking.k8s.io/v1", "networkpolicies", name)


def test_a_deleted_deployment_comes_back(payments: Environment) -> None:
    before = present(payments, STATSD)["metadata"]["uid"]
    payments.kube.delete(STATSD)
    repaired(
        payments,
        "deleted Deployment",
        lambda: (payments.kube.get(STATSD) or {"metadata": {"uid": before}})["metadata"]["uid"] != before,
        REPAIR_SECONDS,
    )


def test_an_edited_deployment_is_put_back(payments: Environment) -> None:
    payments.kube.merge_patch(STATSD, {"spec": {"replicas": 2}})
    repaired(
        payments,
        "edited Deployment",
        lambda: present(payments, STATSD)["spec"]["replicas"] == 1,
        REPAIR_SECONDS,
    )


def test_a_deleted_network_policy_comes_back(payments: Environment) -> None:
    policy = first_policy(payments)
    payments.kube.delete(policy)
    repaired(payments, "deleted NetworkPolicy", lambda: payments.kube.get(policy), REPAIR_SECONDS)


def test_a_network_policy_that_was_opened_is_closed_again(payments: Environment) -> None:
    policy = first_policy(payments)
    before = present(payments, policy)["spec"]
    payments.kube.merge_patch(policy, {"spec": {"ingress": [{}]}})
    repaired(
        payments, "edited NetworkPolicy", lambda: present(payments, policy)["spec"] == before, REPAIR_SECONDS
    )


def test_a_label_of_somebody_else_stays(payments: Environment) -> None:
    payments.kube.merge_patch(STATSD, {"metadata": {"labels": {"example.com/cost-centre": "42"}}})
    payments.kube.merge_patch(STATSD, {"spec": {"replicas": 2}})
    wait_for("the repair", lambda: present(payments, STATSD)["spec"]["replicas"] == 1, seconds=REPAIR_SECONDS)
    assert present(payments, STATSD)["metadata"]["labels"]["example.com/cost-centre"] == "42"


@pytest.mark.covers("S002-30")
def test_a_pool_that_was_resized_or_deleted_is_put_back(payments: Environment) -> None:
    with payments.airflow("payments") as client:
        client.set_pool_slots("settlement_api", 99)
        repaired(
            payments,
            "resized pool",
            lambda: (client.pool("settlement_api") or {}).get("slots") == 2,
            SYNC_SECONDS,
        )
        client.request("DELETE", "/api/v2/pools/settlement_api")
        repaired(
            payments,
            "deleted pool",
            lambda: (client.pool("settlement_api") or {}).get("slots") == 2,
            SYNC_SECONDS,
        )


def test_only_what_the_operator_made_is_removed(payments: Environment) -> None:
    """A connection that leaves the spec goes; a pool and a connection that a person made stay."""
    with payments.airflow("payments") as client:
        client.request(
            "POST",
            "/api/v2/pools",
            {"name": "by_hand", "slots": 1, "description": None, "include_deferred": False},
        )
        client.request("POST", "/api/v2/connections", {"connection_id": "by_hand", "conn_type": "http"})
        with payments.restored("payments") as spec:
            kept = [connection for connection in spec["connections"] if connection["id"] != "ledger"]
            payments.patch("payments", {"connections": kept})

            def left() -> set[str]:
                return {connection["connection_id"] for connection in client.all("connections")}

            repaired(payments, "removed connection", lambda: "ledger" not in left(), SYNC_SECONDS)
            assert left() == {"acquirer_api", "by_hand"}
            assert client.pool("by_hand") is not None
        assert left() == {"acquirer_api", "by_hand", "ledger"}
        client.request("DELETE", "/api/v2/pools/by_hand")
        client.request("DELETE", "/api/v2/connections/by_hand")


def test_a_suspended_tenant_is_not_touched_and_one_that_goes_on_is(payments: Environment) -> None:
    payments.patch("payments", {"suspend": True})
    payments.wait_condition("payments", "Ready", "True", "Suspended")
    payments.kube.merge_patch(STATSD, {"spec": {"replicas": 2}})
    time.sleep(5)
    assert present(payments, STATSD)["spec"]["replicas"] == 2
    payments.patch("payments", {"suspend": False})
    repaired(
        payments,
        "after the suspension",
        lambda: present(payments, STATSD)["spec"]["replicas"] == 1,
        REPAIR_SECONDS,
    )
    payments.wait_settled("payments")
