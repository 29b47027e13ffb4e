"""One token, three pages in one file, and a wait for each 429."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import tenacity
from tests.dags.phase9.without_providers import tasks_without
from tests.dags.runner import run
from werkzeug import Request, Response

from airflow_usecases import rest_client

DAG_ID = "phase9_02_api_integration"
PAGES = [["a1", "a2"], ["b1", "b2"], ["c1"]]


class Carrier:
    """The API: bearer token, cursors, and on demand 429 before a page is served."""

    def __init__(self, busy=None, status="operational", refuses=None):
        self.busy = dict(busy or {})  # cursor -> Retry-After headers that are still to come
        self.status = status
        self.refuses = refuses  # the status that every page is answered with
        self.calls = []  # (time, what, status)
        self.receipts = []
        self.tokens = 0

    def __call__(self, request: Request) -> Response:
        answer = self.answer(request)
        cursor = request.args.get("cursor", "0")
        what = f"{request.path}#{cursor}" if "shipments" in request.path else request.path
        self.calls.append((time.monotonic(), what, answer.status_code))
        return answer

    def answer(self, request: Request) -> Response:
        if request.path == "/status":
            assert "Authorization" not in request.headers
            return reply({"status": self.status})
        if request.path == "/oauth/token":
            return self.token(request)
        if request.headers.get("Authorization") != f"Bearer token-{self.tokens}":
            return reply({"error": "invalid_token"}, 401)
        if request.path == "/v1/receipts":
            self.receipts.append((request.headers["Idempotency-Key"], request.get_json()))
            return reply({"receipt_id": "r-1"})
        return self.page(request)

    def token(self, request: Request) -> Response:
        # RFC 6749, sections 2.3.1 and 4.4.2: the client by Basic authentication, the grant type as a form
        assert request.method == "POST"
        assert request.headers["Authorization"] == f"Basic {base64.b64encode(b'shop:s3cret').decode()}"
        assert request.form.to_dict() == {"grant_type": "client_credentials"}
        self.tokens += 1
        return reply({"access_token": f"token-{self.tokens}", "token_type": "Bearer", "expires_in": 3600})

    def page(self, request: Request) -> Response:
        assert request.path == "/v1/shipments"
        assert request.args["page_size"] == "2"
        number = int(request.args.get("cursor", 0))
        if self.refuses:
            return reply({"error": "refused"}, self.refuses)
        if self.busy.get(number):
            return Response(status=429, headers={"Retry-After": self.busy[number].pop(0)})
        following = str(number + 1) if number + 1 < len(PAGES) else None
        return reply({"shipments": [{"id": name} for name in PAGES[number]], "next": following})

    def asked(self, what):
        return [(moment, status) for moment, name, status in self.calls if name == what]


def reply(body, status=200):
    return Response(json.dumps(body), status=status, content_type="application/json")


@pytest.fixture
def serve(httpserver, http_connection, monkeypatch):
    monkeypatch.setattr(rest_client, "_tokens", {})
    http_connection("carrier_api", login="shop", password="s3cret")
    http_connection("carrier_status")

    def start(**behaviour):
        carrier = Carrier(**behaviour)
        httpserver.expect_request(httpserver_path()).respond_with_handler(carrier)
        return carrier

    return start


def httpserver_path():
    import re

    return re.compile(".*")


def conf(tmp_path):
    return {"target_path": str(tmp_path / "shipments"), "page_size": 2}


@pytest.mark.covers("P09.2")
def test_the_token_is_fetched_once_and_three_pages_are_merged(serve, tmp_path):
    carrier = serve()
    done = run(DAG_ID, conf=conf(tmp_path))
    assert done.of("success") == {"check_carrier_status", "fetch_shipments", "confirm_receipt"}
    fetched = done.xcom("fetch_shipments")
    assert (fetched["pages"], fetched["shipments"]) == (3, 5)
    lines = [json.loads(line)["id"] for line in Path(fetched["path"]).read_text().splitlines()]
    assert lines == ["a1", "a2", "b1", "b2", "c1"]
    assert carrier.tokens == 1
    assert [what for _, what, _ in carrier.calls] == [
        "/status",
        "/oauth/token",
        "/v1/shipments#0",
        "/v1/shipments#1",
        "/v1/shipments#2",
        "/v1/receipts",
    ]
    assert carrier.receipts == [(done.run_id, {"shipments": 5})]
    assert done.xcom("confirm_receipt") == "r-1"
    assert "token-1" not in json.dumps([done.xcoms(task) for task in done.states])


@pytest.mark.covers("P09.2")
def test_each_429_is_waited_for_as_long_as_the_server_asks(serve, tmp_path, monkeypatch):
    pauses = []

    def sleep(seconds):
        pauses.append(seconds)
        time.sleep(seconds)

    monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=sleep))
    carrier = serve(busy={1: ["1"], 2: ["0", "1"]})
    done = run(DAG_ID, conf=conf(tmp_path))
    assert done.state == "success"
    assert done.tries("fetch_shipments") == 1
    assert done.xcom("fetch_shipments")["shipments"] == 5
    assert carrier.tokens == 1
    second, third = carrier.asked("/v1/shipments#1"), carrier.asked("/v1/shipments#2")
    assert [status for _, status in second] == [429, 200]
    assert second[1][0] - second[0][0] >= 1.0
    assert [status for _, status in third] == [429, 429, 200]
    assert third[2][0] - third[1][0] >= 1.0
    assert pauses == [1.0, 0.0, 1.0]


@pytest.mark.covers("P09.2")
def test_a_pause_of_more_than_a_minute_is_left_to_the_retry_of_the_task(serve, tmp_path):
    carrier = serve(busy={1: ["3600"]})
    done = run(DAG_ID, conf=conf(tmp_path))
    assert done.state == "success"
    assert done.tries("fetch_shipments") == 2
    assert [status for _, status in carrier.asked("/v1/shipments#1")] == [429, 200]


def test_a_server_that_stays_busy_is_asked_five_times_in_each_try(serve, tmp_path):
    carrier = serve(busy={0: ["0"] * 100})
    done = run(DAG_ID, conf=conf(tmp_path))
    assert done.states["fetch_shipments"] == "failed"
    assert len(carrier.asked("/v1/shipments#0")) == rest_client.ATTEMPTS * done.tries("fetch_shipments") == 20


@pytest.mark.parametrize(("status", "tries"), [(403, 1), (404, 1), (503, 4)])
def test_a_refusal_is_final_and_an_outage_is_not(serve, tmp_path, status, tries):
    serve(refuses=status)
    done = run(DAG_ID, conf=conf(tmp_path))
    assert done.states["fetch_shipments"] == "failed"
    assert done.tries("fetch_shipments") == tries


def test_an_outage_on_the_status_page_stops_the_run_before_the_api_is_asked(serve, tmp_path):
    carrier = serve(status="major_outage")
    done = run(DAG_ID, conf=conf(tmp_path))
    assert done.states == {
        "check_carrier_status": "failed",
        "fetch_shipments": "upstream_failed",
        "confirm_receipt": "upstream_failed",
    }
    assert {what for _, what, _ in carrier.calls} == {"/status"}


def test_without_its_provider_the_file_still_loads():
    assert set(tasks_without(DAG_ID, "http")) == {
        "check_carrier_status",
        "fetch_shipments",
        "confirm_receipt",
    }
