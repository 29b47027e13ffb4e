"""The sample tenants of the DAG library's teams, brought by the operator into a real Airflow."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.airflow.environment import ROOT
from tests.airflow.server import AirflowServer

from tenant_operator.adapters.airflow_api import AirflowApi
from tenant_operator.core.airflow_types import OwnedNames
from tenant_operator.plan import secrets, tenant_objects
from tenant_operator.plan.tenant import Tenant, parse
from tenant_operator.reconcile.objects import sync_objects

FILES = {
    name: ROOT / "manifests" / "tenants" / "base" / name / "tenant.yaml"
    for name in ("analytics", "data-engineering", "ml", "platform")
}
SECRET = "s3cret-of-the-tenant"


def load(path: Path) -> Tenant:
    return parse(yaml.safe_load(path.read_text()) | {"metadata": {"name": path.parent.name, "uid": "1"}})


def desired(tenant: Tenant) -> Any:
    """The wanted objects, each referenced Secret holding something."""
    existing: dict[str, Any] = {}
    for reference in secrets.references(tenant):
        data = existing.setdefault(reference.secret, {"metadata": {"name": reference.secret}, "data": {}})[
            "data"
        ]
        for key in reference.keys:
            as_json = reference.field.endswith("extraSecretRef")
            text = json.dumps({"private_key": SECRET}) if as_json else SECRET
            data[key] = base64.b64encode(text.encode()).decode()
    for name, keys in secrets.required(tenant).items():
        existing[name] = {
            "metadata": {"name": name},
            "data": {key: base64.b64encode(b"x" * 32).decode() for key in keys},
        }
    return tenant_objects.desired(tenant, secrets.resolve(tenant, existing))


def listed(airflow: AirflowServer, kind: str, key: str) -> dict[str, dict[str, Any]]:
    page = airflow.call("GET", f"/api/v2/{kind}?limit=100")
    return {item[key]: item for item in page[kind]}


async def bring(api: AirflowApi, name: str) -> Tenant:
    """Let the operator make a sample's objects."""
    tenant = load(FILES[name])
    result = await sync_objects(api, desired(tenant), OwnedNames(), hmac_key=b"k" * 32, tenant=name)
    assert result.ok, result.errors
    return tenant


@pytest.mark.parametrize("name", FILES)
async def test_airflow_holds_what_the_sample_declares(
    api: AirflowApi, airflow: AirflowServer, name: str
) -> None:
    spec = (await bring(api, name)).spec

    pools = listed(airflow, "pools", "name")
    assert pools.keys() - {"default_pool"} == {pool.name for pool in spec.pools}
    assert {n: pools[n]["slots"] for n in pools if n != "default_pool"} == {
        p.name: p.slots for p in spec.pools
    }

    connections = listed(airflow, "connections", "connection_id")
    assert connections.keys() == {connection.id for connection in spec.connections}
    for wanted in spec.connections:
        found = connections[wanted.id]
        assert found["conn_type"] == wanted.type
        assert found["host"] == (wanted.host or None)
        assert found["port"] == wanted.port
        assert found["schema"] == (wanted.schema_ or None)
        assert found["login"] == (wanted.login or None)
        assert found["password"] == ("***" if wanted.password_secret_ref else None)
        extra = json.loads(found["extra"] or "{}")
        assert wanted.extra.items() <= extra.items()

    variables = listed(airflow, "variables", "key")
    assert {key: item["value"] for key, item in variables.items()} == {v.key: v.value for v in spec.variables}


def row(row_id: str, *values: Any) -> Any:
    return pytest.param(*values, marks=pytest.mark.covers(row_id), id=f"{row_id}-{values[1]}")


