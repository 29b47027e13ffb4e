"""What the DAGs of this phase talk to."""

from __future__ import annotations

import pytest
from tests.dags.services.airflow_stub import USER, AirflowStub


@pytest.fixture
def airflow_stub(httpserver, http_connection):
    """Airflow's REST API behind connection `airflow_api`."""
    http_connection("airflow_api", login=USER["username"], password=USER["password"])
    return AirflowStub(httpserver)
