"""Kubeflow Pipelines over its REST API v2beta1.

Reference: https://www.kubeflow.org/docs/components/pipelines/reference/api/kubeflow-pipeline-api-spec/ and
https://github.com/kubeflow/pipelines/tree/master/backend/api/v2beta1. Filters are JSON, states are upper case
words; both differ from version 1. Every function here is a `Call`, see `tenant_airflow_lib.hooks.rest`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from airflow.sdk.exceptions import AirflowFailException

from tenant_airflow_lib.hooks.rest import DEFAULT_TIMEOUT, Call, Request, RestHook

_API = "/apis/v2beta1"
SUCCEEDED = "SUCCEEDED"
# A run in one of these does not change any more.
ENDED = frozenset({SUCCEEDED, "FAILED", "SKIPPED", "CANCELED"})
STATES = ENDED | {"PENDING", "RUNNING", "CANCELING", "PAUSED"}
# Version 1's words; its Error (the system's fault, not the pipeline's) has no state of its own any more.
_OLD_WORDS = {
    "ERROR": "FAILED",
    "TERMINATED": "CANCELED",
    "TERMINATING": "CANCELING",
    "CANCELLED": "CANCELED",
}


class NotFound(AirflowFailException, ValueError):
    """No pipeline has this name, or more than one."""


class KubeflowHook(RestHook):
    """`conn_id`: connection of type http to the ml-pipeline service; or `host`, without login."""

    default_conn_name = "kubeflow_default"
    hook_name = "Kubeflow Pipelines"

    def __init__(
        self, conn_id: str | None = None, *, host: str | None = None, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        super().__init__(conn_id, base_url=host, timeout=timeout)


def state_named(word: str) -> str:
    """A state in version 2's words: `Succeeded` is SUCCEEDED, `Error` is FAILED. ValueError if unknown."""
    state = _OLD_WORDS.get(word.upper(), word.upper())
    if state not in STATES:
        raise ValueError(f"{word!r} is no state of a run; known: {', '.join(sorted(STATES))}")
    return state


def ensure_experiment(name: str, namespace: str, description: str | None = None) -> Call[str]:
    """The id of the experiment in the namespace, created when there is none."""
    body = yield _list("experiments", name, namespace=namespace)
    found = body.get("experiments") or []
    if found:
        return str(found[0]["experiment_id"])
    new = {"display_name": name, "namespace": namespace}
    if description:
        new["description"] = description
    return str((yield Request("POST", f"{_API}/experiments", json=new))["experiment_id"])


def find_pipeline(name: str, namespace: str) -> Call[str]:
    """The id of the pipeline: one of the namespace first, else a shared one. Raises NotFound."""
    for where in ({"namespace": namespace}, {}):
        found = (yield _list("pipelines", name, **where)).get("pipelines") or []
        if len(found) > 1:
            raise NotFound(f"{len(found)} pipelines are named {name!r}: give pipeline_id")
        if found:
            return str(found[0]["pipeline_id"])
    raise NotFound(f"no pipeline is named {name!r}")


def create_run(
    experiment_id: str, pipeline_id: str, *, name: str, description: str, arguments: Mapping[str, Any]
) -> Call[str]:
    """Start the pipeline's default version; returns the run's id."""
    body = {
        "display_name": name,
        "description": description,
        "experiment_id": experiment_id,
        "pipeline_version_reference": {"pipeline_id": pipeline_id},
        "runtime_config": {"parameters": dict(arguments)},
    }
    return str((yield Request("POST", f"{_API}/runs", json=body))["run_id"])


def find_run(experiment_id: str, name: str, description: str) -> Call[str | None]:
    """The newest run of the experiment with this name and this description, or None."""
    body = yield _list("runs", name, experiment_id=experiment_id, sort_by="created_at desc", page_size=50)
    for run in body.get("runs") or []:
        if run.get("description") == description:
            return str(run["run_id"])
    return None


def get_run(run_id: str) -> Call[dict[str, Any]]:
    """The run: run_id, state, error. RequestRefused (404) when there is none."""
    run: dict[str, Any] = yield Request("GET", f"{_API}/runs/{quote(run_id, safe='')}")
    return run


def terminate_run(run_id: str) -> Call[None]:
    """Cancel a run."""
    yield Request("POST", f"{_API}/runs/{quote(run_id, safe='')}:terminate")


def awaited_state(run_id: str, targets: frozenset[str]) -> Call[str | None]:
    """The run's state once it is in `targets`, None before. AirflowFailException if it never can be."""
    state = str((yield from get_run(run_id)).get("state") or "PENDING")
    if state in targets:
        return state
    if state in ENDED:
        raise AirflowFailException(f"run {run_id} ended as {state}, awaited: {', '.join(sorted(targets))}")
    return None


def _list(kind: str, name: str, **params: Any) -> Request:
    predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
    return Request(
        "GET", f"{_API}/{kind}", params={"filter": json.dumps({"predicates": [predicate]}), **params}
    )
