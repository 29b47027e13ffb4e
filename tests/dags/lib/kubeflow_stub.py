"""A stub of Kubeflow Pipelines' API server that refuses what the contract does not know.

Contract: https://www.kubeflow.org/docs/components/pipelines/reference/api/kubeflow-pipeline-api-spec/ and the
messages in https://github.com/kubeflow/pipelines/tree/master/backend/api/v2beta1 (experiment.proto,
pipeline.proto, run.proto, filter.proto): paths, allowed parameters and fields, JSON filters, state names.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

_LIST = {"page_token", "page_size", "sort_by", "filter", "namespace"}
_PARAMETERS = {"experiments": _LIST, "pipelines": _LIST, "runs": _LIST | {"experiment_id"}}
_FIELDS = {
    "experiments": {"display_name", "description", "namespace"},
    "runs": {
        "display_name",
        "description",
        "experiment_id",
        "pipeline_version_reference",
        "runtime_config",
        "service_account",
    },
}


class Kubeflow:
    """`pipelines`, `experiments`, `runs`: what it holds. `script`: the states that the next GETs return."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("").rstrip("/")
        self.pipelines: list[dict[str, Any]] = []
        self.experiments: list[dict[str, Any]] = []
        self.runs: list[dict[str, Any]] = []
        self.script: list[str] = []
        self.terminated: list[str] = []
        self.broken: Response | None = None
        self.lose_answer_of_create = False
        self._number = itertools.count(1)

    def pipeline(self, name: str, namespace: str = "") -> str:
        self.pipelines.append(
            {"pipeline_id": f"p{next(self._number)}", "display_name": name, "namespace": namespace}
        )
        return str(self.pipelines[-1]["pipeline_id"])

    def handle(self, request: Request) -> Response:
        if self.broken is not None:
            return self.broken
        parts = request.path.removeprefix("/apis/v2beta1/").split("/")
        if not request.path.startswith("/apis/v2beta1/") or parts[0] not in _PARAMETERS:
            return _refused(404, f"no such path {request.path}")
        if len(parts) == 2:
            return self._one_run(request.method, parts[1])
        if request.method == "GET":
            return self._list(parts[0], request)
        return self._create(parts[0], request)

    def _list(self, kind: str, request: Request) -> Response:
        if unknown := set(request.args) - _PARAMETERS[kind]:
            return _refused(400, f"unknown parameters {unknown}")
        predicates = json.loads(request.args["filter"])["predicates"]
        assert all(set(item) == {"operation", "key", "stringValue"} for item in predicates)
        assert all(item["operation"] == "EQUALS" and item["key"] == "display_name" for item in predicates)
        found = [
            item
            for item in getattr(self, kind)
            if all(item["display_name"] == predicate["stringValue"] for predicate in predicates)
            and (kind == "runs" or item.get("namespace", "") == request.args.get("namespace", ""))
            and request.args.get("experiment_id") in (None, item.get("experiment_id"))
        ]
        if request.args.get("sort_by") == "created_at desc":
            found.reverse()
        return _json({kind: found, "total_size": len(found)} if found else {})

    def _create(self, kind: str, request: Request) -> Response:
        body = request.get_json()
        if kind not in _FIELDS or set(body) - _FIELDS[kind]:
            return _refused(400, f"cannot create {kind} from {sorted(body)}")
        number = next(self._number)
        if kind == "experiments":
            self.experiments.append({"experiment_id": f"e{number}", **body})
            return _json(self.experiments[-1])
        assert body["pipeline_version_reference"].keys() <= {"pipeline_id", "pipeline_version_id"}
        assert body["runtime_config"].keys() <= {"parameters", "pipeline_root"}
        self.runs.append({"run_id": f"r{number}", "state": "PENDING", **body})
        if self.lose_answer_of_create:
            self.lose_answer_of_create = False
            return _refused(503, "the answer was lost")
        return _json(self.runs[-1])

    def _one_run(self, method: str, name: str) -> Response:
        run_id, _, verb = name.partition(":")
        run = next((item for item in self.runs if item["run_id"] == run_id), None)
        if run is None:
            return _refused(404, f"Run {run_id} not found")
        if verb == "terminate" and method == "POST":
            run["state"] = "CANCELING"
            self.terminated.append(run_id)
            return _json({})
        if verb or method != "GET":
            return _refused(405, f"{method} {name}")
        if self.script:
            run["state"] = self.script.pop(0)
        return _json(run)


def _json(body: Any) -> Response:
    return Response(json.dumps(body), 200, content_type="application/json")


def _refused(status: int, message: str) -> Response:
    return Response(json.dumps({"error": message, "code": 5, "message": message}), status)


@pytest.fixture
def kubeflow(httpserver: HTTPServer, connect: Any) -> Iterator[Kubeflow]:
    """The stub; `kubeflow_default` points to it."""
    stub = Kubeflow(httpserver)
    httpserver.expect_request(re.compile(r"/.*")).respond_with_handler(stub.handle)
    connect("kubeflow_default", "http", host=httpserver.host, port=httpserver.port)
    yield stub
    httpserver.check_assertions()
    httpserver.check_handler_errors()
