"""An edited tenant rolls the pods that the edit is about, and no others."""

from __future__ import annotations

import pytest
from tests.e2e.support import AIRFLOW, GIT_SECRET, Environment, path

from demo import gitserver
from demo.process import wait_for
from demo.samples import PAYMENTS


def changed(before: dict[str, frozenset[str]], after: dict[str, frozenset[str]]) -> set[str]:
    return {component for component in before | after if before.get(component) != after.get(component)}


def environment_of(environment: Environment, component: str) -> dict[str, str]:
    container = environment.pods("payments", component)[0]["spec"]["containers"][0]
    return {entry["name"]: entry.get("value", "") for entry in container.get("env", [])}


@pytest.mark.timeout(900, func_only=True)
def test_new_settings_and_variables_roll_airflow_and_nothing_else(payments: Environment) -> None:
    before = payments.wait_settled("payments")
    with payments.restored("payments") as spec:
        config = {"core": {**spec["airflow"]["config"]["core"], "max_active_runs_per_dag": "3"}}
        payments.patch(
            "payments", {"airflow": {"config": config, "env": [{"name": "GREETING", "value": "hello"}]}}
        )
        wait_for("the roll", lambda: not payments.tenant("payments").ready, seconds=60, poll=0.2)
        after = payments.wait_settled("payments")
        assert changed(before, after) == set(AIRFLOW)
        for component in AIRFLOW:
            assert environment_of(payments, component)["GREETING"] == "hello"
        with payments.airflow("payments") as client:
            assert client.health()["scheduler"]["status"] == "healthy"


def test_more_replicas_of_one_component_start_only_those(payments: Environment) -> None:
    before = payments.wait_settled("payments")
    with payments.restored("payments"):
        payments.patch("payments", {"airflow": {"triggerer": {"replicas": 2}}})
        wait_for("a second triggerer", lambda: len(payments.pods("payments", "triggerer")) == 2, seconds=60)
        after = payments.wait_settled("payments")
        assert changed(before, after) == {"triggerer"}
        assert before["triggerer"] < after["triggerer"]


def test_a_changed_connection_password_reaches_airflow_without_a_restart(payments: Environment) -> None:
    before = payments.wait_settled("payments")
    where = path(PAYMENTS.namespace, "v1", "secrets", "ledger-database")
    with payments.airflow("payments") as client:

        def description() -> str:
            found = client.find("/api/v2/connections/ledger")
            assert found is not None
            return str(found["description"])

        was = description()
        payments.kube.merge_patch(where, {"stringData": {"password": "another one"}})
        wait_for("the new password's fingerprint", lambda: description() != was, seconds=60)
    assert payments.wait_settled("payments") == before


@pytest.mark.timeout(900, func_only=True)
def test_a_changed_git_secret_rolls_the_pods_that_read_it(payments: Environment) -> None:
    before = payments.wait_settled("payments")
    where = path(PAYMENTS.namespace, "v1", "secrets", GIT_SECRET)
    payments.kube.merge_patch(where, {"stringData": {"rotated": "yes"}})
    readers = {"scheduler", "dag-processor", "triggerer"}
    wait_for("the roll", lambda: changed(before, payments.uids("payments")) >= readers, seconds=180)
    after = payments.wait_settled("payments")
    assert changed(before, after) == readers
    kept = gitserver.read_secret(payments.kube, PAYMENTS.namespace, GIT_SECRET)
    assert kept is not None
    assert kept["password"] == payments.git.password
