"""Operators for Kubeflow Pipelines: run a pipeline, have an experiment."""

from __future__ import annotations

import datetime
import time
import uuid
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowException, TaskDeferralTimeout

from tenant_airflow_lib.hooks import kubeflow as api
from tenant_airflow_lib.hooks.kubeflow import ENDED, SUCCEEDED, KubeflowHook
from tenant_airflow_lib.hooks.rest import Call, RequestRefused
from tenant_airflow_lib.triggers.base import result_of
from tenant_airflow_lib.triggers.kubeflow import KubeflowRunTrigger

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

_STATE_KEY = "kubeflow_run"


class KubeflowRunFailed(AirflowException):
    """The run ended, not as SUCCEEDED. The task's retries start another run."""


class KubeflowRunTimeout(AirflowException):
    """The run did not end in time; it goes on. The task's retries wait for it again."""


class KubeflowOperator(BaseOperator):
    """What the operators for Kubeflow share.

    `kubeflow_conn_id` names a connection of type http; `host` may be given instead of it. `namespace` holds
    the pipelines and experiments. `hook` replaces the client, for tests. Server errors raise
    ServiceUnavailable (retries apply), refusals fail the task at once.
    """

    ui_color = "#e8daef"

    def __init__(
        self,
        *,
        kubeflow_conn_id: str = KubeflowHook.default_conn_name,
        host: str | None = None,
        namespace: str = "kubeflow",
        hook: KubeflowHook | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.kubeflow_conn_id = kubeflow_conn_id
        self.host = host
        self.namespace = namespace
        self._hook = hook

    @cached_property
    def hook(self) -> KubeflowHook:
        """The client."""
        return self._hook or KubeflowHook(self.kubeflow_conn_id, host=self.host)


class KubeflowPipelineOperator(KubeflowOperator):
    """Run a pipeline in `experiment_name` (created when missing) and wait for its end.

    Give `pipeline_id`, or `pipeline_name` (NotFound, a ValueError, if there is none); ValueError at once
    without both. `arguments` (template): the pipeline's parameters, name -> value. The run is named
    `run_name`, or `<pipeline>-<time of the DAG run>`. XCom: {run_id, status}.

    `wait=False` returns when the run is started. Else a run that is not SUCCEEDED raises KubeflowRunFailed
    and one that takes longer than `timeout` seconds raises KubeflowRunTimeout. `deferrable=True` waits in
    the triggerer (default: `[operators] default_deferrable`), asking every `poll_interval` seconds.

    A retry goes on with the run of the earlier try unless that one failed: what identifies it is written to
    the task's state store before the run is started, so a worker that dies in between starts no second one.
    Killing the task, or clearing it while it is deferred, cancels the run.
    """

    template_fields: Sequence[str] = ("pipeline_name", "arguments", "experiment_name")
    template_fields_renderers = {"arguments": "json"}  # noqa: RUF012 - read by Airflow as it is

    def __init__(
        self,
        *,
        pipeline_name: str | None = None,
        pipeline_id: str | None = None,
        experiment_name: str = "Default",
        arguments: Mapping[str, Any] | None = None,
        run_name: str | None = None,
        wait: bool = True,
        timeout: float = 3600,
        poll_interval: float = 30,
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not pipeline_name and not pipeline_id:
            raise ValueError("give pipeline_name or pipeline_id")
        if deferrable is None:
            deferrable = conf.getboolean("operators", "default_deferrable", fallback=False)
        self.pipeline_name = pipeline_name
        self.pipeline_id = pipeline_id
        self.experiment_name = experiment_name
        self.arguments = arguments or {}
        self.run_name = run_name
        self.wait = wait
        self.timeout = timeout
        self.poll_interval = poll_interval
        self.deferrable = deferrable
        self._started: str | None = None

    def execute(self, context: Context) -> dict[str, str]:
        """Returns {run_id, status}."""
        run_id = self._started = self._attached(context) or self._submitted(context)
        if not self.wait:
            started = {"run_id": run_id, "status": str(self.hook.run(api.get_run(run_id)).get("state"))}
            context["task_state_store"].delete(_STATE_KEY)
            return started
        state = self.hook.run(api.awaited_state(run_id, ENDED))
        if state is None and self.deferrable:
            self.defer(
                trigger=self._trigger(run_id),
                method_name="execute_complete",
                timeout=datetime.timedelta(seconds=self.timeout),
            )
        return self._result(context, run_id, state or self._poll(run_id))

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> dict[str, str]:
        """Called when the trigger fired. Returns {run_id, status}."""
        return self._result(context, str(event["run_id"]), str(result_of(event)))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """As BaseOperator's; too long a wait in the triggerer raises what one in the worker does."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout as error:
            raise KubeflowRunTimeout(f"the run did not end in {self.timeout} s; it goes on") from error

    def on_kill(self) -> None:
        """Cancel the run."""
        if self._started:
            self.hook.run(api.terminate_run(self._started))

    def _attached(self, context: Context) -> str | None:
        """The run of an earlier try, unless there is none or it failed."""
        started = context["task_state_store"].get(_STATE_KEY)
        if not isinstance(started, dict):
            return None
        run_id = self.hook.run(
            api.find_run(str(started["experiment_id"]), str(started["name"]), str(started["description"]))
        )
        if run_id is None:
            return None
        try:
            state = self.hook.run(api.get_run(run_id)).get("state")
        except RequestRefused as error:
            if error.not_found:
                return None
            raise
        if state in ENDED and state != SUCCEEDED:
            return None
        self.log.info("going on with run %s of an earlier try (%s)", run_id, state)
        return run_id

    def _submitted(self, context: Context) -> str:
        name = self._name(context)
        # A word that no other run has: names are not unique in Kubeflow.
        ti = context["ti"]
        description = f"Airflow {ti.dag_id}/{ti.run_id}/{ti.task_id} {uuid.uuid4().hex}"

        def prepare() -> Call[tuple[str, str]]:
            pipeline = self.pipeline_id or (
                yield from api.find_pipeline(str(self.pipeline_name), self.namespace)
            )
            experiment = yield from api.ensure_experiment(self.experiment_name, self.namespace)
            return pipeline, experiment

        pipeline, experiment = self.hook.run(prepare())
        context["task_state_store"].set(
            _STATE_KEY, {"experiment_id": experiment, "name": name, "description": description}
        )
        run_id = self.hook.run(
            api.create_run(experiment, pipeline, name=name, description=description, arguments=self.arguments)
        )
        self.log.info("started run %s (%s)", run_id, name)
        return run_id

    def _name(self, context: Context) -> str:
        moment = context["dag_run"].run_after
        return self.run_name or f"{self.pipeline_name or self.pipeline_id}-{moment:%Y%m%dT%H%M%S}"

    def _poll(self, run_id: str) -> str:
        deadline = time.monotonic() + self.timeout
        while True:
            state = self.hook.run(api.awaited_state(run_id, ENDED))
            if state is not None:
                return state
            if time.monotonic() + self.poll_interval > deadline:
                raise KubeflowRunTimeout(f"run {run_id} did not end in {self.timeout} s; it goes on")
            time.sleep(self.poll_interval)

    def _trigger(self, run_id: str) -> KubeflowRunTrigger:
        return KubeflowRunTrigger(
            run_id=run_id,
            targets=sorted(ENDED),
            kubeflow_conn_id=self.kubeflow_conn_id,
            host=self.host,
            cancel_on_kill=True,
            poll_interval=self.poll_interval,
        )

    def _result(self, context: Context, run_id: str, state: str) -> dict[str, str]:
        self._started = None
        if state != SUCCEEDED:
            raise KubeflowRunFailed(f"run {run_id} ended as {state}")
        # Who clears a task that succeeded wants another run.
        context["task_state_store"].delete(_STATE_KEY)
        return {"run_id": run_id, "status": state}


class KubeflowExperimentOperator(KubeflowOperator):
    """Have the experiment `experiment_name`: found by this name in the namespace, or created.

    A new one gets the `description`. XCom: {experiment_id, name}.
    """

    template_fields: Sequence[str] = ("experiment_name", "description")

    def __init__(self, *, experiment_name: str, description: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.experiment_name = experiment_name
        self.description = description

    def execute(self, context: Context) -> dict[str, str]:  # noqa: ARG002 - Airflow's signature
        """Returns {experiment_id, name}."""
        found = self.hook.run(api.ensure_experiment(self.experiment_name, self.namespace, self.description))
        return {"experiment_id": found, "name": self.experiment_name}
