"""Sensors that wait for something in MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from tenant_airflow_lib.hooks.mlflow import ENDED, MLflowHook
from tenant_airflow_lib.hooks.mlflow_conditions import (
    COMPARISONS,
    ended_status,
    good_enough,
    version_in_stage,
)
from tenant_airflow_lib.hooks.rest import Call
from tenant_airflow_lib.sensors.base import PollSensor
from tenant_airflow_lib.triggers.base import Outcome
from tenant_airflow_lib.triggers.mlflow import (
    MLflowModelStageTrigger,
    MLflowRunTrigger,
    ModelPerformanceTrigger,
)


class MLflowSensor(PollSensor):
    """What the sensors for MLflow share.

    `mlflow_conn_id` names a connection of type http; `tracking_uri` may be given instead of it. `hook`
    replaces the client of the worker, for tests. Server errors raise ServiceUnavailable (retries apply).
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

    def question(self) -> Call[Any]:
        """What to ask; an answer that is not None ends the wait."""
        raise NotImplementedError

    def ask(self) -> Outcome:
        """Ask once."""
        value = self.hook.run(self.question())
        return Outcome(value is not None, value)

    def _server(self) -> dict[str, Any]:
        return {
            "mlflow_conn_id": self.mlflow_conn_id,
            "tracking_uri": self.tracking_uri,
            "poll_interval": self.poke_interval,
        }


class MLflowModelStageSensor(MLflowSensor):
    """Wait until `version`, or else the highest, of `model_name` has the alias or stage `target_stage`.

    `target_stage="Production"` is met by the alias `Production` or `production`, or by the legacy stage.
    XCom: the version. A model without versions, or without the given one, is waited for; an unknown model
    fails the task.
    """

    template_fields: Sequence[str] = ("model_name", "target_stage")

    def __init__(
        self, *, model_name: str, target_stage: str, version: str | int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.model_name = model_name
        self.target_stage = target_stage
        self.version = None if version is None else str(version)

    def question(self) -> Call[str | None]:
        """Which version is in the stage."""
        return version_in_stage(self.model_name, self.target_stage, self.version)

    def trigger(self) -> MLflowModelStageTrigger:
        """The same in the triggerer."""
        return MLflowModelStageTrigger(
            model_name=self.model_name,
            target_stage=self.target_stage,
            version=self.version,
            **self._server(),
        )


class MLflowRunCompleteSensor(MLflowSensor):
    """Wait until the MLflow run `run_id` is FINISHED, FAILED or KILLED. XCom: the status.

    A status in `fail_on` (default FAILED and KILLED; `()` for none) fails the task. An unknown run fails.
    ValueError at once for a `fail_on` that is no final status.
    """

    template_fields: Sequence[str] = ("run_id",)

    def __init__(self, *, run_id: str, fail_on: Sequence[str] = ("FAILED", "KILLED"), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        wrong = sorted(set(fail_on) - ENDED)
        if wrong:
            raise ValueError(f"fail_on: {', '.join(wrong)} is none of {', '.join(sorted(ENDED))}")
        self.run_id = run_id
        self.fail_on = sorted(fail_on)

    def question(self) -> Call[str | None]:
        """How the run ended."""
        return ended_status(self.run_id, frozenset(self.fail_on))

    def trigger(self) -> MLflowRunTrigger:
        """The same in the triggerer."""
        return MLflowRunTrigger(run_id=self.run_id, fail_on=self.fail_on, **self._server())


class ModelPerformanceSensor(MLflowSensor):
    """Wait until the best finished run of `experiment_name` has a `metric_name` that meets `threshold`.

    `metric_name` and `threshold` (a number) are templates. `comparison`: >=, >, <=, < or ==; the best run is
    the one with the lowest value for < and <=, with the highest for the others. `run_id` (template, or the
    output of MLflowLogMetricsOperator) asks for that run alone, whatever others have reached; an unknown one
    fails the task. XCom: {run_id, metric, value}. No experiment, runs or metric: wait. ValueError at once
    for another comparison; a threshold that renders to no number fails the task.
    """

    template_fields: Sequence[str] = ("metric_name", "threshold", "run_id")

    def __init__(
        self,
        *,
        experiment_name: str,
        metric_name: str,
        threshold: float | str,
        comparison: str = ">=",
        run_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if comparison not in COMPARISONS:
            raise ValueError(f"comparison {comparison!r} is none of {', '.join(COMPARISONS)}")
        self.experiment_name = experiment_name
        self.metric_name = metric_name
        self.threshold = threshold
        self.comparison = comparison
        self.run_id = run_id

    def question(self) -> Call[dict[str, Any] | None]:
        """The run that is good enough."""
        return good_enough(
            self.experiment_name, self.metric_name, self._number(), self.comparison, self.run_id
        )

    def trigger(self) -> ModelPerformanceTrigger:
        """The same in the triggerer."""
        return ModelPerformanceTrigger(
            experiment_name=self.experiment_name,
            metric_name=self.metric_name,
            threshold=self._number(),
            comparison=self.comparison,
            run_id=self.run_id,
            **self._server(),
        )

    def _number(self) -> float:
        try:
            return float(self.threshold)
        except (TypeError, ValueError):
            raise AirflowFailException(f"threshold {self.threshold!r} is no number") from None
