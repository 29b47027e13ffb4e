"""Objects inside a real Airflow follow the spec: made, put back, removed, or only watched.

One Airflow serves all tenants of this module; each has a ledger of its own, so to each the objects of the
others are foreign.
"""

from __future__ import annotations

import base64
import sqlite3
import subprocess
import urllib.error
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.fernet import Fernet, InvalidToken
from tests.airflow.environment import airflow_bin
from tests.airflow.server import AirflowServer
from tests.controller.process import eventually
from tests.controller.stack import Stack, TenantUnderTest, running

from tenant_operator.core import kinds, names

_WAIT = 40.0


@pytest.fixture(scope="module")
def airflow_stack(airflow: AirflowServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An operator that takes this Airflow for every tenant's."""
    with running(tmp_path_factory.mktemp("airflow-stack"), airflow_url=airflow.url) as stack:
        yield stack


@pytest.fixture
def stack(airflow_stack: Stack) -> Iterator[Stack]:
    """Tenants of a test go with it."""
    yield airflow_stack
    airflow_stack.clean()


def prepared(stack: Stack, airflow: AirflowServer, prefix: str, password: str = "") -> TenantUnderTest:
    """A tenant whose operator user is the server's own."""
    tenant = stack.tenant(prefix)
    tenant.prepare_namespace()
    stack.api.secret(
        f"{tenant.name}-operator",
        tenant.namespace,
        username=airflow.username,
        password=password or airflow.password,
        hmac_key="key",
    )
    return tenant


def find(airflow: AirflowServer, path: str) -> Any:
    """An object of Airflow, or None."""
    try:
        return airflow.call("GET", path)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 404:
                return None
            raise


def pool(airflow: AirflowServer, name: str) -> Any:
    return find(airflow, f"/api/v2/pools/{quote(name, safe='')}")


def variable(airflow: AirflowServer, key: str) -> Any:
    return find(airflow, f"/api/v2/variables/{quote(key, safe='')}")


def connection(airflow: AirflowServer, id_: str) -> Any:
    return find(airflow, f"/api/v2/connections/{id_}")


def role(airflow: AirflowServer, name: str) -> Any:
    return find(airflow, f"/auth/fab/v1/roles/{name}")


def test_objects_of_every_kind_are_made(stack: Stack, airflow: AirflowServer) -> None:
    tenant = prepared(stack, airflow, "made")
    stack.api.secret(
        "db", tenant.namespace, password="hunter2", extra='{"sslmode": "require"}', token="s3cr3t"
    )
    name = tenant.name
    tenant.create(
        pools=[{"name": f"{name}-pool", "slots": 3, "description": "d", "includeDeferred": True}],
        connections=[
            {
                "id": f"{name}-db",
                "type": "postgres",
                "host": "db",
                "port": 5432,
                "schema": "s",
                "login": "l",
                "passwordSecretRef": {"name": "db", "key": "password"},
                "extra": {"keepalives": 1},
                "extraSecretRef": {"name": "db", "key": "extra"},
            }
        ],
        variables=[
            {"key": f"{name}-plain", "value": "v"},
            {"key": f"{name}-secret", "valueSecretRef": {"name": "db", "key": "token"}},
        ],
        roles=[{"name": f"{name}-role", "permissions": [{"resource": "DAGs", "actions": ["can_read"]}]}],
    )
    tenant.wait("Ready", seconds=60)
    found = tenant.wait("ObjectsSynced")
    assert found["message"].startswith("5 object(s) are as the spec says")

    made = pool(airflow, f"{name}-pool")
    assert (made["slots"], made["include_deferred"]) == (3, True)
    made = connection(airflow, f"{name}-db")
    assert (made["conn_type"], made["host"], made["port"], made["schema"], made["login"]) == (
        "postgres", "db", 5432, "s", "l",
    )  # fmt: skip
    assert variable(airflow, f"{name}-plain")["value"] == "v"
    assert variable(airflow, f"{name}-secret") is not None
    assert [
        (a["action"]["name"], a["resource"]["name"]) for a in role(airflow, f"{name}-role")["actions"]
    ] == [("can_read", "DAGs")]
    status = tenant.status
    assert {k: (v["desired"], v["inSync"], v["failed"]) for k, v in status["objects"].items()} == {
        "pools": (1, 1, 0),
        "connections": (1, 1, 0),
        "variables": (2, 2, 0),
        "roles": (1, 1, 0),
    }
    assert status["owned"]["pools"] == [f"{name}-pool"]
    for secret in ("hunter2", "s3cr3t"):
        assert secret not in str(tenant.object)
        assert secret not in stack.operator.log.read_text()


def test_a_quiet_tenant_costs_the_cluster_no_call(stack: Stack, airflow: AirflowServer) -> None:
    tenant = prepared(stack, airflow, "quiet")
    tenant.create(pools=[{"name": f"{tenant.name}-pool", "slots": 3}])
    tenant.wait("Ready", seconds=60)
    stack.wait_alone(tenant)

    def calls() -> float:
        return stack.operator.total("airflow_operator_kube_api_requests_total")

    def still() -> bool:
        before = calls()
        return not eventually_changes(calls, before, 2.0)

    def quiet() -> bool:
        eventually(still, 30)
        return not eventually_changes(calls, calls(), 6.0)

    # once in five minutes the watches are opened anew, all at once, whoever is there
    assert quiet() or quiet()


def eventually_changes(look: Any, before: Any, seconds: float) -> bool:
    """Whether a value changes within some seconds."""
    try:
        eventually(lambda: look() != before, seconds, pause=0.5)
    except AssertionError:
        return False
    return True


def test_drift_is_put_back_with_an_event(stack: Stack, airflow: AirflowServer) -> None:
    tenant = prepared(stack, airflow, "drift")
    name = f"{tenant.name}-pool"
    tenant.create(
        pools=[{"name": name, "slots": 3}],
        variables=[{"key": f"{tenant.name}-v", "value": "1"}],
        sync={"interval": "1s"},
    )
    tenant.wait("Ready", seconds=60)
    edited = {"name": name, "slots": 99, "include_deferred": False}
    airflow.call("PATCH", f"/api/v2/pools/{name}?update_mask=slots", edited)
    airflow.call("DELETE", f"/api/v2/variables/{tenant.name}-v")

    tenant.until(lambda: pool(airflow, name)["slots"] == 3, _WAIT)
    tenant.until(lambda: variable(airflow, f"{tenant.name}-v"), _WAIT)
    # a look that falls between the two changes finds the variable's first
    tenant.until(lambda: any(name in event["message"] for event in tenant.events("DriftReverted")), _WAIT)
    assert stack.operator.total("airflow_operator_drift_corrected_total", kind="pool") >= 1


def test_what_leaves_the_spec_leaves_airflow(stack: Stack, airflow: AirflowServer) -> None:
    tenant = prepared(stack, airflow, "leave")
    one, two = f"{tenant.name}-1", f"{tenant.name}-2"
    tenant.create(pools=[{"name": one, "slots": 1}, {"name": two, "slots": 2}])
    tenant.wait("Ready", seconds=60)
    tenant.edit(pools=[{"name": two, "slots": 5}])
    tenant.until(lambda: pool(airflow, one) is None, _WAIT)
    assert pool(airflow, two)["slots"] == 5
    tenant.until(lambda: tenant.status["owned"]["pools"] == [two], _WAIT)


def test_without_prune_what_leaves_the_spec_stays(stack: Stack, airflow: AirflowServer) -> None:
    tenant = prepared(stack, airflow, "keep")
    one, two = f"{tenant.name}-1", f"{tenant.name}-2"
    tenant.create(pools=[{"name": one, "slots": 1}, {"name": two, "slots": 2}], sync={"prune": False})
    tenant.wait("Ready", seconds=60)
    tenant.edit(pools=[{"name": two, "slots": 5}])
    tenant.until(lambda: pool(airflow, two)["slots"] == 5, _WAIT)
    tenant.wait("ObjectsSynced")  # what is deleted is deleted after the writes
    assert pool(airflow, one)["slots"] == 1


def test_observe_reports_and_changes_nothing(stack: Stack, airflow: AirflowServer) -> None:
    tenant = prepared(stack, airflow, "observe")
    name = f"{tenant.name}-pool"
    airflow.call("POST", "/api/v2/pools", {"name": name, "slots": 9})
    tenant.create(
        pools=[{"name": name, "slots": 3}, {"name": f"{name}-2", "slots": 1}],
        sync={"mode": "Observe", "interval": "1s"},
    )
    found = tenant.wait("ObjectsSynced", "True", "ObjectsDrifted", seconds=60)
    tenant.wait("Ready")
    assert name in found["message"]
    assert "Observe" in found["message"]
    assert tenant.status["drift"]
    assert pool(airflow, name)["slots"] == 9
    assert pool(airflow, f"{name}-2") is None
    assert tenant.events("DriftReverted") == []

    tenant.edit(sync={"mode": "Enforce"})
    tenant.wait("ObjectsSynced", "True", "Succeeded", seconds=60)
    assert pool(airflow, name)["slots"] == 3
    assert tenant.status["drift"] == ""


def test_objects_of_others_are_left_alone(stack: Stack, airflow: AirflowServer) -> None:
    airflow.call("POST", "/api/v2/pools", {"name": "theirs", "slots": 7})
    airflow.call("POST", "/api/v2/variables", {"key": "theirs", "value": "x"})
    tenant = prepared(stack, airflow, "foreign")
    tenant.create(pools=[{"name": f"{tenant.name}-pool", "slots": 1}], sync={"interval": "1s"})
    tenant.wait("Ready", seconds=60)
    tenant.edit(pools=[])
    tenant.until(lambda: pool(airflow, f"{tenant.name}-pool") is None, _WAIT)
    assert pool(airflow, "theirs")["slots"] == 7
    assert variable(airflow, "theirs")["value"] == "x"
    assert pool(airflow, "default_pool") is not None


def test_awkward_names_and_values_work(stack: Stack, airflow: AirflowServer) -> None:
    tenant = prepared(stack, airflow, "awkward")
    name = f"{tenant.name} pool/ü ☃ {{{{ x }}}}"
    value = 'line\n"quoted" {{ var }} \U0001f600'
    tenant.create(
        pools=[{"name": name, "slots": 1, "description": value}],
        variables=[{"key": f"{tenant.name} v/ü", "value": value}],
    )
    tenant.wait("Ready", seconds=60)
    assert pool(airflow, name)["description"].startswith(value)
    assert variable(airflow, f"{tenant.name} v/ü")["value"] == value
    tenant.edit(pools=[], variables=[])
    tenant.until(lambda: pool(airflow, name) is None, _WAIT)
    tenant.until(lambda: variable(airflow, f"{tenant.name} v/ü") is None, _WAIT)


def test_a_changed_secret_reaches_airflow(stack: Stack, airflow: AirflowServer) -> None:
    tenant = prepared(stack, airflow, "rotate")
    stack.api.secret("token", tenant.namespace, value="one")
    key = f"{tenant.name}-v"  # no word in it that makes Airflow mask the value
    tenant.create(
        variables=[{"key": key, "valueSecretRef": {"name": "token", "key": "value"}}],
        sync={"interval": "1s"},
    )
    tenant.wait("Ready", seconds=60)
    assert variable(airflow, key)["value"] == "one"
    stack.api.secret("token", tenant.namespace, value="two")
    tenant.until(lambda: variable(airflow, key)["value"] == "two", _WAIT)


def test_a_wrong_password_is_told_and_mended(stack: Stack, airflow: AirflowServer) -> None:
    tenant = prepared(stack, airflow, "login", password="wrong")
    tenant.create(pools=[{"name": f"{tenant.name}-pool", "slots": 1}])
    found = tenant.wait("ObjectsSynced", "False", "AirflowLoginFailed", seconds=60)
    assert f"{tenant.name}-operator" in found["message"]
    assert "wrong" not in found["message"].replace("wrongly", "")
    assert tenant.conditions()["ReleaseReady"]["status"] == "True"

    stack.api.secret(
        f"{tenant.name}-operator",
        tenant.namespace,
        username=airflow.username,
        password=airflow.password,
        hmac_key="key",
    )
    tenant.wait("ObjectsSynced", seconds=90)


def test_an_airflow_that_is_down_delays_only_its_objects(stack: Stack, airflow: AirflowServer) -> None:
    tenant = prepared(stack, airflow, "down")
    name = f"{tenant.name}-pool"
    tenant.create(pools=[{"name": name, "slots": 1}], sync={"interval": "1s"})
    tenant.wait("Ready", seconds=60)
    port = airflow.url.rpartition(":")[2]

    airflow.stop()
    tenant.edit(pools=[{"name": name, "slots": 2}], airflow={"triggerer": {"replicas": 2}})
    found = tenant.wait("ObjectsSynced", "False", "AirflowUnavailable", seconds=60)
    assert found["message"].startswith("Airflow's API does not answer")
    tenant.wait("ReleaseReady")
    assert tenant.status["release"]["revision"] == 2, "the release goes on"
    assert tenant.wait("Ready", "False", "AirflowUnavailable")

    airflow.run("api-server", "--host", "127.0.0.1", "--port", port, "--workers", "1")
    tenant.wait("Ready", seconds=120)
    assert pool(airflow, name)["slots"] == 2


def test_what_a_tenant_at_rest_is_given_arrives_when_it_wakes(stack: Stack, airflow: AirflowServer) -> None:
    tenant = prepared(stack, airflow, "rests")
    kept, new = f"{tenant.name}-kept", f"{tenant.name}-new"
    tenant.create(pools=[{"name": kept, "slots": 1}])
    tenant.wait("Ready", seconds=60)
    tenant.edit(state="Hibernated")
    tenant.wait("Ready", "True", "Hibernated")

    tenant.edit(pools=[{"name": new, "slots": 2}])
    tenant.wait("Ready", "True", "Hibernated")
    tenant.wait("ObjectsSynced", "Unknown", "Hibernated")
    tenant.wait("ComponentsHealthy", "Unknown", "Hibernated")
    assert tenant.status["owned"]["pools"] == [kept], "what it made is not forgotten"
    assert pool(airflow, new) is None

    tenant.edit(state="Running")
    tenant.wait("ObjectsSynced", says="1 object(s) are as the spec says", seconds=60)
    tenant.wait("Ready", reason="Succeeded", seconds=60)
    assert pool(airflow, new)["slots"] == 2
    assert pool(airflow, kept) is None, "the edit took it out of the spec"
    assert tenant.status["owned"]["pools"] == [new]


@pytest.mark.covers("S002-22")
def test_the_fernet_key_is_made_once_and_airflow_s_own_command_rotates_it(
    stack: Stack, airflow: AirflowServer, tmp_path: Path
) -> None:
    tenant = prepared(stack, airflow, "fernet")
    stack.api.secret("db", tenant.namespace, password="hunter2")
    reference = {"name": "db", "key": "password"}
    name = f"{tenant.name}-db"
    tenant.create(connections=[{"id": name, "type": "postgres", "passwordSecretRef": reference}])
    tenant.wait("ObjectsSynced", seconds=60)
    secret = names.fernet_secret(tenant.name)
    made = stack.api.get(kinds.SECRET, secret, tenant.namespace)
    key = base64.b64decode(made["data"]["fernet-key"])
    Fernet(key)
    tenant.edit(airflow={"config": {"core": {"parallelism": "7"}}})
    tenant.until(lambda: tenant.status["release"]["revision"] == 2)
    kept = stack.api.get(kinds.SECRET, secret, tenant.namespace)
    assert (kept["metadata"]["uid"], kept["data"]) == (made["metadata"]["uid"], made["data"])

    # a copy of the database: other tests' Airflow goes on with the key that it has
    with (
        closing(sqlite3.connect(airflow.directory / "airflow.db", timeout=30)) as source,
        closing(sqlite3.connect(tmp_path / "airflow.db")) as copy,
    ):
        source.backup(copy)
    old = airflow.environment["AIRFLOW__CORE__FERNET_KEY"]
    assert decrypted(tmp_path, name, old) == "hunter2"
    environment = {
        **airflow.environment,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path / 'airflow.db'}",
        "AIRFLOW__CORE__FERNET_KEY": f"{key.decode()},{old}",
    }
    command = [str(airflow_bin() / "airflow"), "rotate-fernet-key"]
    subprocess.run(command, env=environment, capture_output=True, timeout=120, check=True)
    assert decrypted(tmp_path, name, key) == "hunter2"
    with pytest.raises(InvalidToken):
        decrypted(tmp_path, name, old)


def decrypted(directory: Path, connection_id: str, key: str | bytes) -> str:
    """The stored password of a connection, opened with one key."""
    with closing(sqlite3.connect(directory / "airflow.db", timeout=30)) as database:
        query = "SELECT password FROM connection WHERE conn_id = ?"
        [stored] = database.execute(query, (connection_id,)).fetchone()
    return Fernet(key).decrypt(stored.encode()).decode()
