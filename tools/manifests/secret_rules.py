"""Rules about secrets: none is in Git, and each one that a tenant names is delivered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tools.manifests.findings import TENANT, Finding, Object, Source, at, items, metadata, notes, subject

_TENANT_OF = "airflowtenants.io/tenant"

_ENCRYPTED = re.compile(r"^ENC\[AES256_GCM,data:[\w+/=]*,iv:[\w+/=]+,tag:[\w+/=]+,type:\w+\]$")
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
                if not _ENCRYPTED.fullmatch(str(value)) or not at(found, "sops.mac"):
                    yield Finding(
                        *("plain-secret", subject(found), f"{field}.{key}"),
                        "a Secret in Git: use an ExternalSecret, or encrypt the file with SOPS",
                    )


def literal_passwords(source: Source, _registry: str) -> Iterator[Finding]:
    """What a tenant or a ConfigMap says in plain text is no secret."""
    for tenant in source.of(TENANT):
        for field, name, value, remedy in _plain_texts(tenant):
            if _is_literal(name, value):
                yield Finding("literal", subject(tenant), field, f"looks like a secret: {remedy}")
    for found in source.of("ConfigMap"):
        data = found.get("data")
        for key, value in (data if isinstance(data, dict) else {}).items():
            if _is_literal(str(key), value):
                message = "looks like a secret: use an ExternalSecret"
                yield Finding("literal", subject(found), f"data.{key}", message)


def _plain_texts(tenant: Object) -> Iterator[tuple[str, str, Any, str]]:
    """(field, name, value, where it belongs if it is a secret)."""
    for connection in items(tenant, "spec.connections"):
        for path, value in _leaves(connection.get("extra")):
            field = f"spec.connections[{connection.get('id')}].extra.{path}"
            yield field, path.rpartition(".")[2], value, "move it to extraSecretRef"
    for variable in items(tenant, "spec.variables"):
        name = str(variable.get("key"))
        yield f"spec.variables[{name}].value", name, variable.get("value"), "use valueSecretRef"
    for path, value in _leaves(at(tenant, "spec.airflow.config")):
        remedy = "use spec.airflow.env with secretKeyRef, as AIRFLOW__SECTION__KEY"
        yield f"spec.airflow.config.{path}", path.rpartition(".")[2], value, remedy
    for setting in items(tenant, "spec.airflow.env"):
        name = str(setting.get("name"))
        yield f"spec.airflow.env[{name}].value", name, setting.get("value"), "use secretKeyRef"


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
            keys = brought.get(name, set())
            if keys is not None and (name not in brought or (key and key not in keys)):
                missing = f"key {key} of Secret {name}" if key and name in brought else f"Secret {name}"
                yield Finding(
                    "delivered", subject(tenant), field, f"no ExternalSecret brings {missing}: add it"
                )


def _brought(source: Source, namespace: str) -> Iterator[tuple[str, set[str] | None]]:
    """(Secret, keys) of what comes into a namespace; None where only the store knows the keys."""
    for found in source.objects:
        if (
            found.get("kind") not in ("ExternalSecret", "Secret")
            or metadata(found).get("namespace") != namespace
        ):
            continue
        name = at(found, "spec.target.name") or metadata(found).get("name")
        keys = {str(entry.get("secretKey")) for entry in items(found, "spec.data")}
        for field in ("data", "stringData"):
            values = found.get(field)
            keys |= {str(key) for key in (values if isinstance(values, dict) else {})}
        template = at(found, "spec.target.template.data")
        if isinstance(template, dict) and at(found, "spec.target.template.mergePolicy") != "Merge":
            keys = {str(key) for key in template}  # they replace what the store has
        elif isinstance(template, dict):
            keys |= {str(key) for key in template}
        open_ended = at(found, "spec.dataFrom") or at(found, "spec.target.template.templateFrom")
        yield str(name), None if open_ended and not _closed(found) else keys


def _closed(found: Object) -> bool:
    """Whether the template names every key, whatever the store has."""
    template = at(found, "spec.target.template")
    return (
        isinstance(template, dict)
        and bool(template.get("data"))
        and not (template.get("templateFrom") or template.get("mergePolicy") == "Merge")
    )


def secret_paths(source: Source, _registry: str) -> Iterator[Finding]:
    """(policy) The store of all teams hands out whatever is asked: a team asks for its own paths."""
    owners = {
        str(metadata(found).get("name")): notes(found).get(_TENANT_OF) for found in source.of("Namespace")
    }
    for found in source.of("ExternalSecret"):
        place = str(metadata(found).get("namespace") or "")
        tenant = owners.get(place) or (place.removeprefix("airflow-") if place.startswith("airflow-") else "")
        if not tenant or place == "airflow-tenants-system":
            continue
        for field, key in _paths(found):
            if key is None or not key.startswith(f"airflow/{tenant}/") or ".." in key:
                words = f"{key} is not of tenant {tenant}" if key else "asks for whatever is there"
                message = f"{words}: name keys below airflow/{tenant}/, or a SecretStore of the team"
                yield Finding("secret-path", subject(found), field, message)


def _paths(found: Object) -> Iterator[tuple[str, str | None]]:
    """(field, key) of what is asked of a ClusterSecretStore; None for a search."""
    usual = at(found, "spec.secretStoreRef.kind") or "SecretStore"
    for field, ask in (("data", "remoteRef"), ("dataFrom", "extract")):
        for index, entry in enumerate(items(found, f"spec.{field}")):
            own = at(entry, "sourceRef.storeRef")
            kind = (own.get("kind") or "SecretStore") if isinstance(own, dict) else usual
            if kind != "ClusterSecretStore":
                continue
            if ask in entry:
                yield f"spec.{field}[{index}].{ask}.key", str(at(entry, f"{ask}.key") or "")
            if "find" in entry:
                yield f"spec.{field}[{index}].find", None


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
        if str(name).endswith(("SecretRef", "secretKeyRef")) and isinstance(inner, dict):
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


#: what is looked for in every file by itself, and what in what is built
FILE_RULES = (plain_secrets, literal_passwords, secret_values)
SECRET_RULES = (*FILE_RULES, secret_paths, delivered)
