"""What a team can get wrong is said where it can be read, with field and remedy; old pods keep serving."""

from __future__ import annotations

import pytest
from tests.e2e.support import AIRFLOW, Environment, path

from demo import gitserver
from demo.kube import Json
from demo.process import wait_for
from demo.samples import ANALYTICS, PAYMENTS

SECRET = path(PAYMENTS.namespace, "v1", "secrets", "new-secret")


def with_connection(spec: Json) -> list[Json]:
    reference = {"name": "new-secret", "key": "password"}
    return [*spec["connections"], {"id": "new", "type": "http", "passwordSecretRef": reference}]


def test_a_missing_secret_is_named_and_the_tenant_goes_on_when_it_arrives(payments: Environment) -> None:
    pods = payments.wait_settled("payments")
    with payments.restored("payments") as spec:
        payments.patch("payments", {"connections": with_connection(spec)})
        condition = payments.wait_condition(
            "payments", "SecretsResolved", "False", "SecretMissing", seconds=60
        )
        assert "new-secret" in condition.message
        assert "connections" in condition.message
        assert PAYMENTS.namespace in condition.message
        assert not payments.tenant("payments").ready
        assert payments.uids("payments") == pods
        with payments.airflow("payments") as client:
            assert client.pool("settlement_api") is not None, "what runs keeps running"
        payments.kube.apply(gitserver.secret(PAYMENTS.namespace, "new-secret", {"password": "there"}))
        payments.wait_ready("payments", seconds=120)
        with payments.airflow("payments") as client:
            assert client.find("/api/v2/connections/new") is not None
    payments.kube.delete(SECRET)


def test_a_secret_without_the_key_is_named_with_the_key(payments: Environment) -> None:
    payments.kube.apply(gitserver.secret(PAYMENTS.namespace, "new-secret", {"pasword": "a typing error"}))
    with payments.restored("payments") as spec:
        payments.patch("payments", {"connections": with_connection(spec)})
        condition = payments.wait_condition("payments", "SecretsResolved", "False", seconds=60)
        assert "new-secret" in condition.message
        assert "password" in condition.message
    payments.kube.delete(SECRET)


def serving(environment: Environment) -> None:
    with environment.airflow("analytics") as client:
        assert client.dag("visits") is not None


@pytest.mark.timeout(900, func_only=True)
def test_an_unreachable_repository_is_said_while_the_old_pods_serve(analytics: Environment) -> None:
    before = analytics.wait_settled("analytics")
    with analytics.restored("analytics") as spec:
        source = spec["dags"]["sources"][0]
        wrong = gitserver.in_cluster_url("no-such-repository")
        broken = {**source, "gitSync": {**source["gitSync"], "repo": wrong}}
        analytics.patch("analytics", {"dags": {"sources": [broken]}})
        condition = wait_for(
            "a condition that blames Git",
            lambda: next(
                (c for c in analytics.tenant("analytics").conditions.values() if c.reason == "GitSyncFailed"),
                None,
            ),
            seconds=240,
        )
        assert "no-such-repository" in condition.message
        assert "dags.sources" in condition.message
        assert "repo" in condition.message
        assert not analytics.tenant("analytics").ready
        for component in AIRFLOW:
            assert before[component] & analytics.uids("analytics")[component], f"{component} lost its old pod"
        serving(analytics)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pools": [{"name": "p", "slots": -2}]}, "slots"),
        ({"pools": [{"name": "p", "slots": 1}, {"name": "p", "slots": 2}]}, "(?i:duplicate)"),
        ({"unknown": 1}, "unknown"),
        (
            {"dags": {"sources": [{"name": "m", "gitSync": {"repo": "https://u:p@example.com/r.git"}}]}},
            "credentials",
        ),
    ],
    ids=["slots", "twice", "unknown", "credentials"],
)
def test_the_api_server_refuses_what_can_never_work(payments: Environment, change: Json, said: str) -> None:
    tenant = {
        "apiVersion": "airflowtenants.io/v1alpha1",
        "kind": "AirflowTenant",
        "metadata": {"name": "refused"},
        "spec": {"owner": {"team": "x"}, **change},
    }
    with pytest.raises(Exception, match=f"(?s){said}"):
        payments.kube.apply(tenant)


def test_an_import_error_of_a_dag_is_counted_in_the_status(analytics: Environment) -> None:
    with analytics.git.open("analytics", ANALYTICS.repository, "The team's first DAGs") as (copy, url):
        broken = copy.directory / "dags" / "broken.py"
        broken.write_text("from airflow.sdk import dag\nimport no_such_module\n")
        copy.commit("Break a DAG")
        copy.push(url)
        try:
            wait_for(
                "the import error in the status",
                lambda: analytics.tenant("analytics").raw["status"]["dags"][0].get("importErrors") == 1,
                seconds=120,
                seen=lambda: analytics.tenant("analytics").raw["status"].get("dags"),
            )
        finally:
            broken.unlink()
            copy.commit("Repair it")
            copy.push(url)
    wait_for(
        "the end of the import error",
        lambda: analytics.tenant("analytics").raw["status"]["dags"][0].get("importErrors", 0) == 0,
        seconds=120,
    )
