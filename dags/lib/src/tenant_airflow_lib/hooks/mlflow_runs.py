"""One MLflow run per DAG run or task, found again by a tag, and a model's files in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlparse

from tenant_airflow_lib.hooks import mlflow
from tenant_airflow_lib.hooks.rest import Call, Request

TAG = "airflow.key"
_PROXIED = "/api/2.0/mlflow-artifacts/artifacts/"


def ensure_run(
    experiment: str,
    owner: str,
    *,
    name: str | None = None,
    tag: str = TAG,
    tags: Mapping[str, str] | None = None,
) -> Call[tuple[str, str]]:
    """Experiment id and run id; both are made when there are none.

    `owner` says whose run it is, e.g. `<dag_id>/<run_id>`: it has one run only, found by `tag`. `name`
    (default: `owner`) and `tags` are those of a new run.
    """
    experiment_id = yield from mlflow.ensure_experiment(experiment)
    # A digest: run ids may hold characters that MLflow's filters cannot quote.
    key = hashlib.sha256(owner.encode()).hexdigest()[:32]
    run_id = yield from mlflow.find_run(experiment_id, tag, key)
    if run_id is None:
        run_id = yield from mlflow.create_run(
            experiment_id, name=owner if name is None else name, tags={**(tags or {}), tag: key}
        )
    return experiment_id, run_id


def upload_model(run_id: str, folder: str, files: Mapping[str, Any]) -> Call[str]:
    """Write JSON files to a folder of the run's artifacts; returns their URI, `runs:/<run_id>/<folder>`.

    Goes through the tracking server, which has to serve artifacts (it does by default). Raises ValueError
    when the run's artifacts lie elsewhere.
    """
    place = str((yield from mlflow.get_run(run_id))["info"]["artifact_uri"])
    parts = urlparse(place)
    if parts.scheme != "mlflow-artifacts":
        raise ValueError(f"the server does not serve its artifacts: {place}")
    for name, content in files.items():
        path = quote(f"{parts.path.strip('/')}/{folder}/{name}")
        yield Request("PUT", _PROXIED + path, json=content)
    return f"runs:/{run_id}/{folder}"
