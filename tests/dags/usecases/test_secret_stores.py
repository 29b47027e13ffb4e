"""Settings of secret stores."""

from __future__ import annotations

import json

import pytest

from airflow_usecases.secret_stores import store_of, worker_settings


@pytest.mark.parametrize(
    ("kind", "given", "classname"),
    [
        ("vault", {"url": "https://vault.example.com", "kubernetes_role": "airflow"}, "VaultBackend"),
        ("aws", {"region_name": "eu-central-1"}, "SecretsManagerBackend"),
        ("gcp", {"project_id": "shop-prod"}, "CloudSecretManagerBackend"),
        ("azure", {"vault_url": "https://shop.vault.azure.net"}, "AzureKeyVaultBackend"),
    ],
)
def test_settings_of_each_store(kind, given, classname):
    settings = worker_settings(kind, **given)
    classpath = settings["AIRFLOW__WORKERS__SECRETS_BACKEND"]
    assert classpath.endswith(f".{classname}")
    assert given.items() <= json.loads(settings["AIRFLOW__WORKERS__SECRETS_BACKEND_KWARGS"]).items()
    assert store_of(classpath) == kind


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        ("keepass", {}, "no store 'keepass'"),
        ("vault", {"url": "https://v"}, "vault needs kubernetes_role"),
        ("vault", {"url": "http://v", "kubernetes_role": "r"}, "must be https"),
        ("azure", {"vault_url": "http://v"}, "must be https"),
    ],
)
def test_settings_that_are_refused(kind, given, message):
    with pytest.raises(ValueError, match=message):
        worker_settings(kind, **given)


def test_other_stores_are_named_too():
    assert store_of("") == "none"
    assert store_of("example.Backend") == "other"
