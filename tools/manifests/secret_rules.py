"""Rules about secrets: none is in Git, and each one that a tenant names is delivered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tools.manifests.findings import TENANT, Finding, Object, Source, at, items, metadata, subject

_ENCRYPTED = re.compile(r"^ENC\[AES256_GCM,data:.*,type:\w+\]$")
_SECRET_NAME = re.compile(
    r"(^|[^a-z])(passw(or)?d|passphrase|secret|token|credential|(api|access|private|routing)_?key)s?([^a-z]|$)",
    re.I,
)
#: what looks like one wherever it stands; the names are the issuers' own prefixes
_SECRET_VALUES = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "an AWS access key": re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a Slack token": re.compile(r"\bxox[abprs]-[0-9A-Za-z-]{10,}"),
    "a Slack webhook": re.compile(r"hooks\.slack\.com/services/T[0-9A-Z]+/"),
    "a GitHub token": re.compile(r"\bgh[pousr]_[0-9A-Za-z]{30,}"),
    "a GitLab token": re.compile(r"\bglpat-[0-9A-Za-z_-]{16,}"),
    "an age secret key": re.compile(r"\bAGE-SECRET-KEY-1[0-9A-Z]+"),
    "a password in a URL": re.compile(r"\b[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s@]+@"),
}
#: Secret's own keys, as External Secrets gets them from a Secret that is encrypted or made elsewhere
_NAMES_ONLY = re.compile(r"(secret|key|token|password)(Ref|Name)$|_?(file|path)$", re.I)


def plain_secrets(source: Source, _registry: str) -> Iterator[Finding]:
    """A Secret in Git is encrypted by SOPS or comes from a store."""
    for found in source.of("Secret"):
        for field in ("data", "stringData"):
            values = found.get(field)
            for key, value in (values if isinstance(values, dict) else {}).items():
                if not _ENCRYPTED.fullmatch(str(value)):
                    yield Finding(
                        *("plain-secret", subject(found), f"{field}.{key}"),
                        "a Secret in Git: use an ExternalSecret, or encrypt the file with SOPS",
                    )


def literal_passwords(source: Source, _registry: str) -> Iterator[Finding]:
    """What a tenant says in plain text is no secret."""
    for tenant in source.of(TENANT):
        for connection in items(tenant, "spec.connections"):
            for path, value in _leaves(connection.get("extra")):
                if _is_literal(path.rpartition(".")[2], value):
                    field = f"spec.connections[{connection.get('id')}].extra.{path}"
                    yield Finding(
                        "literal", subject(tenant), field, "looks like a secret: move it to extraSecretRef"
                    )
        for variable in items(tenant, "spec.variables"):
            if _is_literal(str(variable.get("key")), variable.get("value")):
                field = f"spec.variables[{variable.get('key')}].value"
                yield Finding("literal", subject(tenant), field, "looks like a secret: use valueSecretRef")
        for setting in items(tenant, "spec.airflow.env"):
            if _is_literal(str(setting.get("name")), setting.get("value")):
                field = f"spec.airflow.env[{setting.get('name')}].value"
                yield Finding("literal", subject(tenant), field, "looks like a secret: use secretKeyRef")


def secret_values(source: Source, _registry: str) -> Iterator[Finding]:
    """Nothing that is a key or token by its form stands in any object."""
    for found in source.objects:
        if found.get("kind") == "CustomResourceDefinition":
            continue  # texts and patterns only
        for path, value in _leaves(found):
            for name, pattern in _SECRET_VALUES.items():
                if isinstance(value, str) and pattern.search(value):
                    yield Finding(
                        "secret-value", subject(found), path, f"holds {name}: revoke it, it is in Git now"
                    )


def delivered(source: Source, _registry: str) -> Iterator[Finding]:
    """Where ExternalSecrets bring a tenant's Secrets, they bring all that it names."""
    for tenant in source.of(TENANT):
        place = at(tenant, "spec.namespace.name") or f"airflow-{metadata(tenant).get('name')}"
        brought = dict(_brought(source, str(place)))
        if not brought:
            continue  # another way, such as the demo's
        for field, name, key in _references(tenant.get("spec"), "spec"):
            if name not in brought or (key and key not in brought[name]):
                missing = f"key {key} of Secret {name}" if key and name in brought else f"Secret {name}"
                yield Finding(
                    "delivered", subject(tenant), field, f"no ExternalSecret brings {missing}: add it"
                )


def _brought(source: Source, namespace: str) -> Iterator[tuple[str, set[str]]]:
    for found in source.objects:
        if (
            found.get("kind") not in ("ExternalSecret", "Secret")
            or metadata(found).get("namespace") != namespace
        ):
            continue
        name = at(found, "spec.target.name") or metadata(found).get("name")
        keys = {str(entry.get("secretKey")) for entry in items(found, "spec.data")}
        keys |= {str(key) for field in ("data", "stringData") for key in (found.get(field) or {})}
        yield str(name), keys


def _references(value: Any, path: str) -> Iterator[tuple[str, str, str]]:
    """(field, Secret, key) of every reference; a reference without a key stands for the whole Secret."""
    if isinstance(value, list):
        for index, inner in enumerate(value):
            label = (
                inner.get("id", inner.get("key", inner.get("name", index)))
                if isinstance(inner, dict)
                else index
            )
            yield from _references(inner, f"{path}[{label}]")
    if not isinstance(value, dict):
        return
    for name, inner in value.items():
        if name.endswith(("SecretRef", "secretKeyRef")) and isinstance(inner, dict):
            yield f"{path}.{name}", str(inner.get("name")), str(inner.get("key") or "")
        else:
            yield from _references(inner, f"{path}.{name}")


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{index}]")
    else:
        yield path, value


def _is_literal(name: str, value: object) -> bool:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    if not isinstance(value, str) or not value or _NAMES_ONLY.search(name):
        return False
    return bool(
        _SECRET_NAME.search(spaced.replace("_", " ").replace("-", " ")) or _SECRET_NAME.search(spaced)
    )


def secrets_of(document: Object) -> bool:
    """Whether a file's document is encrypted by SOPS."""
    return isinstance(document.get("sops"), dict)


SECRET_RULES = (plain_secrets, literal_passwords, secret_values, delivered)
