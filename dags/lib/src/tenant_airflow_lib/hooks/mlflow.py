"""MLflow tracking and model registry over the REST API 2.0.

Reference: https://mlflow.org/docs/latest/api_reference/rest-api.html. MLflow's own client is not used: its
protobuf pin cannot be installed beside Airflow's. Every function here is a `Call`; give it to
`MLflowHook().run(...)` in a task or to `await hook.arun(...)` in a trigger:

    hook = MLflowHook()
    experiment = hook.run(ensure_experiment("churn"))
    run = hook.run(create_run(experiment, name="nightly"))
    hook.run(log_batch(run, metrics={"auc": 0.91}, params={"depth": 10}))
    hook.run(end_run(run))
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from tenant_airflow_lib.hooks.rest import DEFAULT_TIMEOUT, Call, Request, RequestRefused, RestHook

_API = "/api/2.0/mlflow/"
ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})
STAGES = ("None", "Staging", "Production", "Archived")  # legacy, deprecated by MLflow 2.9


class MLflowHook(RestHook):
    """`conn_id`: connection of type http to the tracking server; or `tracking_uri`, without login."""

    default_conn_name = "mlflow_default"
    hook_name = "MLflow"

    def __init__(
        self,
        conn_id: str | None = None,
        *,
        tracking_uri: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        super().__init__(conn_id, base_url=tracking_uri, timeout=timeout)

    @property
    def uri(self) -> str:
        """The address of the server, without credentials."""
        return self._endpoint().base_url


def _get(what: str, **params: Any) -> Request:
    return Request("GET", _API + what, params=params)


def _post(what: str, **body: Any) -> Request:
    return Request("POST", _API + what, json=body)


def _now() -> int:
    return int(time.time() * 1000)


# --- experiments and runs -----------------------------------------------------------------------------


def find_experiment(name: str) -> Call[str | None]:
    """The id of the experiment, or None. A deleted one is refused: AirflowFailException."""
    try:
        body = yield _get("experiments/get-by-name", experiment_name=name)
    except RequestRefused as error:
        if error.not_found:
            return None
        raise
    experiment = body["experiment"]
    if experiment.get("lifecycle_stage") == "deleted":
        raise AirflowFailException(f"experiment {name!r} is deleted: restore it or take another name")
    return str(experiment["experiment_id"])


def ensure_experiment(name: str) -> Call[str]:
    """The id of the experiment, created when there is none."""
    found = yield from find_experiment(name)
    if found is not None:
        return found
    try:
        body = yield _post("experiments/create", name=name)
    except RequestRefused as error:
        if error.code != "RESOURCE_ALREADY_EXISTS":  # somebody was faster
            raise
        body = (yield _get("experiments/get-by-name", experiment_name=name))["experiment"]
    return str(body["experiment_id"])


def create_run(
    experiment_id: str, *, name: str | None = None, tags: Mapping[str, Any] | None = None
) -> Call[str]:
    """Start a run; returns its id."""
    body: dict[str, Any] = {"experiment_id": experiment_id, "start_time": _now(), "tags": _pairs(tags)}
    if name:
        body["run_name"] = name
    return str((yield _post("runs/create", **body))["run"]["info"]["run_id"])


def find_run(experiment_id: str, tag: str, value: str) -> Call[str | None]:
    """The newest run of the experiment that carries the tag, or None."""
    body = yield _post(
        "runs/search",
        experiment_ids=[experiment_id],
        filter=f"tags.`{tag}` = '{value}'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    runs = body.get("runs") or []
    return str(runs[0]["info"]["run_id"]) if runs else None


def log_batch(
    run_id: str,
    *,
    metrics: Mapping[str, float] | None = None,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
) -> Call[None]:
    """Write metrics (step 0, now), parameters and tags to a run; all or nothing. At most 1,000 items."""
    now = _now()
    numbers = [{"key": k, "value": v, "timestamp": now, "step": 0} for k, v in (metrics or {}).items()]
    yield _post("runs/log-batch", run_id=run_id, metrics=numbers, params=_pairs(params), tags=_pairs(tags))


def end_run(run_id: str, status: str = "FINISHED") -> Call[None]:
    """Set the final status: FINISHED, FAILED or KILLED."""
    yield _post("runs/update", run_id=run_id, status=status, end_time=_now())


def get_run(run_id: str) -> Call[dict[str, Any]]:
    """The run with `info`, `data`, `outputs`. RequestRefused (404) when there is none."""
    run: dict[str, Any] = (yield _get("runs/get", run_id=run_id))["run"]
    return run


def best_run(experiment_id: str, metric: str, *, highest: bool) -> Call[tuple[str, float] | None]:
    """Id and value of the finished run with the best value of the metric; None when no run has one."""
    body = yield _post(
        "runs/search",
        experiment_ids=[experiment_id],
        filter="attributes.status = 'FINISHED'",
        order_by=[f"metrics.`{metric}` {'DESC' if highest else 'ASC'}"],
        max_results=1,
    )
    for run in body.get("runs") or []:
        for item in run["data"].get("metrics") or []:
            if item["key"] == metric:
                return str(run["info"]["run_id"]), float(item["value"])
    return None


def _pairs(values: Mapping[str, Any] | None) -> list[dict[str, str]]:
    return [{"key": key, "value": str(value)} for key, value in (values or {}).items()]


# --- model registry -----------------------------------------------------------------------------------


def ensure_registered_model(name: str) -> Call[None]:
    """Create the registered model unless it exists."""
    try:
        yield _post("registered-models/create", name=name)
    except RequestRefused as error:
        if error.code != "RESOURCE_ALREADY_EXISTS":
            raise


def create_model_version(name: str, source: str, run_id: str | None = None) -> Call[str]:
    """Register what lies at `source` as the model's next version; returns its number as text."""
    body = {"name": name, "source": source} | ({"run_id": run_id} if run_id else {})
    return str((yield _post("model-versions/create", **body))["model_version"]["version"])


