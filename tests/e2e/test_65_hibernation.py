"""A tenant is put to rest in the middle of its work, and goes on with it when it is woken."""

from __future__ import annotations

import time

import pytest
from tests.e2e.support import READY_SECONDS, Environment, path

from demo import steps
from demo.kube import TENANTS, Json, names
from demo.process import wait_for
from demo.samples import ANALYTICS

NAME, SPACE = ANALYTICS.name, ANALYTICS.namespace
ANNOTATION = "airflowtenants.io/state"
SLEEP_SECONDS = 300.0


def annotate(environment: Environment, state: str | None) -> None:
    environment.kube.merge_patch(f"{TENANTS}/{NAME}", {"metadata": {"annotations": {ANNOTATION: state}}})


def wait_state(environment: Environment, state: str, seconds: float) -> float:
    """Wait until the status says so; return the seconds."""
    began = time.monotonic()
    wait_for(
        f"{NAME} to be {state}",
        lambda: environment.tenant(NAME).raw["status"].get("state") == state,
        seconds=seconds,
        seen=lambda: environment.tenant(NAME).summary,
    )
    return time.monotonic() - began


def claims(environment: Environment) -> dict[str, str]:
    found = environment.kube.items(path(SPACE, "v1", "persistentvolumeclaims"))
    return {claim["metadata"]["name"]: claim["metadata"]["uid"] for claim in found}


def alive(environment: Environment) -> list[str]:
    """Pods that run or are to run; of the others only the log is left."""

    def ended(pod: Json) -> bool:
        return pod["status"].get("phase") in ("Succeeded", "Failed")

    return names([pod for pod in environment.kube.items(path(SPACE, "v1", "pods")) if not ended(pod)])


@pytest.mark.timeout(1500, func_only=True)
def test_nothing_of_a_tenant_at_rest_runs_and_awake_it_goes_on_with_its_work(analytics: Environment) -> None:
    analytics.wait_settled(NAME)
    before = claims(analytics)
    assert before
    with analytics.airflow(NAME) as client:
        steps.run_dag(client, ANALYTICS)
        path_ = f"/api/v2/dags/{ANALYTICS.dag}/dagRuns"
        past = client.request("GET", f"{path_}?state=success&limit=1&order_by=-id")["dag_runs"][0][
            "dag_run_id"
        ]
        interrupted = client.trigger(ANALYTICS.dag)
        wait_for("a task of the run", lambda: client.task_states(ANALYTICS.dag, interrupted), seconds=60)

    annotate(analytics, "Hibernated")
    try:
        slept = wait_state(analytics, "Hibernated", SLEEP_SECONDS)
        assert alive(analytics) == []
        assert claims(analytics) == before
        ready = analytics.tenant(NAME).conditions["Ready"]
        assert (ready.status, ready.reason) == ("True", "Hibernated")
        assert ANNOTATION in ready.message
    finally:
        annotate(analytics, None)
    woke = wait_state(analytics, "Running", READY_SECONDS)
    analytics.wait_settled(NAME)
    analytics.console.say(f"asleep after {slept:.0f} s, components up after {woke:.0f} s")

    assert claims(analytics) == before
    with analytics.airflow(NAME) as client:
        assert client.run_state(ANALYTICS.dag, past) == "success", "its history is there"
        # What was under way is lost with its pods and tried again.
        client.wait_for_run(ANALYTICS.dag, interrupted, seconds=400)
        steps.run_dag(client, ANALYTICS)
