from __future__ import annotations

import base64
from typing import Any

import pytest
from tests.unit.operator.support import NAMESPACE, Counter, secret, tenant

from tenant_operator.core.errors import ConditionType, Reason, SecretError
from tenant_operator.core.kinds import Object
from tenant_operator.plan import secrets
from tenant_operator.plan.tenant import Tenant

_REF = {"name": "db", "key": "password"}


def complete(team: Tenant, *more: Object) -> dict[str, Object]:
    """All generated Secrets, and some others."""
    made = [*secrets.missing(team, {}, Counter()), *more]
    return {item["metadata"]["name"]: item for item in made}


def text(obj: Object, key: str) -> str:
    return base64.b64decode(obj["data"][key]).decode()


def refusal(team: Tenant, existing: dict[str, Object]) -> SecretError:
    with pytest.raises(SecretError) as caught:
        secrets.resolve(team, existing)
    return caught.value


def test_six_secrets_are_generated_with_all_their_keys() -> None:
    team = tenant()
    made = complete(team)
    assert {name: tuple(sorted(obj["data"])) for name, obj in made.items()} == {
        name: tuple(sorted(keys)) for name, keys in secrets.required(team).items()
    }
    for obj in made.values():
        assert obj["metadata"]["namespace"] == NAMESPACE
        assert obj["metadata"]["labels"]["airflowtenants.io/tenant"] == "payments"
        assert "ownerReferences" not in obj["metadata"], "keys must outlive the tenant"
        assert obj["type"] == "Opaque"


def test_the_database_url_holds_the_password() -> None:
    made = complete(tenant())["payments-metadata"]
    password = text(made, "postgres-password")
    assert text(made, "connection") == (
        f"postgresql+psycopg2://airflow:{password}@payments-postgresql.airflow-payments.svc:5432/airflow"
    )


def test_users_have_their_names() -> None:
    made = complete(tenant())
    assert text(made["payments-admin"], "username") == "admin"
    assert text(made["payments-operator"], "username") == "airflow-tenant-operator"


def test_what_exists_is_never_generated_again_whatever_it_holds() -> None:
    team = tenant()
    made = secrets.missing(team, {"payments-fernet-key": secret("payments-fernet-key")}, Counter())
    assert "payments-fernet-key" not in {obj["metadata"]["name"] for obj in made}
    assert len(made) == 5
    assert secrets.missing(team, complete(team), Counter()) == []


_SOURCE = {"name": "main", "gitSync": {"repo": "https://git/x", "credentialsSecretRef": {"name": "git"}}}
_SSH = {"name": "main", "gitSync": {"repo": "git@git:x", "credentialsSecretRef": {"name": "git"}}}
PLACES: list[tuple[dict[str, Any], str, tuple[str, ...]]] = [
    (
        {"airflow": {"env": [{"name": "A", "secretKeyRef": _REF}]}},
        "spec.airflow.env[A].secretKeyRef",
        ("password",),
    ),
    (
        {"connections": [{"id": "pg", "type": "postgres", "passwordSecretRef": _REF}]},
        "spec.connections[pg].passwordSecretRef",
        ("password",),
    ),
    (
        {"connections": [{"id": "pg", "type": "postgres", "extraSecretRef": _REF}]},
        "spec.connections[pg].extraSecretRef",
        ("password",),
    ),
    (
        {"variables": [{"key": "v", "valueSecretRef": _REF}]},
        "spec.variables[v].valueSecretRef",
        ("password",),
    ),
    (
        {"dags": {"sources": [_SOURCE]}},
        "spec.dags.sources[main].gitSync.credentialsSecretRef",
        ("username", "password"),
    ),
    (
        {"dags": {"sources": [_SSH]}},
        "spec.dags.sources[main].gitSync.credentialsSecretRef",
        ("ssh", "known_hosts"),
    ),
    (
        {"airflow": {"image": {"pullSecrets": [{"name": "db"}]}}},
        "spec.airflow.image.pullSecrets",
        (".dockerconfigjson",),
    ),
]


