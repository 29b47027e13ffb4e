"""sync_objects over the real REST API of a real Airflow: what the tenant's spec promises about objects."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.fernet import Fernet, InvalidToken
from tests.airflow.conftest import Calls
from tests.airflow.environment import airflow_bin
from tests.airflow.server import AirflowServer

from tenant_operator.adapters.airflow_api import AirflowApi
from tenant_operator.core.airflow_types import (
    AirflowObject,
    Connection,
    DesiredObjects,
    Mode,
    ObjectKind,
    OwnedNames,
    Pool,
    Reason,
    Role,
    SyncResult,
    Variable,
)
from tenant_operator.reconcile.objects import sync_objects

KEY = b"k" * 32
CONNECTION = Connection(
    "warehouse",
    "postgres",
    host="db.example.com",
    port=5432,
    schema="sales",
    login="etl",
    password="s3cret-one",
    extra={"sslmode": "require", "token": "t0ken-one", "options": {"timeout": 5}},
    description="Warehouse",
)


async def sync(
    api: AirflowApi, *objects: AirflowObject, owned: OwnedNames | None = None, **options: Any
) -> SyncResult:
    """Sync with the given objects as the whole spec."""
    parts: dict[str, list[Any]] = {kind.value: [] for kind in ObjectKind}
    for item in objects:
        parts[item.kind].append(item)
    defaults: dict[str, Any] = {"hmac_key": KEY, "tenant": "payments"}
    return await sync_objects(api, DesiredObjects(**parts), owned or OwnedNames(), **(defaults | options))


def own(*objects: AirflowObject) -> OwnedNames:
    """A ledger that holds these objects."""
    return OwnedNames.build({kind: [o.name for o in objects if o.kind is kind] for kind in ObjectKind})


def reasons(result: SyncResult) -> list[tuple[str, Reason]]:
    return [(change.name, change.reason) for change in result.changes]


def path_of(item: AirflowObject) -> str:
    root = "/auth/fab/v1/roles" if item.kind is ObjectKind.ROLES else f"/api/v2/{item.kind}"
    return f"{root}/{quote(item.name, safe='')}"


def present(airflow: AirflowServer, kind: str, key: str) -> set[str]:
    page = airflow.call("GET", f"/api/v2/{kind}?limit=100")
    return {item[key] for item in page[kind]}


SAMPLES = [
    pytest.param(
        Pool("etl", 5, "Nightly loads"), replace(Pool("etl", 7, "Nightly loads")), {"slots": 1}, id="pool"
    ),
    pytest.param(
        Variable("bucket", "s3://a"), Variable("bucket", "s3://b"), {"value": "s3://evil"}, id="variable"
    ),
    pytest.param(
        CONNECTION, replace(CONNECTION, host="db2.example.com"), {"host": "evil.example.com"}, id="connection"
    ),
    pytest.param(
        Role("analyst", frozenset({("can_read", "Pools"), ("can_read", "Variables")})),
        Role("analyst", frozenset({("can_read", "Pools")})),
        {"actions": []},
        id="role",
    ),
]


@pytest.mark.parametrize(("first", "second", "edit"), SAMPLES)
async def test_life_of_an_object(
    api: AirflowApi,
    airflow: AirflowServer,
    calls: Calls,
    first: AirflowObject,
    second: AirflowObject,
    edit: dict[str, Any],
) -> None:
    kind = first.kind
    created = await sync(api, first)
    assert reasons(created) == [(first.name, Reason.CREATED)]
    assert created.owned == own(first)
    assert created.ok

    calls.clear()
    quiet = await sync(api, first, owned=created.owned)
    assert quiet.changes == ()
    assert calls.writes == []
    assert len(calls.reads) == 1
    assert quiet.counts[kind].in_sync == quiet.counts[kind].desired == 1

    key = {ObjectKind.CONNECTIONS: "connection_id", ObjectKind.VARIABLES: "key"}.get(kind, "name")
    needed: dict[str, Any] = {"conn_type": "postgres"} if kind is ObjectKind.CONNECTIONS else {}
    needed |= {"include_deferred": False} if kind is ObjectKind.POOLS else {}
    airflow.call("PATCH", path_of(first), {key: first.name, **needed, **edit})
    put_back = await sync(api, first, owned=created.owned, spec_unchanged=True)
    assert reasons(put_back) == [(first.name, Reason.DRIFT)]
    assert [drift.name for drift in put_back.drift] == [first.name]
    assert (await sync(api, first, owned=created.owned)).changes == ()

    updated = await sync(api, second, owned=created.owned)
    assert reasons(updated) == [(first.name, Reason.UPDATED)]
    assert updated.drift == ()
    assert (await sync(api, second, owned=created.owned)).changes == ()

    removed = await sync(api, owned=created.owned)
    assert reasons(removed) == [(first.name, Reason.REMOVED)]
    assert removed.owned == OwnedNames()
    assert first.name not in (await api.observe([kind])).of(kind)


async def test_airflow_holds_what_the_spec_says(api: AirflowApi, airflow: AirflowServer) -> None:
    await sync(
        api, CONNECTION, Variable("bucket", "s3://a"), Pool("etl", 5, "Nightly", include_deferred=True)
    )
    shown = airflow.call("GET", "/api/v2/connections/warehouse")
    assert shown["host"] == "db.example.com"
    assert shown["port"] == 5432
    assert shown["schema"] == "sales"
    assert shown["password"] == "***"
    assert shown["description"].startswith("Warehouse (managed by AirflowTenant/payments, rev ")
    assert airflow.call("GET", "/api/v2/variables/bucket")["value"] == "s3://a"
    pool = airflow.call("GET", "/api/v2/pools/etl")
    assert (pool["slots"], pool["include_deferred"]) == (5, True)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(replace(CONNECTION, password="s3cret-two"), id="password"),
        pytest.param(
            replace(CONNECTION, extra={**CONNECTION.extra, "token": "t0ken-two"}), id="secret in extra"
        ),
        pytest.param(replace(CONNECTION, extra={"sslmode": "require"}), id="secret left extra"),
        pytest.param(replace(CONNECTION, extra={}), id="extra emptied"),
        pytest.param(replace(CONNECTION, host="", port=None, schema="", login=""), id="fields emptied"),
        pytest.param(replace(CONNECTION, password=None), id="password cleared"),
    ],
)
async def test_a_changed_secret_is_written_once(
    api: AirflowApi, airflow: AirflowServer, calls: Calls, changed: Connection
) -> None:
    owned = (await sync(api, CONNECTION)).owned
    result = await sync(api, changed, owned=owned)
    assert reasons(result) == [("warehouse", Reason.UPDATED)]
    calls.clear()
    assert (await sync(api, changed, owned=owned)).changes == ()
    assert calls.writes == []
    shown = airflow.call("GET", "/api/v2/connections/warehouse")
    assert (shown["password"] is None) == (changed.password is None)
    assert set(json.loads(shown["extra"] or "{}")) == set(changed.extra)


async def test_stored_secrets_are_the_wanted_ones(api: AirflowApi, airflow: AirflowServer) -> None:
    owned = (await sync(api, CONNECTION)).owned
    changed = replace(CONNECTION, password="s3cret-two", extra={"token": "t0ken-two"})
    await sync(api, changed, owned=owned)
    assert stored_connection(airflow, "warehouse") == ("s3cret-two", {"token": "t0ken-two"})


@pytest.mark.covers("S000-14")
async def test_what_is_secret_of_a_connection_lies_encrypted_in_the_database(
    api: AirflowApi, airflow: AirflowServer
) -> None:
    """With the Fernet key, and with no other one."""
    await sync(api, CONNECTION)
    with closing(sqlite3.connect(airflow.directory / "airflow.db", timeout=30)) as database:
        query = "SELECT password, extra, is_encrypted, is_extra_encrypted FROM connection WHERE conn_id = ?"
        password, extra, *encrypted = database.execute(query, (CONNECTION.name,)).fetchone()
    assert encrypted == [1, 1]
    key = Fernet(airflow.environment["AIRFLOW__CORE__FERNET_KEY"])
    assert key.decrypt(password.encode()).decode() == CONNECTION.password
    assert json.loads(key.decrypt(extra.encode())) == CONNECTION.extra
    with pytest.raises(InvalidToken):
        Fernet(Fernet.generate_key()).decrypt(password.encode())
    stored = b"".join(path.read_bytes() for path in airflow.directory.glob("airflow.db*"))
    assert b"warehouse" in stored
    for secret in (b"s3cret-one", b"t0ken-one"):
        assert secret not in stored


async def test_a_secret_variable_is_followed_although_airflow_masks_it(
    api: AirflowApi, airflow: AirflowServer, calls: Calls
) -> None:
    first = Variable("api_token", "t0ken-one", sensitive=True)
    owned = (await sync(api, first)).owned
    assert airflow.call("GET", "/api/v2/variables/api_token")["value"] == "***"
    calls.clear()
    assert (await sync(api, first, owned=owned)).changes == ()
    assert calls.writes == []
    result = await sync(api, replace(first, value="t0ken-two"), owned=owned)
    assert reasons(result) == [("api_token", Reason.UPDATED)]


@pytest.mark.parametrize(
    "value",
    [
        '{"password": "abc", "n": [1, 2.50, true, null], "deep": {"token": {"x": 1}}}',
        '{ "b":1,\n "a":2 }',
        '{"password": {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}}',
        "1e5",
        "NaN",
        "007",
        " padded ",
        "",
        "null",
        '"quoted"',
        "s3cret-one inside a text",
        "*** stars ***",
        "ünïcödé 🚀",
        "two\nlines",
    ],
)
async def test_any_text_is_a_value_that_settles(api: AirflowApi, calls: Calls, value: str) -> None:
    objects = (Variable("value", value), CONNECTION)
    owned = (await sync(api, *objects)).owned
    calls.clear()
    assert [str(change) for change in (await sync(api, *objects, owned=owned)).changes] == []
    assert calls.writes == []


async def test_foreign_objects_are_never_touched(
    api: AirflowApi, airflow: AirflowServer, calls: Calls
) -> None:
    airflow.call("POST", "/api/v2/pools", {"name": "theirs", "slots": 3})
    airflow.call("POST", "/api/v2/variables", {"key": "theirs", "value": "x"})
    airflow.call("POST", "/api/v2/connections", {"connection_id": "theirs", "conn_type": "http"})
    airflow.call("POST", "/auth/fab/v1/roles", {"name": "theirs", "actions": []})
    objects = (Pool("ours", 1), Variable("ours", "1"), replace(CONNECTION, id="ours"), Role("ours"))
    owned = (await sync(api, *objects)).owned
    await sync(api, owned=owned)
    everything = await api.observe(list(ObjectKind))
    for kind in ObjectKind:
        assert "theirs" in everything.of(kind)
        assert "ours" not in everything.of(kind)


async def test_prune_off_keeps_what_left_the_spec_and_its_ownership(
    api: AirflowApi, airflow: AirflowServer
) -> None:
    owned = (await sync(api, Pool("etl", 5))).owned
    kept = await sync(api, owned=owned, prune=False)
    assert kept.owned == owned
    assert "etl" in present(airflow, "pools", "name")
    await sync(api, owned=kept.owned, prune=True)
    assert "etl" not in present(airflow, "pools", "name")


async def test_default_pool_is_resized_but_never_deleted(
    api: AirflowApi, airflow: AirflowServer, calls: Calls
) -> None:
    pool = Pool("default_pool", 64, "ignored", include_deferred=True)
    first = await sync(api, pool)
    assert first.ok
    assert first.owned == OwnedNames()
    assert any("default_pool" in warning for warning in first.warnings)
    shown = airflow.call("GET", "/api/v2/pools/default_pool")
    assert (shown["slots"], shown["include_deferred"]) == (64, True)
    calls.clear()
    assert (await sync(api, pool)).changes == ()
    assert calls.writes == []
    await sync(api, owned=OwnedNames(pools=frozenset({"default_pool"})))
    assert "default_pool" in present(airflow, "pools", "name")


async def test_observe_mode_reports_and_writes_nothing(
    api: AirflowApi, airflow: AirflowServer, calls: Calls
) -> None:
    owned = (await sync(api, Pool("etl", 5), Pool("old", 1))).owned
    airflow.call("PATCH", "/api/v2/pools/etl", {"name": "etl", "slots": 1, "include_deferred": False})
    calls.clear()
    result = await sync(api, Pool("etl", 5), Pool("new", 2), owned=owned, mode=Mode.OBSERVE)
    assert calls.writes == []
    assert sorted(map(str, result.drift)) == [
        "pool etl: slots",
        "pool new: missing",
        "pool old: no longer in the spec",
    ]
    assert result.owned == owned
    assert result.counts[ObjectKind.POOLS].in_sync == 0


async def test_one_refused_object_does_not_hold_up_the_others(
    api: AirflowApi, airflow: AirflowServer
) -> None:
    bad = replace(CONNECTION, id="not a valid id", password="s3cret-bad")
    good = [replace(CONNECTION, id=f"good{n}") for n in range(5)]
    result = await sync(api, *good[:2], bad, *good[2:], Pool("etl", 1), Role("analyst"))
    assert [(error.kind, error.name) for error in result.errors] == [
        (ObjectKind.CONNECTIONS, "not a valid id")
    ]
    assert "connection_id" in result.errors[0].message
    assert "s3cret-bad" not in repr(result)
    assert present(airflow, "connections", "connection_id") == {item.id for item in good}
    assert result.owned == own(*good, Pool("etl", 1), Role("analyst"))
    counts = result.counts[ObjectKind.CONNECTIONS]
    assert (counts.desired, counts.in_sync, counts.failed) == (6, 5, 1)
    assert not result.ok


async def test_a_role_with_an_unknown_permission_is_named(api: AirflowApi) -> None:
    result = await sync(
        api,
        Role("good", frozenset({("can_read", "Pools")})),
        Role("bad", frozenset({("can_read", "Nonsense")})),
    )
    assert [error.name for error in result.errors] == ["bad"]
    assert "Nonsense" in result.errors[0].message
    assert result.owned == own(Role("good"))


async def test_permissions_on_single_dags_survive(api: AirflowApi, airflow: AirflowServer) -> None:
    """The DAG processor grants `DAG:x` pairs; Airflow's PATCH replaces the whole list."""
    register_dag(airflow, "x")
    role = Role("analyst", frozenset({("can_read", "Pools")}))
    owned = (await sync(api, role)).owned
    pairs = [("can_read", "DAG:x"), ("can_read", "Pools")]
    actions = [{"action": {"name": a}, "resource": {"name": r}} for a, r in pairs]
    airflow.call("PATCH", "/auth/fab/v1/roles/analyst", {"name": "analyst", "actions": actions})
    assert (await sync(api, role, owned=owned)).changes == ()
    await sync(api, replace(role, permissions=frozenset({("can_read", "Variables")})), owned=owned)
    found = (await api.observe([ObjectKind.ROLES])).of(ObjectKind.ROLES)["analyst"]
    assert isinstance(found, Role)
    assert found.permissions == {("can_read", "DAG:x"), ("can_read", "Variables")}


