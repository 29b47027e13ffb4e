"""What a real Airflow writes when it is set up as a tenant's: JSON lines, a log store, traces."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote

import pytest
import yaml
from tests.airflow.environment import ROOT, airflow_bin
from tests.airflow.loki import Loki
from tests.airflow.server import AirflowServer, free_port, wait_until
from tests.charts.support import render_chart
from tests.unit.operator.support import tenant

from tenant_operator.plan import logs, values

DAG = '''
"""Fails once, then succeeds."""
from datetime import timedelta
import logging
import pendulum
import structlog
from airflow.sdk import DAG, get_current_context, task

START = pendulum.datetime(2024, 1, 1, tz="UTC")

with DAG("settle", schedule=None, start_date=START, is_paused_upon_creation=False):

    @task(retries=1, retry_delay=timedelta(seconds=0))
    def pay():
        structlog.get_logger("payments").info("order settled", order=4711)
        logging.getLogger("payments").info("plain words")
        if get_current_context()["ti"].try_number == 1:
            raise RuntimeError("the bank is closed")

    pay()
'''
BUCKET = "airflow-logs"
CONNECTION = "aws_default"
#: Flask-AppBuilder says it before any logging is set up.
NOT_AIRFLOWS = "appbuilder.app is deprecated"
_CREDENTIAL = "testing/20260101/us-east-1/s3/aws4_request"
_SIGNED = f"AWS4-HMAC-SHA256 Credential={_CREDENTIAL}, SignedHeaders=host, Signature=0"
_DEADLINE = 120.0


@dataclass
class Told:
    """What was found when the run had ended."""

    airflow: AirflowServer
    run_id: str
    scheduler: list[dict[str, Any]]
    store: str
    traces: list[bytes]

    def lines(self, try_number: int) -> list[dict[str, Any]]:
        """What the task itself said in one of its tries, as the scheduler's standard output has it."""
        return [
            line
            for line in self.scheduler
            if line.get("try_number") == try_number and line.get("logger") == "payments"
        ]

    def key(self, attempt: int) -> str:
        return f"payments/dag_id=settle/run_id={self.run_id}/task_id=pay/attempt={attempt}.log"


