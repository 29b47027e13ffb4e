"""The breaker around a real HTTP service, over several runs."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
from tests.dags.runner import run as run_dag

from airflow_usecases import circuit_breaker
from airflow_usecases.geocoding import ADDRESSES

DAG_ID = "phase7_03_circuit_breaker"
CUSTOMERS = {"C-1", "C-2", "C-3", "C-4", "C-5"}
POSITION = {"latitude": 46.9481, "longitude": 7.4474}
RESET = 300  # seconds, the DAG's own setting


@pytest.fixture
def run(tmp_path):
    def run(conf=None):
        return run_dag(DAG_ID, conf={"target_path": str(tmp_path)} | (conf or {}))

    return run


def stored_by(done):
    return json.loads(Path(done.xcom("store_positions")["path"]).read_text())


@pytest.fixture(autouse=True)
def closed_circuit():
    """Nothing is kept from an earlier test."""
    from airflow.models.asset_state_store import AssetStateStoreModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(AssetStateStoreModel))


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)

        def wait(self, seconds):
            self.now += datetime.timedelta(seconds=seconds)

    clock = Clock()
    monkeypatch.setattr(circuit_breaker, "utc_now", lambda: clock.now)
    return clock


@pytest.fixture
def geocoder(httpserver, http_connection):
    """`geocoder(503)` sets the answer; `geocoder.calls()` counts the requests since then."""
    http_connection("geocoder_api")

    def answer(status):
        httpserver.clear()
        httpserver.expect_request("/v1/search", method="GET").respond_with_json(POSITION, status=status)

    answer.calls = lambda: len(httpserver.log)
    answer.queries = lambda: [request.args.to_dict() for request, _ in httpserver.log]
    return answer


@pytest.mark.covers("P07.3")
def test_while_the_service_works_every_address_is_asked_for(run, geocoder, clock):
    geocoder(200)
    done = run()
    assert done.of("success") == {"find_positions", "store_positions"}
    assert done.of("skipped") == {"estimate_positions"}
    assert geocoder.calls() == 5
    assert geocoder.queries()[0] == {"street": "Lindenweg 4", "postcode": "3007"}
    stored = stored_by(done)
    assert stored == {customer: POSITION | {"approximate": False} for customer in CUSTOMERS}


@pytest.mark.covers("P07.3")
def test_the_circuit_opens_stays_open_over_runs_probes_once_and_closes(run, geocoder, clock):
    geocoder(503)
    done = run()
    assert geocoder.calls() == 3, "the third failure opens the circuit, in the middle of the batch"
    assert done.xcom("find_positions")["circuit"] == "open"
    assert done.of("success") == {"find_positions", "estimate_positions", "store_positions"}
    stored = stored_by(done)
    assert set(stored) == CUSTOMERS
    assert all(position["approximate"] for position in stored.values())

    for _ in range(2):
        geocoder(200)
        clock.wait(RESET / 2 - 1)
        done = run()
        assert geocoder.calls() == 0, "an open circuit lets nothing out, though the service is back"
        assert set(stored_by(done)) == CUSTOMERS

    geocoder(503)
    clock.wait(RESET)
    done = run()
    assert geocoder.calls() == 1, "half open: one probe, which fails"
    assert done.xcom("find_positions")["circuit"] == "open"

    geocoder(200)
    clock.wait(RESET - 1)
    run()
    assert geocoder.calls() == 0, "the failed probe started the rest anew"

    clock.wait(1)
    done = run()
    assert geocoder.calls() == 5, "the probe succeeds, closes the circuit, and the others follow"
    assert done.xcom("find_positions")["circuit"] == "closed"
    assert done.of("skipped") == {"estimate_positions"}


@pytest.mark.covers("P07.3")
def test_failures_are_counted_over_runs(run, geocoder, clock):
    geocoder(503)
    run({"threshold": 7})
    assert geocoder.calls() == 5
    done = run({"threshold": 7})
    assert geocoder.calls() == 7
    assert done.xcom("find_positions")["circuit"] == "open"


@pytest.mark.covers("P07.3")
def test_a_refused_request_fails_the_task_and_does_not_open_the_circuit(run, geocoder, clock):
    geocoder(401)
    done = run({"threshold": 1})
    assert done.state == "failed"
    assert (done.states["find_positions"], done.tries("find_positions")) == ("failed", 1)
    geocoder(200)
    assert run({"threshold": 1}).xcom("find_positions")["circuit"] == "closed"
    assert geocoder.calls() == 5


def test_no_xcom_says_where_a_customer_lives(run, geocoder, clock):
    geocoder(503)
    done = run()
    assert done.xcom("find_positions")["missing"] == sorted(CUSTOMERS)
    counts = done.xcom("store_positions")
    assert (counts["exact"], counts["approximate"]) == (0, 5)
    kept = json.dumps([done.xcoms(task) for task in done.tasks])
    personal = [address[part] for address in ADDRESSES for part in ("street", "postcode")]
    assert not [text for text in [*personal, "latitude"] if text in kept]