async def test_an_existing_object_of_the_same_name_is_taken_over(
    api: AirflowApi, airflow: AirflowServer
) -> None:
    airflow.call("POST", "/api/v2/pools", {"name": "etl", "slots": 3})
    remembered: list[OwnedNames] = []

    async def remember(owned: OwnedNames) -> None:
        remembered.append(owned)

    result = await sync(api, Pool("etl", 5), remember=remember)
    assert reasons(result) == [("etl", Reason.UPDATED)]
    assert remembered == [own(Pool("etl", 5))]
    assert airflow.call("GET", "/api/v2/pools/etl")["slots"] == 5


async def test_new_names_are_remembered_before_the_first_write(api: AirflowApi, calls: Calls) -> None:
    writes_then: list[int] = []

    async def remember(owned: OwnedNames) -> None:
        assert owned == own(Pool("etl", 5), Variable("a", "1"))
        writes_then.append(len(calls.writes))

    result = await sync(api, Pool("etl", 5), Variable("a", "1"), remember=remember)
    assert writes_then == [0]
    await sync(api, Pool("etl", 6), Variable("a", "1"), owned=result.owned, remember=remember)
    assert writes_then == [0]


async def test_names_with_slashes_spaces_and_letters_of_all_kinds(
    api: AirflowApi, airflow: AirflowServer
) -> None:
    names = ["a/b", "with space", "ümläut", "per%cent", "q?x#y", "semi;colon&amp", "../up"]
    objects: list[AirflowObject] = [Pool(name, 1) for name in names]
    objects += [Variable(name, "v") for name in names]
    objects += [Role(name, frozenset({("can_read", "Pools")})) for name in names if "/" not in name]
    result = await sync(api, *objects)
    assert result.errors == ()
    assert (await sync(api, *objects, owned=result.owned)).changes == ()
    changed = [replace(o, permissions=frozenset()) if isinstance(o, Role) else o for o in objects]
    assert (await sync(api, *changed, owned=result.owned)).errors == ()
    gone = await sync(api, owned=result.owned)
    assert gone.errors == ()
    assert gone.owned == OwnedNames()
    everything = await api.observe(list(ObjectKind))
    assert all(o.name not in everything.of(o.kind) for o in objects)


