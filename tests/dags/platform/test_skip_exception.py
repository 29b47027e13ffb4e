"""An optional service that is down skips what needs it, and no more."""

from __future__ import annotations

import pytest
from pytest_httpserver import HTTPServer
from tests.dags.runner import run

DAG_ID = "platform_skip_on_api"


@pytest.mark.covers("D000-4")
def test_status_200_gives_a_complete_report(httpserver: HTTPServer, http_connection):
    http_connection("rates_api")
    httpserver.expect_oneshot_request("/v1/rates").respond_with_json({"rates": {"USD": 1.1}})
    done = run(DAG_ID)
    assert done.of("success") == {"fetch_rates", "convert_amounts", "send_report"}
    assert done.xcom("send_report") == {"converted": {"USD": 1320.0}, "complete": True}


@pytest.mark.covers("D000-4")
def test_status_500_skips_the_task_and_a_none_failed_child_still_runs(httpserver, http_connection):
    http_connection("rates_api")
    httpserver.expect_request("/v1/rates").respond_with_data("down", status=500)
    done = run(DAG_ID)
    assert done.state == "success"
    assert done.states == {"fetch_rates": "skipped", "convert_amounts": "skipped", "send_report": "success"}
    assert done.tries("fetch_rates") == 1
    assert len(httpserver.log) == 1
    assert done.xcom("send_report") == {"converted": None, "complete": False}


@pytest.mark.covers("D000-4")
def test_a_service_that_does_not_answer_at_all_is_an_error_that_is_retried(connect):
    connect("rates_api", "http", host="http://127.0.0.1", port=1)
    done = run(DAG_ID)
    assert done.state == "failed"
    assert done.states == {
        "fetch_rates": "failed",
        "convert_amounts": "upstream_failed",
        "send_report": "upstream_failed",
    }
    assert done.tries("fetch_rates") == 4


@pytest.mark.covers("D000-4")
def test_the_request_has_a_timeout_of_ten_seconds(httpserver, http_connection, monkeypatch):
    from requests import Session

    timeouts = []
    send = Session.send
    monkeypatch.setattr(
        Session,
        "send",
        lambda self, request, **kwargs: (timeouts.append(kwargs["timeout"]), send(self, request, **kwargs))[
            1
        ],
    )
    http_connection("rates_api")
    httpserver.expect_request("/v1/rates").respond_with_json({"rates": {}})
    run(DAG_ID)
    assert timeouts == [10]