@pytest.mark.parametrize(("spec", "place", "keys"), PLACES, ids=[place for _, place, _ in PLACES])
def test_a_missing_secret_is_named_with_namespace_field_and_key(
    spec: dict[str, Any], place: str, keys: tuple[str, ...]
) -> None:
    team = tenant(**spec)
    name = "git" if "gitSync" in place else "db"
    error = refusal(team, complete(team))
    assert error.message == (
        f"Secret {name} is not in namespace {NAMESPACE} ({place}): create it with key {', '.join(keys)}"
    )
    assert (error.condition, error.reason, error.stalled) == (
        ConditionType.SECRETS,
        Reason.SECRET_MISSING,
        False,
    )
    assert 0 < error.retry <= 10

    error = refusal(team, complete(team, secret(name, other="x")))
    assert error.message == (
        f"Secret {name} in namespace {NAMESPACE} has no key {', '.join(keys)} ({place}): add it"
    )


def test_only_so_many_missing_secrets_are_told_at_once() -> None:
    variables = [{"key": f"v{i}", "valueSecretRef": {"name": f"s{i}", "key": "k"}} for i in range(5)]
    team = tenant(variables=variables)
    message = refusal(team, complete(team)).message
    assert message.count("create it with key") == 3
    assert message.endswith("; and 2 more")


def test_a_value_that_is_no_text_is_refused_by_name_only() -> None:
    team = tenant(variables=[{"key": "v", "valueSecretRef": _REF}])
    binary = {"metadata": {"name": "db"}, "data": {"password": base64.b64encode(b"\xff\xfe").decode()}}
    error = refusal(team, complete(team, binary))
    assert error.reason is Reason.SECRET_INVALID
    assert error.message == "Secret db holds a value that is not text: store it as UTF-8"
    assert error.__suppress_context__, "a decoding error quotes the bytes"


def test_a_generated_secret_that_lost_a_key_is_told() -> None:
    team = tenant()
    existing = complete(team) | {"payments-admin": secret("payments-admin", username="admin")}
    assert refusal(team, existing).message == (
        "Secret payments-admin in namespace airflow-payments has no key password: add it"
    )


def test_values_stay_out_of_repr() -> None:
    team = tenant(variables=[{"key": "v", "valueSecretRef": _REF}])
    resolved = secrets.resolve(team, complete(team, secret("db", password="hush")))
    assert resolved.value("db", "password") == "hush"
    assert "hush" not in repr(resolved)
    assert "token-" not in repr(resolved)
    with pytest.raises(KeyError):
        resolved.value("db", "nothing")


def test_fingerprints_tell_a_change_and_nothing_else() -> None:
    team = tenant(variables=[{"key": "v", "valueSecretRef": _REF}])
    one = secrets.resolve(team, complete(team, secret("db", password="a", more="1"))).checksums
    same = secrets.resolve(team, complete(team, secret("db", more="1", password="a"))).checksums
    other = secrets.resolve(team, complete(team, secret("db", password="b", more="1"))).checksums
    assert one == same
    assert {name for name in one if one[name] != other[name]} == {"db"}
    assert set(one) == {*secrets.required(team), "db"}


def test_fingerprints_cannot_be_guessed_without_the_tenant_s_own_key() -> None:
    team = tenant(variables=[{"key": "v", "valueSecretRef": _REF}])
    existing = complete(team, secret("db", password="a"))
    before = secrets.resolve(team, existing).checksums["db"]
    existing["payments-operator"] = secret("payments-operator", username="u", password="p", hmac_key="other")
    assert secrets.resolve(team, existing).checksums["db"] != before


def test_secrets_that_nobody_refers_to_are_not_read() -> None:
    team = tenant()
    unrelated = {"metadata": {"name": "binary"}, "data": {"x": "//8="}}
    assert "binary" not in secrets.resolve(team, complete(team, unrelated)).checksums


def test_two_of_them_can_only_be_made_once() -> None:
    """A new Fernet key opens nothing that the old one closed; PostgreSQL keeps its first password."""
    team = tenant()
    existing = complete(team)
    assert secrets.irreplaceable(team, existing) == []
    del existing["payments-fernet-key"], existing["payments-metadata"], existing["payments-admin"]
    absent = secrets.irreplaceable(team, existing)
    assert absent == ["payments-fernet-key", "payments-metadata"]
    error = secrets.lost(team, absent)
    assert error.condition is ConditionType.SECRETS
    assert error.reason is Reason.SECRET_MISSING
    assert "payments-fernet-key" in error.message
    assert "restore it from a backup" in error.message