class _Receiver(BaseHTTPRequestHandler):
    """OTLP over HTTP: takes every export and says so. https://opentelemetry.io/docs/specs/otlp/#otlphttp"""

    received: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/traces" and self.headers["Content-Type"] == "application/x-protobuf":
            self.received.append(body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class' name
        """Say nothing."""


@pytest.fixture(scope="module")
def receiver() -> Iterator[tuple[str, list[bytes]]]:
    received: list[bytes] = []
    handler = type("Receiver", (_Receiver,), {"received": received})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", received
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An S3 with one empty bucket; its address."""
    port = free_port()
    log = (tmp_path_factory.mktemp("moto") / "moto.log").open("wb")
    process = subprocess.Popen(
        [str(airflow_bin() / "moto_server"), "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
    )
    url = f"http://127.0.0.1:{port}"

    def made() -> bool:
        try:
            return request("PUT", f"{url}/{BUCKET}")[0] == 200
        except URLError:
            return False

    try:
        wait_until(made, 60)
        yield url
    finally:
        process.terminate()
        process.wait(10)
        log.close()


def request(method: str, url: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers in lower case, and body. Raises HTTPError and URLError."""
    asked = urllib.request.Request(url, headers={"Authorization": _SIGNED}, method=method)  # noqa: S310 - our own address
    with urllib.request.urlopen(asked, timeout=20) as answer:  # noqa: S310 - our own address
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return answer.status, headers, answer.read()


@pytest.fixture(scope="module")
def told(
    tmp_path_factory: pytest.TempPathFactory, store: str, receiver: tuple[str, list[bytes]]
) -> Iterator[Told]:
    """One run of the DAG, with two tries, in an Airflow that the operator's plan has set up."""
    home = tmp_path_factory.mktemp("logs")
    (home / "dags").mkdir()
    (home / "dags" / "settle.py").write_text(DAG)
    found = tenant(
        connections=[{"id": CONNECTION, "type": "aws"}],
        logging={
            "remote": {"folder": f"s3://{BUCKET}/payments", "connectionId": CONNECTION, "encrypt": True}
        },
        traces={"otlpEndpoint": receiver[0]},
    )
    config = {
        f"AIRFLOW__{section.upper()}__{key.upper()}": value
        for section, keys in logs.config(found).items()
        for key, value in keys.items()
    }
    settings = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
        "AWS_EC2_METADATA_DISABLED": "true",
        **config,
        **logs.environment(found),
    }
    server = AirflowServer.start(home, settings)
    try:
        connection = {
            "connection_id": CONNECTION,
            "conn_type": "aws",
            "login": "testing",
            "password": "testing",
            "extra": json.dumps({"endpoint_url": store, "region_name": "us-east-1"}),
        }
        server.call("POST", "/api/v2/connections", connection)
        server.run("dag-processor")
        server.run("scheduler")
        wait_until(
            lambda: server.call("GET", "/api/v2/dags")["total_entries"] == 1,
            _DEADLINE,
            lambda: server.log("dag-processor"),
        )
        path = "/api/v2/dags/settle/dagRuns"
        run_id = server.call("POST", path, {"logical_date": None})["dag_run_id"]
        state = wait_until(
            lambda: (
                s
                if (s := server.call("GET", f"{path}/{quote(run_id, safe='')}")["state"])
                in {"success", "failed"}
                else None
            ),
            _DEADLINE,
            lambda: server.log("scheduler"),
        )
        assert state == "success", server.log("scheduler")
        # Log and spans leave when the task's process ends, a little after its state is known.
        finished = '"event":"Workload finished"'
        wait_until(
            lambda: (home / "scheduler.log").read_text().count(finished) == 2 and receiver[1],
            _DEADLINE,
            lambda: server.log("scheduler"),
        )
        whole, _, _ = (home / "scheduler.log").read_text().rpartition("\n")  # the last may be half written
        lines = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
        yield Told(server, run_id, lines, store, receiver[1])
    finally:
        server.stop()


@pytest.mark.covers("LG-04", "LG-12")
def test_every_line_of_a_task_carries_dag_run_task_and_try(told: Told) -> None:
    for attempt in (1, 2):
        settled, plain = told.lines(attempt)[:2]
        assert (settled["event"], settled["order"], settled["level"]) == ("order settled", 4711, "info")
        assert plain["event"] == "plain words"
        for line in (settled, plain):
            assert (line["dag_id"], line["run_id"], line["task_id"]) == ("settle", told.run_id, "pay")
            assert line["timestamp"]


@pytest.mark.covers("LG-04")
def test_every_line_of_every_component_is_a_json_object(told: Told) -> None:
    for component in ("api-server", "scheduler", "dag-processor"):
        text, _, _ = (told.airflow.directory / f"{component}.log").read_text().rpartition("\n")
        lines = [line for line in text.splitlines() if line.strip()]
        lines = [line for line in lines if not line.startswith(NOT_AIRFLOWS)]
        odd = [line for line in lines if not line.startswith("{")]
        assert len(lines) - len(odd) >= 3, text[-2000:]
        assert not odd, (component, odd[:5])
        for line in lines:
            assert {"timestamp", "level", "event"} <= set(json.loads(line)), line


@pytest.mark.covers("LG-01")
def test_the_log_of_each_try_is_in_the_store_and_encrypted(told: Told) -> None:
    for attempt in (1, 2):
        status, headers, body = request("GET", f"{told.store}/{BUCKET}/{quote(told.key(attempt))}")
        assert status == 200
        assert headers["x-amz-server-side-encryption"] == "AES256"
        assert b"order settled" in body
        assert (b"the bank is closed" in body) == (attempt == 1)


