"""One whole Airflow for all tests of this folder; they run in one process, one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.dags.live.airflow import LiveAirflow
from tests.dags.services.postgres import PostgresServer

# which team owns which folder: what the cluster policy of airflow_local_settings.py reads
TEAM_FOLDERS = {
    "ml": "team_ml/",
    "data_engineering": "team_data_engineering/",
    "analytics": "team_analytics/",
    "platform": "",
}
SETTINGS = {
    "TENANT_DAG_TEAMS": json.dumps([{"team": team, "path": path} for team, path in TEAM_FOLDERS.items()])
}


def lineage_settings(folder: Path) -> dict[str, str]:
    """OpenLineage events go to a file; only DAGs that ask for it emit any."""
    transport = {"type": "file", "log_file_path": str(folder / "data" / "openlineage.jsonl"), "append": True}
    return {
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "library",
        "AIRFLOW__OPENLINEAGE__SELECTIVE_ENABLE": "True",
    }


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[LiveAirflow]:
    """The running Airflow."""
    folder = tmp_path_factory.mktemp("live")
    airflow = LiveAirflow(folder, postgres_server, SETTINGS | lineage_settings(folder))
    try:
        airflow.start()
        yield airflow
    finally:
        airflow.stop()
