"""A key out of Vault and out of AWS Secrets Manager.

The Vault stub answers as the KV secrets engine, version 2, is documented
(https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version): `GET
/v1/:mount/data/:path` with the token in `X-Vault-Token`; 404 with an empty list of errors for no such secret.
"""

from __future__ import annotations

import base64
import json
import logging
import re

import pytest
from tests.dags.runner import run
from werkzeug import Request, Response

from airflow_usecases.secret_stores import STORES, worker_settings

DAG_ID = "phase16_01_secrets_backend"
TOKEN = "vault-token-of-the-test"
FIRST, SECOND = "k3y-before-the-rotation", "k3y-after-the-rotation"


class Vault:
    """Secrets by path; what was read is in `reads`."""

    def __init__(self):
        self.secrets = {}
        self.reads = []

    def put(self, path, **values):
        version = self.secrets.get(path, {"metadata": {"version": 0}})["metadata"]["version"] + 1
        self.secrets[path] = {
            "data": values,
            "metadata": {
                "created_time": "2026-03-02T08:00:00.000000Z",
                "custom_metadata": None,
                "deletion_time": "",
                "destroyed": False,
                "version": version,
            },
        }

    def answer(self, request: Request) -> Response:
        if request.headers.get("X-Vault-Token") != TOKEN:
            return reply({"errors": ["permission denied"]}, 403)
        path = request.path.removeprefix("/v1/")
        if path == "auth/token/lookup-self":
            return reply({"data": {"id": TOKEN, "policies": ["airflow"]}})
        if not path.startswith("airflow/data/"):
            return reply({"errors": ["no handler for route"]}, 404)
        path = path.removeprefix("airflow/data/")
        self.reads.append(path)
        if path not in self.secrets:
            return reply({"errors": []}, 404)
        return reply({"request_id": "1", "lease_id": "", "renewable": False, "data": self.secrets[path]})


def reply(body, status=200):
    return Response(json.dumps(body), status, content_type="application/json")


@pytest.fixture
def partner(httpserver):
    """The partner's API; it echoes the key that it was called with, as careless services do."""

    def answer(request: Request) -> Response:
        return reply({"quota": 250, "called_with": request.authorization.password})

    httpserver.expect_request("/v1/quota", method="GET").respond_with_handler(answer)
    return httpserver


@pytest.fixture(autouse=True)
def _forget_stores():
    from airflow.sdk.configuration import clear_secrets_backends_cache

    clear_secrets_backends_cache()
    yield
    clear_secrets_backends_cache()


@pytest.fixture
def vault(httpserver, monkeypatch):
    store = Vault()

    httpserver.expect_request(re.compile(r"/v1/(airflow|auth)/.*")).respond_with_handler(store.answer)
    settings = worker_settings("vault", url="https://vault.example.com", kubernetes_role="airflow")
    arguments = json.loads(settings["AIRFLOW__WORKERS__SECRETS_BACKEND_KWARGS"])
    # the stub has neither TLS nor Kubernetes: address and login are the test's own
    arguments |= {"url": httpserver.url_for("").rstrip("/"), "auth_type": "token", "token": TOKEN}
    settings["AIRFLOW__WORKERS__SECRETS_BACKEND_KWARGS"] = json.dumps(arguments)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return store


@pytest.fixture
def secrets_manager(aws, monkeypatch):
    settings = worker_settings("aws", region_name="us-east-1", endpoint_url=aws.endpoint)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    return aws.client("secretsmanager")


def connection_to(server, key):
    return {
        "conn_type": "http",
        "host": f"http://{server.host}",
        "port": server.port,
        "login": "shop",
        "password": key,
    }


def keys_seen(server):
    return [
        base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
        for request, _ in server.log
        if request.path == "/v1/quota"
    ]


def no_secret_in(text, *keys):
    derived = [base64.b64encode(f"shop:{key}".encode()).decode() for key in keys]
    return not any(secret in text for secret in [*keys, *derived])


@pytest.mark.covers("P16.1")
def test_the_connection_and_a_variable_come_from_vault(vault, partner):
    vault.put("connections/partner_api", **connection_to(partner, FIRST))
    vault.put("variables/platform_partner_region", value="us")
    done = run(DAG_ID)
    assert done.state == "success"
    assert done.xcom("name_store") == "vault"
    assert done.xcom("call_partner") == {"region": "us", "quota": 250}
    assert keys_seen(partner) == [f"shop:{FIRST}"]
    assert "connections/partner_api" in vault.reads


