"""Settings for the four common secret stores, as environment variables of the workers.

`[workers] secrets_backend` is read by the processes that run tasks only: scheduler and API server need no
access to the store. Authentication is the pod's identity everywhere; a token in these settings would be one
more secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple


class Store(NamedTuple):
    """A secrets backend: its class and the parameters that an installation must give."""

    classpath: str
    required: tuple[str, ...]
    fixed: Mapping[str, Any]


STORES: Mapping[str, Store] = {
    "vault": Store(
        "airflow.providers.hashicorp.secrets.vault.VaultBackend",
        ("url", "kubernetes_role"),
        {
            "auth_type": "kubernetes",
            "mount_point": "airflow",
            "kv_engine_version": 2,
            "connections_path": "connections",
            "variables_path": "variables",
            "config_path": None,
        },
    ),
    "aws": Store(
        "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend",
        ("region_name",),
        {
            "connections_prefix": "airflow/connections",
            "variables_prefix": "airflow/variables",
            "config_prefix": None,
        },
    ),
    "gcp": Store(
        "airflow.providers.google.cloud.secrets.secret_manager.CloudSecretManagerBackend",
        ("project_id",),
        {
            "connections_prefix": "airflow-connections",
            "variables_prefix": "airflow-variables",
            "config_prefix": None,
        },
    ),
    "azure": Store(
        "airflow.providers.microsoft.azure.secrets.key_vault.AzureKeyVaultBackend",
        ("vault_url",),
        {
            "connections_prefix": "airflow-connections",
            "variables_prefix": "airflow-variables",
            "config_prefix": None,
        },
    ),
}


def worker_settings(kind: str, **given: Any) -> dict[str, str]:
    """The two environment variables of the workers for one store.

    Raises ValueError for an unknown store, a missing parameter, or an address without TLS.
    """
    store = STORES.get(kind)
    if store is None:
        raise ValueError(f"no store {kind!r}; there are {', '.join(STORES)}")
    missing = [name for name in store.required if not given.get(name)]
    if missing:
        raise ValueError(f"{kind} needs {', '.join(missing)}")
    for name in ("url", "vault_url"):
        if name in given and not str(given[name]).startswith("https://"):
            raise ValueError(f"{kind}: {name} must be https, secrets travel over it")
    return {
        "AIRFLOW__WORKERS__SECRETS_BACKEND": store.classpath,
        "AIRFLOW__WORKERS__SECRETS_BACKEND_KWARGS": json.dumps({**store.fixed, **given}, sort_keys=True),
    }


def store_of(classpath: str) -> str:
    """The short name of a backend class; `none` for an empty one, `other` for one that is not listed."""
    if not classpath:
        return "none"
    return next((kind for kind, store in STORES.items() if store.classpath == classpath), "other")
