"""Secrets: those that the operator generates once, and those that the spec refers to.

Generated Secrets are never rendered by the chart and carry no owner reference: losing the Fernet key
would lose every stored password, so only `deletionPolicy: Delete` removes them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tenant_operator.api.rules import SecretKeyRef
from tenant_operator.core import names
from tenant_operator.core.errors import Reason, SecretError
from tenant_operator.core.kinds import Object
from tenant_operator.core.ports import Tokens
from tenant_operator.plan.tenant import Tenant

Secrets = Mapping[str, Object]  # by name, as the API returns them

_DATABASE = "airflow"


@dataclass(frozen=True, slots=True)
class Reference:
    """A place in the spec that names a Secret, and the keys that it must hold."""

    field: str
    secret: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Resolved:
    """The Secrets of a pass. Values stay out of repr(), and so out of logs and tracebacks."""

    checksums: Mapping[str, str]
    _data: Mapping[str, Mapping[str, str]] = field(repr=False)

    def value(self, secret: str, key: str) -> str:
        """The text of one key; KeyError when a caller asks for what was not checked before."""
        return self._data[secret][key]


def required(tenant: Tenant) -> dict[str, tuple[str, ...]]:
    """Generated Secrets of a tenant with the keys that each must hold."""
    return {
        names.fernet_secret(tenant.name): ("fernet-key",),
        names.api_secret(tenant.name): ("api-secret-key",),
        names.jwt_secret(tenant.name): ("jwt-secret",),
        names.metadata_secret(tenant.name): ("connection", "postgres-password"),
        names.admin_secret(tenant.name): ("username", "password"),
        names.operator_secret(tenant.name): ("username", "password", "hmac-key"),
    }


def irreplaceable(tenant: Tenant, existing: Secrets) -> list[str]:
    """Generated Secrets that are not there and whose content the tenant's data depends on.

    A new Fernet key opens nothing that the old one closed, and PostgreSQL reads its password only when
    its volume is new: these two may be made once, and after that only be restored.
    """
    bound_to_data = (names.fernet_secret(tenant.name), names.metadata_secret(tenant.name))
    return [name for name in bound_to_data if name not in existing]


def lost(tenant: Tenant, absent: list[str]) -> SecretError:
    """What to tell when a Secret that the data depends on has been deleted."""
    return SecretError(
        f"Secret {', '.join(absent)} of namespace {tenant.namespace} was deleted, and the tenant's data "
        "depends on it: restore it from a backup. Nothing is rolled; pods that run still hold the old value"
    )


def missing(tenant: Tenant, existing: Secrets, tokens: Tokens) -> list[Object]:
    """Generated Secrets that are not there yet, filled with new random values.

    One that exists is never touched, whatever it holds: it may be a person's restore from a backup.
    """
    made = []
    for name in required(tenant):
        if name in existing:
            continue
        made.append(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "Opaque",
                "metadata": {"name": name, "namespace": tenant.namespace, "labels": tenant.labels},
                "data": {key: _encode(value) for key, value in _generate(tenant, name, tokens).items()},
            }
        )
    return made


def _generate(tenant: Tenant, name: str, tokens: Tokens) -> dict[str, str]:
    if name == names.fernet_secret(tenant.name):
        return {"fernet-key": tokens.fernet()}
    if name == names.api_secret(tenant.name):
        return {"api-secret-key": tokens.url_safe(32)}
    if name == names.jwt_secret(tenant.name):
        return {"jwt-secret": tokens.url_safe(64)}
    if name == names.metadata_secret(tenant.name):
        password = tokens.url_safe(24)
        host = f"{tenant.name}-postgresql.{tenant.namespace}.svc"
        url = f"postgresql+psycopg2://{_DATABASE}:{password}@{host}:5432/{_DATABASE}"
        return {"connection": url, "postgres-password": password}
    user = "admin" if name == names.admin_secret(tenant.name) else names.FIELD_MANAGER
    values = {"username": user, "password": tokens.url_safe(24)}
    if name == names.operator_secret(tenant.name):
        values["hmac-key"] = tokens.url_safe(32)
    return values


def references(tenant: Tenant) -> Iterator[Reference]:
    """Every Secret that the spec names, with the field that names it."""
    spec = tenant.spec
    for secret in spec.airflow.image.pull_secrets:
        yield Reference("spec.airflow.image.pullSecrets", secret.name, keys=(".dockerconfigjson",))
    for source in spec.dags.sources:
        git = source.git_sync
        if git is not None and git.credentials_secret_ref is not None:
            place = f"spec.dags.sources[{source.name}].gitSync.credentialsSecretRef"
            keys = ("ssh", "known_hosts") if _is_ssh(git.repo) else ("username", "password")
            yield Reference(place, git.credentials_secret_ref.name, keys=keys)
    for variable in spec.airflow.env:
        yield from _key(f"spec.airflow.env[{variable.name}].secretKeyRef", variable.secret_key_ref)
    for connection in spec.connections:
        place = f"spec.connections[{connection.id}]"
        yield from _key(f"{place}.passwordSecretRef", connection.password_secret_ref)
        yield from _key(f"{place}.extraSecretRef", connection.extra_secret_ref)
    for item in spec.variables:
        yield from _key(f"spec.variables[{item.key}].valueSecretRef", item.value_secret_ref)


def alert_references(tenant: Tenant) -> Iterator[Reference]:
    """The Secrets of the channels of alerts. Alertmanager reads them; a tenant runs without them."""
    alerts = tenant.spec.monitoring.alerts
    place = "spec.monitoring.alerts"
    if alerts.slack is not None:
        yield from _key(f"{place}.slack.apiUrlSecretRef", alerts.slack.api_url_secret_ref)
    if alerts.pagerduty is not None:
        yield from _key(f"{place}.pagerduty.routingKeySecretRef", alerts.pagerduty.routing_key_secret_ref)
    if alerts.webhook is not None:
        yield from _key(f"{place}.webhook.urlSecretRef", alerts.webhook.url_secret_ref)


def _is_ssh(repo: str) -> bool:
    return repo.startswith("ssh://") or "://" not in repo


def _key(place: str, reference: SecretKeyRef | None) -> Iterator[Reference]:
    if reference is not None:
        yield Reference(place, reference.name, keys=(reference.key,))


def resolve(tenant: Tenant, existing: Secrets) -> Resolved:
    """Check all Secrets of a pass and fingerprint them.

    Raises SecretError that names the first missing Secrets or keys and the fields that need them. The
    fingerprints are keyed with the tenant's own random key: they go into annotations, and a bare hash
    of a weak password could be guessed.
    """
    lacking = [
        *problems(
            [Reference("", name, keys=keys) for name, keys in required(tenant).items()], tenant, existing
        ),
        *problems(references(tenant), tenant, existing),
    ]
    if lacking:
        more = f"; and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        raise SecretError("; ".join(lacking[:3]) + more)
    used = {name: set(keys) for name, keys in required(tenant).items()}
    for reference in references(tenant):
        used.setdefault(reference.secret, set()).update(reference.keys)
    data = {name: _decoded(existing[name], keys) for name, keys in used.items()}
    key = data[names.operator_secret(tenant.name)]["hmac-key"].encode()
    # All keys count, also those that nobody named: a pod may mount the whole Secret.
    checksums = {name: _fingerprint(key, existing[name].get("data") or {}) for name in used}
    return Resolved(checksums, data)


def problems(wanted: Iterable[Reference], tenant: Tenant, existing: Secrets) -> Iterator[str]:
    """What is missing, in words that name Secret, key, field and remedy."""
    for reference in wanted:
        by = f" ({reference.field})" if reference.field else ""
        secret = existing.get(reference.secret)
        if secret is None:
            yield (
                f"Secret {reference.secret} is not in namespace {tenant.namespace}{by}: "
                f"create it with key {', '.join(reference.keys)}"
            )
            continue
        data = secret.get("data") or {}
        lacking = [key for key in reference.keys if key not in data]
        if lacking:
            yield (
                f"Secret {reference.secret} in namespace {tenant.namespace} has no key "
                f"{', '.join(lacking)}{by}: add it"
            )


def _decoded(secret: Object, keys: Iterable[str]) -> dict[str, str]:
    name = secret["metadata"]["name"]
    try:
        return {key: base64.b64decode(secret["data"][key]).decode() for key in keys}
    except (binascii.Error, UnicodeDecodeError):
        raise SecretError(
            f"Secret {name} holds a value that is not text: store it as UTF-8", reason=Reason.SECRET_INVALID
        ) from None


def _encode(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def _fingerprint(key: bytes, values: Mapping[str, str]) -> str:
    text = json.dumps(values, sort_keys=True).encode()
    return hmac.new(key, text, hashlib.sha256).hexdigest()[:16]
