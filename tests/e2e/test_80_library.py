"""The platform team's sample tenant, the DAG library out of the image: four of its DAGs run in its pods."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.e2e.support import Environment

from demo.airflow_client import FINISHED, AirflowClient
from demo.gitserver import secret
from demo.kube import Json
from demo.process import wait_for
from tenant_operator.plan import secrets
from tenant_operator.plan.tenant import parse

MANIFESTS = Path(__file__).resolve().parents[2] / "manifests" / "tenants"
NAME, NAMESPACE = "platform", "airflow-platform"
SINK = "alert-sink"
RUN_SECONDS = 180.0

# Answers every POST with "ok" and prints it: what a team's Slack would have got.
_SINK = """
import http.server, json

class Sink(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        print(json.dumps({"path": self.path, "body": body}), flush=True)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

http.server.HTTPServer(("", 8080), Sink).serve_forever()
"""


def sink(environment: Environment) -> list[Json]:
    """A namespace with a web server in it, in the place of Slack."""
    labels = {"app": SINK}
    container = {
        "name": "sink",
        "image": environment.platform.images["airflow"],
        "command": ["python", "-c", _SINK],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SINK}},
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": SINK, "namespace": SINK, "labels": labels},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": SINK, "namespace": SINK},
            "spec": {"selector": labels, "ports": [{"port": 8080}]},
        },
    ]


@functools.cache
def tenant() -> Json:
    """The sample as it is, small enough for this node, its alerts going to the sink."""
    sample: Json = yaml.safe_load((MANIFESTS / "base" / NAME / "tenant.yaml").read_text())
    small = yaml.safe_load((MANIFESTS / "demo" / "small.yaml").read_text())["spec"]
    spec = sample["spec"]
    spec["airflow"] |= small["airflow"]
    spec["database"] = small["database"]
    spec["sync"] = small["sync"]
    host = f"{SINK}.{SINK}.svc.cluster.local"
    for connection in spec["connections"]:
        if connection["id"] == "slack_webhook":
            connection["host"] = f"http://{host}:8080/services"
        if connection["id"] == "smtp_default":
            connection["host"] = host  # nobody listens: a channel that is down holds up no other
    for variable in spec["variables"]:
        if variable["key"] == "platform_shop_lake":  # no S3 here: three folders of the pod
            variable["value"] = json.dumps(
                {kind: f"file:///tmp/lake/{kind}" for kind in ("s3", "gs", "file")}
            )
    spec["network"]["egress"].append({"namespace": SINK, "ports": [587, 8080]})
    return sample


def secrets_of(sample: Json) -> list[Json]:
    """The Secrets that the sample names, with something in them."""
    found: dict[str, dict[str, str]] = {}
    for reference in secrets.references(parse({**sample, "metadata": {"name": NAME, "uid": "none"}})):
        for key in reference.keys:
            found.setdefault(reference.secret, {})[key] = (
                "{}" if reference.field.endswith("extraSecretRef") else "T0/B0/secret"
            )
    return [secret(NAMESPACE, name, data) for name, data in found.items()]


@pytest.fixture(scope="module")
def library(environment: Environment) -> Iterator[AirflowClient]:
    """The tenant's Airflow."""
    sample = tenant()
    namespace = {"name": NAMESPACE, "annotations": {"airflowtenants.io/tenant": NAME}}
    environment.kube.apply(*sink(environment))
    environment.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": namespace})
    environment.kube.apply(*secrets_of(sample), sample)
    environment.wait_ready(NAME)
    environment.wait_condition(NAME, "DagsSynced", "True", seconds=240)
    with environment.airflow(NAME) as client:
        yield client
    environment.kube.kubectl("delete", "namespace", SINK, "--wait=false")
    environment.kube.kubectl("delete", "airflowtenant", NAME, "--wait=false")


def run(client: AirflowClient, dag_id: str, conf: dict[str, Any] | None = None) -> tuple[str, str, set[str]]:
    """Run a DAG to its end: the run's id and state, and every state that its tasks were seen in."""
    client.unpause(dag_id)
    run_id = client.trigger(dag_id, conf)
    seen: set[str] = set()

    def final() -> str | None:
        seen.update(str(state) for _, _, state in client.task_states(dag_id, run_id))
        state = client.run_state(dag_id, run_id)
        return state if state in FINISHED else None

    state = wait_for(f"the run of {dag_id}", final, seconds=RUN_SECONDS, seen=lambda: seen, poll=0.3)
    return run_id, str(state), seen


@pytest.mark.timeout(900, func_only=True)
def test_the_library_of_the_image_is_a_source_without_import_errors(
    environment: Environment, library: AirflowClient
) -> None:
    def parsed() -> Json | None:
        [source] = environment.tenant(NAME).raw["status"]["dags"]
        return source if source["dagCount"] >= 89 else None

    # DagsSynced is true from the first DAG on; the processor needs some seconds for all files
    source = wait_for("every DAG of the library", parsed, seconds=240, seen=str)
    assert source["name"] == "library"
    assert source.get("importErrors", 0) == 0
    assert library.dag("phase4_04_dynamic_tasks") is not None


def test_the_samples_objects_are_in_its_airflow(environment: Environment, library: AirflowClient) -> None:
    spec = tenant()["spec"]
    assert {c["connection_id"] for c in library.all("connections")} == {c["id"] for c in spec["connections"]}
    assert {v["key"] for v in library.all("variables")} == {v["key"] for v in spec["variables"]}


def test_a_mapped_task_runs_once_for_each_file(library: AirflowClient) -> None:
    run_id, state, _ = run(library, "phase4_04_dynamic_tasks")
    assert state == "success"
    indexes: dict[str, set[int]] = {}
    for task_id, index, _ in library.task_states("phase4_04_dynamic_tasks", run_id):
        indexes.setdefault(task_id, set()).add(index)
    assert max(len(found) for found in indexes.values()) >= 2


def test_two_assets_start_their_consumer(library: AirflowClient) -> None:
    producer, consumer = "phase14_01_dataset_producer", "phase14_02_dataset_consumer"
    library.unpause(consumer)
    _, state, _ = run(library, producer)
    assert state == "success"

    def consumed() -> list[Json]:
        answer = library.request("GET", f"/api/v2/dags/{consumer}/dagRuns?limit=10")["dag_runs"]
        return [found for found in answer if found["state"] in FINISHED]

    # one for each run of the producer at most: unpausing it may have started its newest tick beside ours
    runs = wait_for("the consumer's run", consumed, seconds=RUN_SECONDS, seen=str)
    assert {(found["state"], found["run_type"]) for found in runs} == {("success", "asset_triggered")}
    producers = library.request("GET", f"/api/v2/dags/{producer}/dagRuns?limit=10")["dag_runs"]
    assert len(runs) <= len(producers)


def test_a_deferred_task_resumes_when_what_it_waits_for_is_done(library: AirflowClient) -> None:
    library.unpause("etl_stage2")
    _, state, seen = run(library, "etl_stage1")
    assert state == "success"
    assert "deferred" in seen
    second = library.request("GET", "/api/v2/dags/etl_stage2/dagRuns")["dag_runs"]
    assert {found["state"] for found in second} == {"success"}


def test_a_failing_dag_is_red_and_its_alert_arrives(environment: Environment, library: AirflowClient) -> None:
    message = f"drill {time.monotonic_ns()}"
    _, state, _ = run(library, "platform_alert_test", {"message": message})
    assert state == "failed"

    def arrived() -> list[Json]:
        lines = environment.kube.kubectl("logs", "-n", SINK, SINK).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and message in line]

    [alert] = wait_for("the alert", arrived, seconds=60, seen=str)
    assert alert["path"] == "/services/T0/B0/secret"
    assert "platform_alert_test" in alert["body"]
    assert "raise_alarm" in alert["body"]
