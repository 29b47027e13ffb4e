"""One whole Airflow for all tests of this folder; they run in one process, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.dags.live.airflow import LiveAirflow
from tests.dags.services.postgres import PostgresServer


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[LiveAirflow]:
    """The running Airflow."""
    airflow = LiveAirflow(tmp_path_factory.mktemp("live"), postgres_server, {})
    try:
        airflow.start()
        yield airflow
    finally:
        airflow.stop()