@pytest.mark.covers("P16.1")
def test_the_connection_comes_from_secrets_manager(secrets_manager, partner):
    secrets_manager.create_secret(
        Name="airflow/connections/partner_api", SecretString=json.dumps(connection_to(partner, FIRST))
    )
    done = run(DAG_ID)
    assert done.state == "success"
    assert done.xcom("name_store") == "aws"
    assert keys_seen(partner) == [f"shop:{FIRST}"]


@pytest.mark.covers("P16.1")
def test_a_rotated_key_counts_from_the_next_run_on_vault(vault, partner):
    for key in (FIRST, SECOND):
        vault.put("connections/partner_api", **connection_to(partner, key))
        assert run(DAG_ID).state == "success"
    assert keys_seen(partner) == [f"shop:{FIRST}", f"shop:{SECOND}"]


@pytest.mark.covers("P16.1")
def test_a_rotated_key_counts_from_the_next_run_on_secrets_manager(secrets_manager, partner):
    name = "airflow/connections/partner_api"
    secrets_manager.create_secret(Name=name, SecretString=json.dumps(connection_to(partner, FIRST)))
    assert run(DAG_ID).state == "success"
    secrets_manager.put_secret_value(SecretId=name, SecretString=json.dumps(connection_to(partner, SECOND)))
    assert run(DAG_ID).state == "success"
    assert keys_seen(partner) == [f"shop:{FIRST}", f"shop:{SECOND}"]


@pytest.mark.covers("P16.1")
def test_the_key_and_what_is_derived_from_it_are_masked(vault, partner, caplog):
    """dag.test() logs in this process, before the masker; the live Airflow's log file is proven elsewhere."""
    from airflow.sdk._shared.secrets_masker import redact

    key = "k3y-that-only-this-test-uses"
    vault.put("connections/partner_api", **connection_to(partner, key))
    with caplog.at_level(logging.INFO):
        assert run(DAG_ID).state == "success"
    assert any(text.startswith("answer 200, ") for text in caplog.messages)
    assert no_secret_in("\n".join(text for text in caplog.messages if text.startswith("answer")), key)
    assert redact(f"called with {key}") == "called with ***"
    token = base64.b64encode(f"shop:{key}".encode()).decode()
    assert redact(f"Basic {token}") == "Basic ***"


@pytest.mark.covers("P16.1")
def test_no_xcom_and_no_rendered_field_holds_the_key(vault, partner):
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.utils.session import create_session
    from sqlalchemy import select

    vault.put("connections/partner_api", **connection_to(partner, FIRST))
    done = run(DAG_ID)
    with create_session() as session:
        query = select(RenderedTaskInstanceFields).where(RenderedTaskInstanceFields.run_id == done.run_id)
        fields = {row.task_id: row.rendered_fields for row in session.scalars(query)}
    assert fields["check_key"]["env"] == {"PARTNER_KEY": "***"}
    stored = json.dumps([fields, *(done.xcoms(task) for task in done.tasks)], default=str)
    assert no_secret_in(stored, FIRST)
    assert done.xcoms("check_key") == {}


def test_a_refused_key_is_not_tried_again(vault, httpserver, caplog):
    httpserver.expect_request("/v1/quota").respond_with_data("no" * 200, status=401)
    vault.put("connections/partner_api", **connection_to(httpserver, FIRST))
    done = run(DAG_ID)
    assert done.states["call_partner"] == "failed"
    assert done.tries("call_partner") == 1
    assert keys_seen(httpserver) == [f"shop:{FIRST}"]
    assert f"the partner says: {'no' * 100}" in caplog.messages


def test_without_a_store_the_environment_answers(partner, connect):
    fields = connection_to(partner, FIRST)
    connect("partner_api", fields.pop("conn_type"), **fields)
    done = run(DAG_ID)
    assert done.xcom("name_store") == "none"
    assert done.xcom("call_partner") == {"region": "eu", "quota": 250}


@pytest.mark.parametrize("kind", ["vault", "aws", "azure"])
def test_the_settings_fit_the_installed_backend(kind):
    import inspect

    from airflow.sdk._shared.module_loading import import_string

    given = {"vault": {"url": "https://v", "kubernetes_role": "r"}, "aws": {"region_name": "r"}}
    settings = worker_settings(kind, **given.get(kind, {"vault_url": "https://v"}))
    backend = import_string(settings["AIRFLOW__WORKERS__SECRETS_BACKEND"])
    accepted = inspect.signature(backend.__init__).parameters
    assert set(STORES[kind].fixed) <= set(accepted)