async def test_removed_by_hand_is_made_again(api: AirflowApi, airflow: AirflowServer) -> None:
    owned = (await sync(api, CONNECTION, Pool("etl", 5))).owned
    airflow.call("DELETE", "/api/v2/connections/warehouse")
    result = await sync(api, CONNECTION, Pool("etl", 5), owned=owned)
    assert reasons(result) == [("warehouse", Reason.CREATED)]


async def test_a_password_cleared_by_hand_is_drift(api: AirflowApi, airflow: AirflowServer) -> None:
    owned = (await sync(api, CONNECTION)).owned
    shown = airflow.call("GET", "/api/v2/connections/warehouse")
    airflow.call("DELETE", "/api/v2/connections/warehouse")
    shown.pop("team_name")
    airflow.call("POST", "/api/v2/connections", shown | {"password": None})
    result = await sync(api, CONNECTION, owned=owned)
    assert reasons(result) == [("warehouse", Reason.DRIFT)]
    assert result.drift[0].fields == ("password",)
    assert stored_connection(airflow, "warehouse")[0] == "s3cret-one"


def stored_connection(airflow: AirflowServer, name: str) -> tuple[str, dict[str, Any]]:
    """Password and extra as Airflow stores them, decrypted by Airflow's own code."""
    code = (
        "import json, sys\nfrom airflow.models import Connection\n"
        "from airflow.utils.session import create_session\n"
        "with create_session() as s:\n"
        " c = s.query(Connection).filter_by(conn_id=sys.argv[1]).one()\n"
        " print('STORED' + json.dumps([c.password, json.loads(c.extra or '{}')]))"
    )
    done = subprocess.run(
        [str(airflow_bin() / "python"), "-c", code, name],
        env=dict(airflow.environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("STORED"))
    password, extra = json.loads(line.removeprefix("STORED"))
    return password, extra


def register_dag(airflow: AirflowServer, dag_id: str) -> None:
    """Make the resources `DAG:<id>` as the DAG processor does after parsing a DAG."""
    with closing(sqlite3.connect(airflow.directory / "airflow.db", timeout=30)) as database, database:
        database.execute("INSERT OR IGNORE INTO ab_view_menu (name) VALUES (?)", (f"DAG:{dag_id}",))
