"""What is retried, what fails at once and what is replaced by an older value."""

from __future__ import annotations

import datetime

import pytest
from tests.dags.runner import run

from airflow_usecases.remote_errors import PermanentError, TransientError

DAG_ID = "phase7_02_exception_handling"
RATES = {"USD": "1.0842", "CHF": "0.9531"}


@pytest.fixture(autouse=True)
def forget_rates():
    """No rates are known when a test starts."""
    from airflow.models.asset_state_store import AssetStateStoreModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(AssetStateStoreModel))


@pytest.fixture
def service(httpserver, http_connection):
    http_connection("exchange_rates_api")

    def answer(*statuses):
        """The next requests are answered so; what comes after is an error of the test."""
        httpserver.clear()
        for status in statuses:
            httpserver.expect_ordered_request(
                "/v1/rates", method="GET", query_string={"base": "EUR"}
            ).respond_with_json({"rates": RATES}, status=status)

    answer.calls = lambda: len(httpserver.log)
    answer.check = httpserver.check
    return answer


@pytest.mark.covers("P07.2")
def test_an_overloaded_service_is_asked_again_until_it_answers(service):
    service(503, 503, 200)
    done = run(DAG_ID)
    service.check()
    assert done.state == "success"
    assert done.tries("fetch_rates") == 3
    assert done.of("skipped") == {"read_last_rates"}
    assert done.of("success") == {"fetch_rates", "publish_rates", "require_accepted_request"}
    published = done.xcom("publish_rates")
    assert (published["rates"], published["degraded"]) == (RATES, False)


@pytest.mark.covers("P07.2")
@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refused_request_fails_at_the_first_try(service, status):
    service(status)
    done = run(DAG_ID)
    service.check()
    assert done.tries("fetch_rates") == 1
    assert done.states["fetch_rates"] == "failed"
    assert service.calls() == 1
    assert done.xcom("fetch_rates", "refused") == f"the rate service answered {status}"


@pytest.mark.covers("P07.2")
def test_an_outage_is_bridged_by_the_last_rates_marked_as_degraded(service):
    began = datetime.datetime.now(datetime.UTC)
    service(200)
    first = run(DAG_ID).xcom("publish_rates")
    service(500, 502, 503, 504)
    done = run(DAG_ID)
    took = datetime.datetime.now(datetime.UTC) - began
    service.check()
    assert done.state == "success"
    assert done.tries("fetch_rates") == 4
    assert done.of("failed") == {"fetch_rates"}
    assert done.of("success") == {"read_last_rates", "publish_rates", "require_accepted_request"}
    published = done.xcom("publish_rates")
    assert published["degraded"] is True
    assert published["rates"] == RATES
    assert published["fetched_at"] == first["fetched_at"]
    assert 0 <= published["age_seconds"] <= took.total_seconds()


@pytest.mark.covers("P07.2")
def test_a_refused_request_is_bridged_too_but_the_run_fails(service):
    service(200)
    run(DAG_ID)
    service(401)
    done = run(DAG_ID)
    assert done.state == "failed"
    assert done.of("failed") == {"fetch_rates", "require_accepted_request"}
    assert done.xcom("publish_rates")["degraded"] is True


@pytest.mark.covers("P07.2")
def test_without_older_rates_an_outage_fails_the_run(service):
    service(503, 503, 503, 503)
    done = run(DAG_ID)
    assert done.state == "failed"
    assert done.of("failed") == {"fetch_rates", "read_last_rates"}
    assert done.tries("read_last_rates") == 1
    assert done.of("upstream_failed") == {"publish_rates", "require_accepted_request"}


@pytest.mark.covers("P07.2")
def test_rates_that_are_too_old_are_not_published(service, monkeypatch):
    import pendulum

    service(200)
    run(DAG_ID)
    service(503, 503, 503, 503)
    now = pendulum.now("UTC")
    monkeypatch.setattr(pendulum, "now", lambda *_: now.add(days=2))
    done = run(DAG_ID, conf={"max_age_days": 1})
    assert done.states["read_last_rates"] == "failed"
    assert done.state == "failed"


@pytest.mark.covers("P07.2")
def test_a_service_that_cannot_be_reached_counts_as_an_outage(connect):
    connect("exchange_rates_api", "http", host="http://127.0.0.1", port=9)
    seen = []

    def remember(dag):
        fetch = dag.get_task("fetch_rates")
        fetch.retries = 0
        fetch.on_failure_callback = [lambda context: seen.append(context["exception"])]

    done = run(DAG_ID, change=remember)
    assert done.states["fetch_rates"] == "failed"
    assert [type(error) for error in seen] == [TransientError]
    assert not isinstance(seen[0], PermanentError)
