"""Two teams, applied together: each gets an Airflow that is as its AirflowTenant says."""

from __future__ import annotations

import json
import secrets
import time
import urllib.request

import pytest
from tests.e2e.support import Environment

from demo import gitserver, samples, steps, tenants
from demo.airflow_client import AirflowClient
from demo.errors import ApiError
from demo.process import wait_for
from demo.samples import FIRST_MESSAGE, NEXT_DAG, NEXT_FOLDER, NEXT_MESSAGE, PAYMENTS, SAMPLES, Sample

BOTH = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)


@pytest.mark.covers("S000-10", "S003-19")
@pytest.mark.timeout(900, func_only=True)
def test_both_tenants_become_ready(environment: Environment) -> None:
    environment.wait_ready(*(sample.name for sample in SAMPLES), seconds=880)
    for sample in SAMPLES:
        tenant = environment.tenant(sample.name)
        conditions = {kind: condition.status for kind, condition in tenant.conditions.items()}
        assert {conditions[kind] for kind in tenants.STAGES.values()} == {"True"}, conditions
        assert conditions.get("Stalled", "False") == conditions.get("Reconciling", "False") == "False"
        assert tenant.raw["status"]["url"].startswith(
            f"http://{sample.name}-api-server.{sample.namespace}.svc"
        )


@BOTH
def test_a_dag_from_git_runs_to_success(environment: Environment, sample: Sample) -> None:
    environment.wait_ready(sample.name)
    with environment.airflow(sample.name) as client:
        steps.run_dag(client, sample)


def test_every_task_of_the_kubernetes_executor_has_a_pod_of_its_own(analytics: Environment) -> None:
    with analytics.airflow("analytics") as client:
        runs = client.request("GET", "/api/v2/dags/visits/dagRuns?limit=1&order_by=-id")["dag_runs"]
        run = runs[0]["dag_run_id"]
        tasks = client.request("GET", f"/api/v2/dags/visits/dagRuns/{run}/taskInstances")["task_instances"]
    hosts = [task["hostname"] for task in tasks]
    assert len(tasks) == 4
    assert len(set(hosts)) == 4
    assert not any("scheduler" in host for host in hosts)


@pytest.mark.covers("S000-23")
def test_a_git_push_is_visible(payments: Environment) -> None:
    with payments.airflow("payments") as client:
        commit = gitserver.add_commit(
            payments.git, "payments", PAYMENTS.repository, FIRST_MESSAGE, NEXT_FOLDER, NEXT_MESSAGE
        )
        pushed = time.monotonic()
        wait_for("the new DAG", lambda: steps.is_at_commit(client, NEXT_DAG, commit), seconds=90, poll=0.5)
        payments.console.say(f"git push to visible: {time.monotonic() - pushed:.1f} s")

    def in_status() -> bool:
        found = payments.tenant("payments").raw["status"]["dags"]
        return [(source["name"], source["commit"]) for source in found] == [("main", commit)]

    wait_for("the commit in the tenant's status", in_status, seconds=120)
    source = payments.tenant("payments").raw["status"]["dags"][0]
    assert source["dagCount"] == 2
    assert source["importErrors"] == 0


@BOTH
def test_pools_connections_and_variables_are_as_the_spec_says(
    environment: Environment, sample: Sample
) -> None:
    environment.wait_ready(sample.name)
    spec = environment.tenant(sample.name).raw["spec"]
    with environment.airflow(sample.name) as client:
        pools = {pool["name"]: pool for pool in client.all("pools")}
        connections = {connection["connection_id"]: connection for connection in client.all("connections")}
        variables = {variable["key"]: variable["value"] for variable in client.all("variables")}
    for wanted in spec["pools"]:
        assert pools[wanted["name"]]["slots"] == wanted["slots"]
    for wanted in spec["connections"]:
        found = connections[wanted["id"]]
        assert found["conn_type"] == wanted["type"]
        assert {key: found[key] for key in ("host", "login", "schema", "port") if key in wanted} == {
            key: wanted[key] for key in ("host", "login", "schema", "port") if key in wanted
        }
        assert found["password"] == "***"
        assert json.loads(found["extra"] or "{}") == wanted.get("extra", {})
    for wanted in spec["variables"]:
        expected = wanted.get("value") or sample.secrets[wanted["valueSecretRef"]["name"]]["email"]
        assert variables[wanted["key"]] == expected


def test_the_role_has_exactly_the_permissions_of_the_spec(payments: Environment) -> None:
    role = payments.tenant("payments").raw["spec"]["roles"][0]
    wanted = {(action, item["resource"]) for item in role["permissions"] for action in item["actions"]}
    with payments.airflow("payments") as client:
        assert client.roles()[role["name"]] == wanted


@pytest.mark.covers("S002-14")
def test_the_first_administrator_has_a_generated_password(payments: Environment) -> None:
    secret = gitserver.read_secret(payments.kube, PAYMENTS.namespace, "payments-admin")
    assert secret is not None
    generated = len(secret["password"]) >= 20 and len(set(secret["password"])) >= 8
    assert generated
    with payments.airflow("payments") as client:
        users = {
            user["username"]: user for user in client.request("GET", "/auth/fab/v1/users?limit=100")["users"]
        }
    assert [role["name"] for role in users["admin"]["roles"]] == ["Admin"]
    assert users["admin"]["email"] == payments.tenant("payments").raw["spec"]["owner"]["email"]


@pytest.mark.covers("S002-17")
def test_nobody_gets_in_without_a_login_and_nobody_reads_the_configuration(payments: Environment) -> None:
    with payments.airflow("payments") as client:
        with pytest.raises(ApiError) as stranger:
            client.request("GET", "/api/v2/dags", login=False)
        with pytest.raises(ApiError) as administrator:
            client.request("GET", "/api/v2/config")
    assert (stranger.value.status, administrator.value.status) == (401, 403)


