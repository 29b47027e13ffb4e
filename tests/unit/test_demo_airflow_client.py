from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from demo.airflow_client import AirflowClient
from demo.errors import ApiError, DemoError, WaitTimeoutError


class Airflow(HTTPServer):
    """Answers as Airflow does: "METHOD path" -> list of (status, body), of which the last one stays."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, list[tuple[int, Any]]] = {"POST /auth/token": [(201, {"access_token": "t1"})]}
        self.asked: list[tuple[str, Any, str]] = []


class Handler(BaseHTTPRequestHandler):
    server: Airflow

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        key = f"{self.command} {self.path}"
        self.server.asked.append((key, body, self.headers.get("Authorization", "")))
        answers = self.server.answers.get(key, [(404, {"detail": "not found"})])
        status, value = answers.pop(0) if len(answers) > 1 else answers[0]
        data = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def airflow() -> Iterator[Airflow]:
    server = Airflow()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(airflow: Airflow) -> AirflowClient:
    return AirflowClient(f"http://127.0.0.1:{airflow.server_port}/", "admin", "pw")


def test_it_logs_in_once_and_sends_the_token(airflow: Airflow, client: AirflowClient) -> None:
    airflow.answers["GET /api/v2/pools/a%2Fb"] = [(200, {"name": "a/b", "slots": 2})]
    assert client.pool("a/b") == {"name": "a/b", "slots": 2}
    assert client.pool("a/b") == {"name": "a/b", "slots": 2}
    assert [key for key, _, _ in airflow.asked].count("POST /auth/token") == 1
    assert airflow.asked[0][1] == {"username": "admin", "password": "pw"}
    assert airflow.asked[1][2] == "Bearer t1"


@pytest.mark.parametrize(
    "refusal", [(401, {"detail": "Token Expired"}), (403, {"detail": "Invalid JWT token"})]
)
def test_it_logs_in_again_when_the_token_is_no_longer_good(
    airflow: Airflow, client: AirflowClient, refusal: tuple[int, Any]
) -> None:
    airflow.answers["POST /auth/token"] = [(201, {"access_token": "t1"}), (201, {"access_token": "t2"})]
    airflow.answers["GET /api/v2/dags/x"] = [refusal, (200, {"dag_id": "x"})]
    assert client.dag("x") == {"dag_id": "x"}
    assert airflow.asked[-1][2] == "Bearer t2"


def test_a_lack_of_rights_is_an_error(airflow: Airflow, client: AirflowClient) -> None:
    airflow.answers["GET /api/v2/dags/x"] = [(403, {"detail": "Forbidden"})]
    with pytest.raises(ApiError, match="HTTP 403"):
        client.dag("x")


def test_what_is_not_there_is_none(client: AirflowClient) -> None:
    assert client.dag("x") is None


def test_nobody_at_home_is_status_zero() -> None:
    with pytest.raises(ApiError) as caught:
        AirflowClient("http://127.0.0.1:9", "a", "b").health()
    assert caught.value.status == 0


def test_all_pages_are_read(airflow: Airflow, client: AirflowClient) -> None:
    airflow.answers["GET /api/v2/pools?limit=100&offset=0"] = [
        (200, {"pools": [{"name": "a"}] * 100, "total_entries": 101})
    ]
    airflow.answers["GET /api/v2/pools?limit=100&offset=100"] = [
        (200, {"pools": [{"name": "b"}], "total_entries": 101})
    ]
    assert len(client.all("pools")) == 101


def test_roles_are_pairs_of_action_and_resource(airflow: Airflow, client: AirflowClient) -> None:
    action = {"action": {"name": "can_read"}, "resource": {"name": "DAGs"}}
    airflow.answers["GET /auth/fab/v1/roles?limit=100"] = [
        (200, {"roles": [{"name": "r", "actions": [action]}]})
    ]
    assert client.roles() == {"r": {("can_read", "DAGs")}}


RUN = "/api/v2/dags/d/dagRuns/manual__2026-01-01T00%3A00%3A00%2B00%3A00"
RUN_ID = "manual__2026-01-01T00:00:00+00:00"


def test_a_run_is_waited_for_through_short_outages(airflow: Airflow, client: AirflowClient) -> None:
    airflow.answers[f"GET {RUN}"] = [(200, {"state": "running"}), (503, {}), (200, {"state": "success"})]
    assert client.wait_for_run("d", RUN_ID, seconds=10, poll=0) < 10


@pytest.mark.parametrize(("state", "error"), [("failed", DemoError), ("running", WaitTimeoutError)])
def test_a_run_that_does_not_succeed_says_which_task(
    airflow: Airflow, client: AirflowClient, state: str, error: type[Exception]
) -> None:
    airflow.answers[f"GET {RUN}"] = [(200, {"state": state})]
    tasks = [{"task_id": "one", "map_index": -1, "state": "failed"}]
    airflow.answers[f"GET {RUN}/taskInstances?limit=100"] = [(200, {"task_instances": tasks})]
    with pytest.raises(error, match=r"one\[-1\] failed"):
        client.wait_for_run("d", RUN_ID, seconds=0.05, poll=0.01)
