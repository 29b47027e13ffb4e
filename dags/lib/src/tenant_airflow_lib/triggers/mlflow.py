"""Triggers that wait for something in MLflow."""

from __future__ import annotations

from typing import Any

from tenant_airflow_lib.hooks.mlflow import MLflowHook
from tenant_airflow_lib.hooks.mlflow_conditions import ended_status, good_enough, version_in_stage
from tenant_airflow_lib.hooks.rest import Call
from tenant_airflow_lib.triggers.base import Outcome, PollTrigger


class MLflowTrigger(PollTrigger):
    """What they share: the server, by connection or by URI."""

    def __init__(self, *, mlflow_conn_id: str, tracking_uri: str | None = None, **kwargs: Any) -> None:
        super().__init__(mlflow_conn_id=mlflow_conn_id, tracking_uri=tracking_uri, **kwargs)
        self.hook = MLflowHook(mlflow_conn_id, tracking_uri=tracking_uri)

    async def _ask(self, call: Call[Any]) -> Outcome:
        value = await self.hook.arun(call)
        return Outcome(value is not None, value)


class MLflowModelStageTrigger(MLflowTrigger):
    """Fires with the version that is in the stage."""

    def __init__(
        self, *, model_name: str, target_stage: str, version: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(model_name=model_name, target_stage=target_stage, version=version, **kwargs)
        self.model_name = model_name
        self.target_stage = target_stage
        self.version = version

    async def check(self) -> Outcome:
        """Ask the registry once."""
        return await self._ask(version_in_stage(self.model_name, self.target_stage, self.version))


class MLflowRunTrigger(MLflowTrigger):
    """Fires with the final status of a run."""

    def __init__(self, *, run_id: str, fail_on: list[str], **kwargs: Any) -> None:
        super().__init__(run_id=run_id, fail_on=fail_on, **kwargs)
        self.run_id = run_id
        self.fail_on = frozenset(fail_on)

    async def check(self) -> Outcome:
        """Ask for the run once."""
        return await self._ask(ended_status(self.run_id, self.fail_on))


class ModelPerformanceTrigger(MLflowTrigger):
    """Fires with {run_id, metric, value} of the first best run that meets the threshold."""

    def __init__(
        self,
        *,
        experiment_name: str,
        metric_name: str,
        threshold: float,
        comparison: str,
        run_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            experiment_name=experiment_name,
            metric_name=metric_name,
            threshold=threshold,
            comparison=comparison,
            run_id=run_id,
            **kwargs,
        )
        self.question = (experiment_name, metric_name, threshold, comparison, run_id)

    async def check(self) -> Outcome:
        """Ask for the best run once."""
        return await self._ask(good_enough(*self.question))
