"""No DAG of the library names a connection, a variable or a pool that no sample tenant declares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.dags.home import LIBRARY, ROOT
from tests.dags.library import bag
from tests.dags.test_library import DAG_FILES
from tools.dag_names import used_by_tasks, used_in_code

SAMPLES = ROOT / "manifests" / "tenants" / "base"
TENANT_OF = {"team_ml": "ml", "team_data_engineering": "data-engineering", "team_analytics": "analytics"}
CODE = [*DAG_FILES, *sorted((LIBRARY / "airflow_usecases").glob("*.py"))]


def tenant_of(path: Path) -> str:
    """The sample tenant whose Airflow runs the file."""
    return TENANT_OF.get(path.relative_to(LIBRARY).parts[0], "platform")


def declared(tenant: str, kind: str) -> set[str]:
    """The names that a sample declares."""
    spec = yaml.safe_load((SAMPLES / tenant / "tenant.yaml").read_text())["spec"]
    key = {"connections": "id", "variables": "key", "pools": "name"}[kind]
    return {item[key] for item in spec.get(kind, [])}


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_a_file_names_nothing_that_its_tenant_does_not_declare(path: Path) -> None:
    kinds = ("connections", "variables", "pools")
    tenant = tenant_of(path)
    tasks = [task for dag in bag().dags.values() if dag.fileloc == str(path) for task in dag.tasks]
    used = {*used_in_code(path), *used_by_tasks(tasks)} - {("pools", "default_pool")}
    shared = path.parent.name == "airflow_usecases"
    tenants = [*TENANT_OF.values(), "platform"] if shared else [tenant]
    known = {kind: {name for one in tenants for name in declared(one, kind)} for kind in kinds}
    missing = sorted(f"{kind}: {name}" for kind, name in used if name and name not in known[kind])
    assert missing == [], f"declare them in manifests/tenants/base/{tenant}/tenant.yaml"


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*/tenant.yaml")), ids=lambda path: path.parent.name)
def test_a_tenant_may_reach_what_it_declares(path: Path) -> None:
    spec = yaml.safe_load(path.read_text()).get("spec", {})
    refused = [found for item in spec.get("connections", []) if (found := closed_port(item, spec))]
    assert refused == [], "open it in network.egress"


def closed_port(connection: dict[str, Any], spec: dict[str, Any]) -> str | None:
    """`id: where` when the tenant's egress lets no call of the connection out; None when it does.

    A service of the cluster needs its namespace's rule, any other address a rule by CIDR. Without a port
    it is that of http or https; without both or without a host nothing can be said.
    """
    host = str(connection.get("host") or "")
    scheme, _, name = host.rpartition("://")
    scheme = scheme or str(connection.get("schema") or "")
    port = connection.get("port") or {"https": 443, "http": 80}.get(scheme)
    if not host or not port:
        return None
    name = name.partition("/")[0]
    inside = name.removesuffix(".svc.cluster.local").split(".") if name.endswith(".svc.cluster.local") else []
    namespace = inside[-1] if inside else None
    rules = spec.get("network", {}).get("egress", [])
    open_ports = {n for rule in rules if rule.get("namespace") == namespace for n in rule["ports"]}
    return None if port in open_ports else f"{connection['id']}: {name}:{port}"


@pytest.mark.parametrize(
    ("connection", "refused"),
    [
        ({"host": "http://mlflow.mlflow.svc.cluster.local", "port": 5000}, None),
        (
            {"host": "http://mlflow.mlflow.svc.cluster.local", "port": 443},
            "x: mlflow.mlflow.svc.cluster.local:443",
        ),
        ({"host": "mq.example.com", "port": 5000, "schema": "https"}, "x: mq.example.com:5000"),
        ({"host": "https://hooks.example.com/services"}, None),
        ({"host": "http://old.example.com"}, "x: old.example.com:80"),
        ({"extra": {"region_name": "us-east-1"}}, None),
    ],
)
def test_a_port_is_open_where_the_address_lies(connection: dict[str, Any], refused: str | None) -> None:
    egress = [{"namespace": "mlflow", "ports": [5000]}, {"cidr": "0.0.0.0/0", "ports": [443]}]
    assert closed_port(connection | {"id": "x"}, {"network": {"egress": egress}}) == refused


def test_the_search_finds_what_a_file_names(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text(
        'LAKE = "aws_lake"\nONE, TWO = "tuple_one", "tuple_two"\n'
        "Hook(x_conn_id=TWO)\nOp(kafka_config_id=ONE)\n"
        'S3Hook(aws_conn_id=LAKE)\nBaseHook.get_connection("a")\nPostgresHook("b")\n'
        'Variable.get("c", default=1)\n'
        'Op(http_conn_id="d", pool="e", text="{{ conn.f.host }} {{ var.value.g }}")\n'
        "Op('{{ var.json.h.x }} {{ var.value.get(\"i\") }}')\n"
    )
    assert set(used_in_code(file)) == {
        *(("connections", name) for name in ("aws_lake", "tuple_one", "tuple_two", "a", "b", "d", "f")),
        *(("variables", name) for name in ("c", "g", "h", "i")),
        ("pools", "e"),
    }