MLFLOW = "mlflow.svc.cluster.local"
CONNECTIONS = [
    row("CN-1", "ml", "mlflow_default", "http", {"host": f"http://mlflow.{MLFLOW}", "port": 5000}, {}),
    row(
        "CN-2",
        *("ml", "kubeflow_default", "http"),
        *({"host": "http://ml-pipeline.kubeflow.svc.cluster.local", "port": 8888}, {}),
    ),
    row(
        "CN-3",
        *("ml", "postgres_ml", "postgres"),
        {
            "host": f"postgres-postgresql.{MLFLOW}",
            "port": 5432,
            "login": "mlflow",
            "schema": "mlflow",
            "password": "***",
        },
        {},
    ),
    row("CN-4", "ml", "minio_default", "aws", {}, {"endpoint_url": f"http://minio.{MLFLOW}:9000"}),
    row(
        "CN-5",
        *("ml", "slack_webhook", "slackwebhook"),
        *({"host": "https://hooks.slack.com/services", "password": "***"}, {}),
    ),
    row("CN-5", "platform", "slack_conn", "slack", {"password": "***"}, {}),
    row("CN-6", "data-engineering", "aws_default", "aws", {"password": None}, {"region_name": "us-east-1"}),
    row("CN-6", "platform", "aws_conn", "aws", {"password": None}, {"region_name": "us-east-1"}),
    row("CN-6", "data-engineering", "aws_encrypted", "aws", {"password": None}, {"region_name": "us-east-1"}),
    row("CN-6", "platform", "aws_kms", "aws", {"password": None}, {"region_name": "us-east-1"}),
    row(
        "CN-7", "data-engineering", "redshift_default", "redshift", {"port": 5439}, {"sslmode": "verify-full"}
    ),
    row("CN-7", "data-engineering", "redshift_prod", "redshift", {"port": 5439}, {"sslmode": "verify-full"}),
    row("CN-8", "platform", "postgres_conn", "postgres", {"port": 5432}, {"sslmode": "verify-full"}),
    row("CN-8", "platform", "db_prod", "postgres", {"port": 5432}, {"sslmode": "verify-full"}),
    row(
        "CN-9",
        *("platform", "on_prem_ssh", "ssh", {"host": "192.168.1.100", "password": None}),
        {"no_host_key_check": False, "private_key": "***"},
    ),
    row(
        "CN-9",
        *("platform", "sftp_prod", "sftp", {"host": "sftp.example.com", "password": None}),
        {"no_host_key_check": False, "private_key": "***"},
    ),
    row(
        "CN-10",
        *("platform", "smtp_default", "smtp", {"host": "smtp.gmail.com", "port": 587, "password": "***"}),
        {"disable_ssl": True, "disable_tls": False, "from_email": "airflow@example.com"},
    ),
    row(
        "CN-10",
        "platform",
        "vault",
        "vault",
        {"schema": "https", "password": "***"},
        {"mount_point": "secret"},
    ),
    row("CN-10", "data-engineering", "emr", "emr", {"password": None}, {}),
]


@pytest.mark.parametrize(("name", "conn_id", "conn_type", "fields", "extra"), CONNECTIONS)
async def test_connections_that_dags_name(
    api: AirflowApi,
    airflow: AirflowServer,
    name: str,
    conn_id: str,
    conn_type: str,
    fields: dict[str, Any],
    extra: dict[str, Any],
) -> None:
    await bring(api, name)
    found = listed(airflow, "connections", "connection_id")[conn_id]
    assert found["conn_type"] == conn_type
    assert {field: found[field] for field in fields} == fields
    assert extra.items() <= json.loads(found["extra"] or "{}").items()


PIPELINE = {
    "model_name": "churn-classifier",
    "accuracy_threshold": 0.85,
    "data_source": "s3://data/customers/",
    "n_estimators": 100,
    "max_depth": 10,
}
VARIABLES = [
    row("VR-1", "ml", "ml_model_threshold", 0.85),
    row("VR-2", "ml", "environment", "production"),
    row("VR-3", "ml", "ml_config", {"default_model": "random_forest", "max_training_time": 3600}),
    row("VR-4", "ml", "ml_pipeline_config", PIPELINE),
    row("VR-5", "data-engineering", "emr_application_id", "00example0app"),
    row(
        "VR-6", "data-engineering", "emr_execution_role", "arn:aws:iam::111122223333:role/emr-serverless-job"
    ),
]


@pytest.mark.parametrize(("name", "key", "value"), VARIABLES)
async def test_variables_that_dags_name(
    api: AirflowApi, airflow: AirflowServer, name: str, key: str, value: Any
) -> None:
    await bring(api, name)
    found = listed(airflow, "variables", "key")[key]["value"]
    assert (found if isinstance(value, str) else json.loads(found)) == value


POOLS = [
    row("PL-1", "ml", "gpu_pool", 2, "GPU resources pool"),
    row("PL-2", "ml", "cpu_intensive", 4, "CPU intensive tasks pool"),
    row("PL-3", "ml", "api_calls", 10, "External API calls pool"),
]


@pytest.mark.parametrize(("name", "pool", "slots", "description"), POOLS)
async def test_pools_that_dags_name(
    api: AirflowApi, airflow: AirflowServer, name: str, pool: str, slots: int, description: str
) -> None:
    await bring(api, name)
    found = listed(airflow, "pools", "name")[pool]
    assert found["slots"] == slots
    assert found["description"].startswith(description)


@pytest.mark.covers("VR-7")
def test_a_secret_is_no_variable_but_part_of_a_connection() -> None:
    secret_word = re.compile(r"password|passwd|secret|token|private_key|api_key", re.IGNORECASE)
    for path in FILES.values():
        tenant = load(path)
        assert [v.key for v in tenant.spec.variables if secret_word.search(v.key)] == []
        assert all(v.value_secret_ref is None for v in tenant.spec.variables)
    platform = load(FILES["platform"])
    kept = {
        c.id: (c.password_secret_ref or c.extra_secret_ref) is not None for c in platform.spec.connections
    }
    assert kept["db_prod"]
    assert kept["sftp_prod"]


def test_no_sample_holds_a_secret() -> None:
    for path in FILES.values():
        text = path.read_text()
        assert not re.search(
            r"BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}|xox[abp]-|hooks\.slack\.com/services/T", text
        )
        for connection in load(path).spec.connections:
            assert not [
                key for key in connection.extra if key.endswith(("password", "secret", "token", "key"))
            ]
