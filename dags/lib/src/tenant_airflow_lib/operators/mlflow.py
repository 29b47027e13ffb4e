"""Operators for MLflow: log metrics, move a model version, look at a model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from tenant_airflow_lib.hooks import mlflow as api
from tenant_airflow_lib.hooks.mlflow import STAGES, MLflowHook
from tenant_airflow_lib.hooks.mlflow_runs import ensure_run
from tenant_airflow_lib.hooks.rest import Call

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

TASK_TAG = "airflow.task_key"
_ALIAS_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")


class NoSignature(AirflowFailException, ValueError):
    """The model was logged without a signature."""


class MLflowOperator(BaseOperator):
    """What the operators for MLflow share.

    `mlflow_conn_id` names a connection of type http; `tracking_uri` may be given instead of it. `hook`
    replaces the client, for tests. Server errors raise ServiceUnavailable, which the task's retries handle;
    refusals (4xx) fail the task at once.
    """

    ui_color = "#d6eaf8"

    def __init__(
        self,
        *,
        mlflow_conn_id: str = MLflowHook.default_conn_name,
        tracking_uri: str | None = None,
        hook: MLflowHook | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.mlflow_conn_id = mlflow_conn_id
        self.tracking_uri = tracking_uri
        self._hook = hook

    @cached_property
    def hook(self) -> MLflowHook:
        """The client."""
        return self._hook or MLflowHook(self.mlflow_conn_id, tracking_uri=self.tracking_uri)


class MLflowLogMetricsOperator(MLflowOperator):
    """Log metrics to an MLflow run and return its run_id.

    With `run_id`, to that run, whose status stays as it is. Without, to a new run of `experiment_name`
    (created when missing), named `run_name`, with `tags`, ended as FINISHED. A retry, or a rerun after
    clearing, finds the run by a tag which names this task instance and goes on with it: there is never a
    second one.

    `metrics`: name -> number; a template that renders to a number is one. Anything else, NaN and infinity
    fail the task at once, before the server is asked.
    """

    template_fields: Sequence[str] = ("run_id", "metrics")
    template_fields_renderers = {"metrics": "json"}  # noqa: RUF012 - read by Airflow as it is

    def __init__(
        self,
        *,
        experiment_name: str,
        run_id: str | None = None,
        metrics: Mapping[str, float] | None = None,
        run_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.experiment_name = experiment_name
        self.run_id = run_id
        self.metrics = metrics or {}
        self.run_name = run_name
        self.tags = tags or {}
        self._started: str | None = None

    def execute(self, context: Context) -> str:
        """Returns the run_id."""
        metrics = numbers(self.metrics)
        if self.run_id:
            self.hook.run(api.log_batch(self.run_id, metrics=metrics, tags=self.tags))
            return self.run_id
        self._started = run_id = self.hook.run(self._own_run(context))
        self.hook.run(api.log_batch(run_id, metrics=metrics))
        self.hook.run(api.end_run(run_id))
        self._started = None
        return run_id

    def on_kill(self) -> None:
        """Mark the run that this task started as killed."""
        if self._started:
            self.hook.run(api.end_run(self._started, "KILLED"))

    def _own_run(self, context: Context) -> Call[str]:
        ti = context["ti"]
        tags = {"airflow.dag_id": ti.dag_id, "airflow.run_id": ti.run_id, "airflow.task_id": ti.task_id}
        _, run_id = yield from ensure_run(
            self.experiment_name,
            f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}",
            name=self.run_name or "",
            tag=TASK_TAG,
            tags={**tags, **self.tags},
        )
        return run_id


class MLflowModelTransitionOperator(MLflowOperator):
    """Say which version of the registered model `model_name` is in use for `stage`.

    `mode="alias"` (default) points the alias `stage`, in lower case, to `version`: `stage="Production"` sets
    the alias `production`. An alias belongs to one version, so it leaves the one that had it.
    `mode="stage"` moves the version to the legacy stage None, Staging, Production or Archived (deprecated by
    MLflow); `archive_existing` then archives what was there.

    An unknown model, version or stage fails the task at once. Nothing is written when the version is there
    already. XCom: {model_name, version, stage, previous_version, changed}; `stage` is the alias in alias
    mode, `previous_version` is None when unknown.
    """

    template_fields: Sequence[str] = ("model_name", "version", "stage")

    def __init__(
        self,
        *,
        model_name: str,
        version: str | int,
        stage: str,
        archive_existing: bool = True,
        mode: str = "alias",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if mode not in {"alias", "stage"}:
            raise ValueError(f"mode {mode!r} is neither 'alias' nor 'stage'")
        self.model_name = model_name
        self.version = version
        self.stage = stage
        self.archive_existing = archive_existing
        self.mode = mode

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """Returns what was done."""
        version = str(self.version)
        done = self.hook.run(self._alias(version) if self.mode == "alias" else self._stage(version))
        self.log.info("model %s: %s", self.model_name, done)
        return {"model_name": self.model_name, "version": version} | done

    def _alias(self, version: str) -> Call[dict[str, Any]]:
        alias = self.stage.lower()
        if not alias or not set(alias) <= _ALIAS_CHARACTERS or alias == "latest":
            raise AirflowFailException(f"{self.stage!r} cannot be an alias")
        yield from api.get_model_version(self.model_name, version)
        previous = (yield from api.aliases_of(self.model_name)).get(alias)
        if previous != version:
            yield from api.set_alias(self.model_name, alias, version)
        return {"stage": alias, "previous_version": previous, "changed": previous != version}

    def _stage(self, version: str) -> Call[dict[str, Any]]:
        if self.stage not in STAGES:
            raise AirflowFailException(f"stage {self.stage!r} is none of {', '.join(STAGES)}")
        found = yield from api.get_model_version(self.model_name, version)
        changed = found.get("current_stage") != self.stage
        if changed:
            # The server archives others for these two only, and refuses the flag for the rest.
            archive = self.archive_existing and self.stage in {"Staging", "Production"}
            yield from api.move_to_stage(self.model_name, version, self.stage, archive_existing=archive)
        return {"stage": self.stage, "previous_version": None, "changed": changed}


class MLflowLoadModelOperator(MLflowOperator):
    """Look whether a model can be loaded and whether it declares its inputs; the model itself is not loaded.

    `model_uri`: `models:/<name>/<version>`, `models:/<name>@<alias>`, `models:/m-<id>`,
    `runs:/<run_id>/<name>` or a folder such as `s3://...` (`artifact_conn_id`). XCom: {model_uri,
    has_signature}. With `validate_signature`, a model without a signature raises NoSignature (a ValueError)
    and is not tried again. An unknown model fails at once.
    """

    template_fields: Sequence[str] = ("model_uri",)

    def __init__(
        self,
        *,
        model_uri: str,
        validate_signature: bool = True,
        artifact_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_uri = model_uri
        self.validate_signature = validate_signature
        self.artifact_conn_id = artifact_conn_id

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """Returns {model_uri, has_signature}."""
        from tenant_airflow_lib.hooks.mlflow_models import locate, read_mlmodel

        folder = self.hook.run(locate(self.model_uri))
        has_signature = bool(read_mlmodel(self.hook, folder, self.artifact_conn_id).get("signature"))
        if self.validate_signature and not has_signature:
            raise NoSignature(
                f"{self.model_uri} has no signature: log it with one (mlflow.models.infer_signature)"
            )
        return {"model_uri": self.model_uri, "has_signature": has_signature}


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics as floats. AirflowFailException names each one that is no finite number."""
    if not isinstance(metrics, Mapping):
        raise AirflowFailException(f"metrics must be a mapping of name to number, not {metrics!r}")
    good: dict[str, float] = {}
    bad: list[str] = []
    for name, value in metrics.items():
        number = _number(value)
        if number is None:
            bad.append(f"{name}={value!r}")
        else:
            good[name] = number
    if bad:
        raise AirflowFailException(f"not a finite number: {', '.join(bad)}")
    return good


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