@pytest.mark.covers("S002-21")
def test_the_store_is_the_bucket_of_logs_by_the_default_connection(told: Told) -> None:
    remote = {"folder": "s3://airflow-logs/", "connectionId": "aws_default"}
    spec = tenant(connections=[{"id": "aws_default", "type": "aws"}], logging={"remote": remote})
    config = render_chart(values.build(spec, {}, values.Defaults())).config
    assert config["AIRFLOW__LOGGING__REMOTE_LOGGING"] == "True"
    assert config["AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER"] == "s3://airflow-logs/"
    assert config["AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID"] == CONNECTION == "aws_default"
    status, _, body = request("GET", f"{told.store}/airflow-logs/{quote(told.key(2))}")
    assert status == 200
    assert b"order settled" in body


@pytest.mark.covers("LG-01")
def test_a_log_is_read_back_through_the_api_when_the_pod_and_its_files_are_gone(told: Told) -> None:
    shutil.rmtree(told.airflow.directory / "logs")
    path = f"/api/v2/dags/settle/dagRuns/{quote(told.run_id, safe='')}/taskInstances/pay/logs/1"
    text = json.dumps(told.airflow.call("GET", path))
    assert f"s3://{BUCKET}/{told.key(1)}" in text
    assert "the bank is closed" in text
    assert "plain words" in text


def test_nothing_secret_is_in_the_lines(told: Told) -> None:
    everything = "".join(path.read_text() for path in Path(told.airflow.directory).glob("*.log"))
    assert told.airflow.password not in everything


@pytest.mark.covers("LG-10")
def test_spans_of_the_run_and_of_its_task_reach_the_receiver(told: Told) -> None:
    parts = (b"airflow-payments", b"airflowtenants.io/team", b"settle", b"pay", told.run_id.encode())

    def missing() -> list[bytes]:
        sent = b"".join(told.traces)
        return [part for part in parts if part not in sent]

    # the scheduler's spans and those of each try leave by themselves, one after another
    wait_until(lambda: not missing(), _DEADLINE, lambda: str(missing()))


def test_an_unknown_log_is_told_and_does_not_break_the_server(told: Told) -> None:
    path = f"/api/v2/dags/settle/dagRuns/{quote(told.run_id, safe='')}/taskInstances/pay/logs/9"
    with pytest.raises(HTTPError) as refused:
        told.airflow.call("GET", path)
    assert refused.value.code == 404
    refused.value.close()


# the same lines in a store


@pytest.fixture(scope="module")
def said(told: Told) -> dict[str, list[dict[str, Any]]]:
    """What the three components have said by now, to the last whole line; they go on."""
    found = {}
    for component in ("api-server", "scheduler", "dag-processor"):
        whole, _, _ = (told.airflow.directory / f"{component}.log").read_text().rpartition("\n")
        found[component] = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
    return found


