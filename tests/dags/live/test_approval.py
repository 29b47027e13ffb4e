"""A release waits for a person, and goes on when the person has approved it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from tests.airflow.server import PASSWORD, USERNAME
from tests.dags.phase11.cicd import Checkout

DAG_ID = "phase11_02_cicd_patterns"


@pytest.fixture
def checkout(live, tmp_path) -> Iterator[Checkout]:
    """A commit to release; the Airflow itself plays staging."""
    checkout = Checkout(tmp_path)
    address = urlsplit(live.server.url)
    variables = {"platform_cicd_tools": checkout.tools, "platform_cicd_checkouts": checkout.folder}
    for key, value in variables.items():
        live.call("POST", "/api/v2/variables", {"key": key, "value": str(value)})
    live.call(
        "POST",
        "/api/v2/connections",
        {
            "connection_id": "airflow_staging",
            "conn_type": "http",
            "host": f"{address.scheme}://{address.hostname}",
            "port": address.port,
            "login": USERNAME,
            "password": PASSWORD,
        },
    )
    yield checkout
    for key in variables:
        live.call("DELETE", f"/api/v2/variables/{key}")
    live.call("DELETE", "/api/v2/connections/airflow_staging")


@pytest.mark.covers("P11.2")
def test_production_waits_for_the_approval_and_is_deployed_after_it(live, checkout):
    run_id = live.trigger(DAG_ID, checkout.conf)
    pending = live.asked(DAG_ID, run_id, "approve_production")
    assert pending["response_received"] is False
    assert pending["subject"] == f"Deploy {checkout.commit} to production?"
    assert pending["options"] == ["Approve", "Reject"]
    assert live.states(DAG_ID, run_id)["deploy_production"] is None
    assert checkout.deployed == {"staging": checkout.commit}

    live.answer(DAG_ID, run_id, "approve_production", "Approve")

    assert live.wait(DAG_ID, run_id) == "success"
    assert live.states(DAG_ID, run_id)["deploy_production"] == "success"
    assert checkout.deployed == {"staging": checkout.commit, "production": checkout.commit}
    answered = live.question(DAG_ID, run_id, "approve_production")
    assert answered["chosen_options"] == ["Approve"]
    assert answered["responded_by_user"]["name"] == USERNAME