def register_once(name: str, source: str, run_id: str) -> Call[str]:
    """The version that holds this run's model, created when there is none; a retry adds no second one."""
    yield from ensure_registered_model(name)
    # not only the newest: another run may have registered one since
    found = yield from newest_model_version(name, run_id=run_id)
    if found is not None:
        return str(found["version"])
    return (yield from create_model_version(name, source, run_id))


def get_registered_model(name: str) -> Call[dict[str, Any]]:
    """The registered model. RequestRefused (404) when there is none."""
    model: dict[str, Any] = (yield _get("registered-models/get", name=name))["registered_model"]
    return model


def aliases_of(name: str) -> Call[dict[str, str]]:
    """Alias -> version of a registered model."""
    model = yield from get_registered_model(name)
    return {item["alias"]: str(item["version"]) for item in model.get("aliases") or []}


def get_model_version(name: str, version: str) -> Call[dict[str, Any]]:
    """One version of a model. RequestRefused (404) when there is none."""
    found: dict[str, Any] = (yield _get("model-versions/get", name=name, version=version))["model_version"]
    return found


def newest_model_version(name: str, *, run_id: str | None = None) -> Call[dict[str, Any] | None]:
    """The version with the highest number (of those which hold this run's model), or None: there is none."""
    escaped = name.replace("'", "''")
    wanted = f"name='{escaped}'" + (f" and run_id='{run_id}'" if run_id else "")
    body = yield _get("model-versions/search", filter=wanted, order_by="version_number DESC", max_results=1)
    versions: Sequence[dict[str, Any]] = body.get("model_versions") or []
    return max(versions, key=lambda item: int(item["version"])) if versions else None


def set_alias(name: str, alias: str, version: str) -> Call[None]:
    """Point the alias to the version; it leaves the one that had it."""
    yield _post("registered-models/alias", name=name, alias=alias, version=version)


def move_to_stage(name: str, version: str, stage: str, *, archive_existing: bool) -> Call[None]:
    """The legacy stage move."""
    yield _post(
        "model-versions/transition-stage",
        name=name,
        version=version,
        stage=stage,
        archive_existing_versions=archive_existing,
    )