@pytest.fixture(scope="module")
def loki(said: dict[str, list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loki]:
    """A real Loki with every line of the three components, labelled as the collector's overlay says."""
    store = Loki.start(tmp_path_factory.mktemp("loki"))
    try:
        for component, lines in said.items():
            store.push({**line, "kubernetes": pod("payments", component)} for line in lines)
        other = {"timestamp": lines[0]["timestamp"], "level": "error", "event": "of another team"}
        store.push([{**other, "kubernetes": pod("analytics", "scheduler")}])
        about = {
            "level": "info",
            "ts": lines[0]["timestamp"],
            "tenant": "payments",
            "msg": "put back Service/x",
        }
        store.push([{**about, "kubernetes": {"container_name": "operator", "labels": {}}}])
        yield store
    finally:
        store.stop()


def pod(name: str, component: str) -> dict[str, Any]:
    """What the collector's filter adds to a line."""
    labels = {
        "airflowtenants.io/tenant": name,
        "airflowtenants.io/team": name,
        "app.kubernetes.io/component": component,
    }
    return {
        "namespace_name": f"airflow-{name}",
        "pod_name": f"{name}-{component}-0",
        "container_name": component,
        "labels": labels,
    }


QUERIES = {
    query["name"]: query
    for query in yaml.safe_load((ROOT / "manifests" / "logging" / "queries.yaml").read_text())["queries"]
}


def ask(loki: Loki, told: Told, name: str, **more: str) -> list[dict[str, Any]]:
    """Run a saved query with its blanks filled in."""
    filled = {"tenant": "payments", "dag_id": "settle", "run_id": told.run_id, "task_id": "pay", **more}
    logql = QUERIES[name]["logql"]
    for blank, value in filled.items():
        logql = logql.replace(f"${blank}", value)
    assert "$" not in logql, logql
    return loki.query(logql)


def events(found: list[dict[str, Any]]) -> list[str]:
    """What the lines say."""
    lines = [json.loads(value[1]) for stream in found for value in stream["values"]]
    return [line.get("event") or line["msg"] for line in lines]


@pytest.mark.covers("LG-07")
def test_errors_of_a_team_are_found_and_no_other_teams(loki: Loki, told: Told) -> None:
    found = events(ask(loki, told, "errors-of-a-tenant"))
    assert any("Task failed" in event for event in found), found
    assert "of another team" not in found
    assert "of another team" in events(ask(loki, told, "errors-of-a-tenant", tenant="analytics"))


@pytest.mark.covers("LG-07")
def test_errors_of_one_dag_are_found_and_no_other_dags(loki: Loki, told: Told) -> None:
    assert any("Task failed" in event for event in events(ask(loki, told, "errors-of-a-dag")))
    assert ask(loki, told, "errors-of-a-dag", dag_id="settle_not") == []


@pytest.mark.covers("LG-04", "LG-12")
def test_one_run_and_one_try_of_it_are_read_alone(loki: Loki, told: Told) -> None:
    assert events(ask(loki, told, "one-run")).count("order settled") == 2
    assert events(ask(loki, told, "one-try", try_number="2")).count("order settled") == 1
    assert not any("Task failed" in event for event in events(ask(loki, told, "one-try", try_number="2")))


@pytest.mark.covers("LG-12")
def test_tasks_that_needed_a_second_try_are_counted(loki: Loki, told: Told) -> None:
    [series] = ask(loki, told, "retries")
    assert series["metric"] == {"dag_id": "settle", "task_id": "pay"}
    assert float(series["value"][1]) >= 2


@pytest.mark.covers("LG-07")
def test_errors_are_counted_by_dag(loki: Loki, told: Told) -> None:
    [series] = ask(loki, told, "errors-by-dag")
    assert series["metric"] == {"dag_id": "settle"}
    assert float(series["value"][1]) >= 1


@pytest.mark.covers("LG-09")
def test_changes_by_hand_are_in_the_access_log(loki: Loki, told: Told) -> None:
    found = [value[1] for stream in ask(loki, told, "changes-through-the-api") for value in stream["values"]]
    changed = {(line["method"], line["path"], line["status_code"]) for line in map(json.loads, found)}
    assert changed == {("POST", "/api/v2/connections", 201)}


@pytest.mark.covers("LG-09", "X-12")
def test_airflows_own_audit_log_says_who_made_the_connection_and_hides_its_password(told: Told) -> None:
    logged = told.airflow.call("GET", "/api/v2/eventLogs?event=post_connection")["event_logs"]
    assert [(entry["owner"], json.loads(entry["extra"])["password"]) for entry in logged] == [
        (told.airflow.username, "***")
    ]


@pytest.mark.parametrize("name", ["loudest-components", "operator-about-a-tenant"])
def test_every_other_saved_query_finds_what_it_is_for(loki: Loki, told: Told, name: str) -> None:
    assert ask(loki, told, name)


def test_slow_requests_are_only_the_slow_ones(
    loki: Loki, told: Told, said: dict[str, list[dict[str, Any]]]
) -> None:
    slow = [json.loads(v[1])["duration_us"] for s in ask(loki, told, "slow-requests") for v in s["values"]]
    assert all(duration > 500_000 for duration in slow)
    written = [line for line in said["api-server"] if line["event"] == "request finished"]
    assert len(slow) == sum(line["duration_us"] > 500_000 for line in written)
