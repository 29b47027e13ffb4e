"""AWS by a moto server: a real HTTP endpoint behind the real SDK; emptied before each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import requests
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from tests.airflow.server import free_port
from tests.dags.services.connections import Connect

KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


class Aws:
    """`endpoint` answers for every service that moto knows."""

    def __init__(self, endpoint: str, connect: Connect) -> None:
        self.endpoint = endpoint
        self._connect = connect

    def client(self, service: str, region_name: str = "us-east-1") -> Any:
        """A boto3 client of the endpoint."""
        return boto3.client(service, endpoint_url=self.endpoint, region_name=region_name, **KEYS)

    def connection(self, conn_id: str = "aws_default", **extra: Any) -> str:
        """Let a connection of type aws point here."""
        return self._connect(
            conn_id,
            "aws",
            login=KEYS["aws_access_key_id"],
            password=KEYS["aws_secret_access_key"],
            extra={"endpoint_url": self.endpoint, "region_name": "us-east-1"} | extra,
        )


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """The process' server; its address."""
    port = free_port()
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def aws(moto_server: str, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """An empty AWS; `aws.connection(conn_id)` lets a DAG use it."""
    for name in ("AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    requests.post(f"{moto_server}/moto-api/reset", timeout=30).raise_for_status()
    return Aws(moto_server, connect)