def test_the_teams_role_opens_what_it_names_and_nothing_else(payments: Environment) -> None:
    password = secrets.token_urlsafe(18)
    alice = {
        "username": "alice",
        "email": "alice@example.com",
        "first_name": "Alice",
        "last_name": "Payments",
        "roles": [{"name": "payments-operator"}],
        "password": password,
    }
    with payments.kube.forward("airflow-payments", "svc/payments-api-server", 8080) as url:
        with payments.airflow("payments") as client:
            if client.find("/auth/fab/v1/users/alice") is not None:
                client.request("DELETE", "/auth/fab/v1/users/alice")
            client.request("POST", "/auth/fab/v1/users", alice)
        person = AirflowClient(url, "alice", password)
        assert person.dag("settlement") is not None
        assert person.trigger("settlement")
        with pytest.raises(ApiError, match="HTTP 403"):
            person.set_pool_slots("settlement_api", 5)
        with pytest.raises(ApiError, match="HTTP 403"):
            person.request("GET", "/api/v2/connections")


def test_kubectl_get_aft_shows_the_truth(payments: Environment) -> None:
    lines = payments.kube.kubectl("get", "aft", "payments").splitlines()
    row = dict(zip(lines[0].split("  "), lines[1].split("  "), strict=False))
    text = " ".join(lines)
    assert row["NAME"] == "payments"
    for part in ("True", "3.3.2", "LocalExecutor"):
        assert part in text


@BOTH
def test_helm_shows_the_tenants_release(environment: Environment, sample: Sample) -> None:
    helm = environment.platform.run_helm
    releases = {r["name"]: r for r in json.loads(helm("ls", "-A", "-o", "json"))}
    assert releases[sample.name]["namespace"] == sample.namespace
    assert releases[sample.name]["status"] == "deployed"
    where = ("-n", sample.namespace)
    assert json.loads(helm("status", sample.name, *where, "-o", "json"))["info"]["status"] == "deployed"
    values = json.loads(helm("get", "values", sample.name, *where, "-o", "json"))
    assert values["executor"] == environment.tenant(sample.name).raw["spec"]["airflow"]["executor"]
    manifest = helm("get", "manifest", sample.name, *where)
    assert f"name: {sample.name}-api-server" in manifest
    history = json.loads(helm("history", sample.name, *where, "-o", "json"))
    assert history[-1]["revision"] == environment.tenant(sample.name).raw["status"]["release"]["revision"]


def test_no_secret_is_in_the_release_record(payments: Environment) -> None:
    secret = gitserver.read_secret(payments.kube, PAYMENTS.namespace, "payments-admin")
    assert secret is not None
    where = ("-n", PAYMENTS.namespace)
    shown = payments.platform.run_helm("get", "manifest", "payments", *where)
    shown += payments.platform.run_helm("get", "values", "payments", *where, "-o", "yaml")
    leaked = secret["password"] in shown
    assert not leaked


@pytest.mark.parametrize(
    ("who", "verb", "what", "namespace", "allowed"),
    [
        ("payments-devs", "get", "pods", "airflow-payments", "yes"),
        ("payments-devs", "delete", "pods", "airflow-payments", "yes"),
        ("payments-devs", "get", "secrets", "airflow-payments", "no"),
        ("payments-devs", "get", "pods", "airflow-analytics", "no"),
        ("payments-auditors", "get", "pods", "airflow-payments", "yes"),
        ("payments-auditors", "delete", "pods", "airflow-payments", "no"),
    ],
)
def test_the_teams_people_have_their_rights_and_no_others(
    payments: Environment, who: str, verb: str, what: str, namespace: str, allowed: str
) -> None:
    wanted = f"auth can-i {verb} {what} -n {namespace} --as=alice --as-group={who}".split()
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": "alice",
            "groups": [who],
            "resourceAttributes": {"namespace": namespace, "verb": verb, "resource": what},
        },
    }
    status, body = payments.kube.request(
        "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", json.dumps(review)
    )
    assert status == 201, wanted
    assert json.loads(body)["status"]["allowed"] is (allowed == "yes")


def test_the_user_interface_answers(payments: Environment) -> None:
    with (
        payments.kube.forward("airflow-payments", "svc/payments-api-server", 8080) as url,
        urllib.request.urlopen(url, timeout=30) as page,  # noqa: S310 - our own loopback address
    ):
        assert page.status == 200
        assert "text/html" in page.headers["Content-Type"]
        assert b"<html" in page.read()


def test_a_browser_can_log_in(payments: Environment) -> None:
    """The login page is on the address that the browser already uses, not on a name inside the cluster."""
    with payments.kube.forward("airflow-payments", "svc/payments-api-server", 8080) as url:
        page = urllib.request.urlopen(f"{url}/api/v2/auth/login", timeout=30)  # noqa: S310 - our own address
        with page:
            assert page.url.startswith(f"{url}/auth/login")
            assert b'name="password"' in page.read()


def test_the_namespace_carries_the_wall(payments: Environment) -> None:
    namespace = payments.kube.get("/api/v1/namespaces/airflow-payments")
    assert namespace is not None
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    quotas = payments.kube.items("/api/v1/namespaces/airflow-payments/resourcequotas")
    hard = payments.tenant("payments").raw["spec"]["quota"]["hard"]
    assert quotas[0]["spec"]["hard"] == hard
    assert samples.GIT_SECRET in {
        s["metadata"]["name"] for s in payments.kube.items("/api/v1/namespaces/airflow-payments/secrets")
    }
