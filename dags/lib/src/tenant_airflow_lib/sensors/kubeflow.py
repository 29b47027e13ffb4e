"""A sensor that waits for a run of Kubeflow Pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from tenant_airflow_lib.hooks.kubeflow import KubeflowHook, awaited_state, state_named
from tenant_airflow_lib.sensors.base import PollSensor
from tenant_airflow_lib.triggers.base import Outcome
from tenant_airflow_lib.triggers.kubeflow import KubeflowRunTrigger


class KubeflowPipelineRunSensor(PollSensor):
    """Wait until the Kubeflow run `run_id` is in one of `target_statuses`.

    XCom: the state, in version 2's words.

    `Succeeded`, `Failed`, `Error` and the other words of version 1 are understood: Error is FAILED. A run
    that ended in another state can never be in one of them and fails the task, as does an unknown run.
    `kubeflow_conn_id` names a connection of type http; `host` may be given instead of it. `hook`
    replaces the client, for tests. ValueError at once for a status that does not exist.
    """

    template_fields: Sequence[str] = ("run_id",)
    ui_color = "#e8daef"

    def __init__(
        self,
        *,
        run_id: str,
        target_statuses: Sequence[str] = ("Succeeded", "Failed", "Error"),
        kubeflow_conn_id: str = KubeflowHook.default_conn_name,
        host: str | None = None,
        hook: KubeflowHook | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.target_statuses = sorted({state_named(word) for word in target_statuses})
        self.kubeflow_conn_id = kubeflow_conn_id
        self.host = host
        self._hook = hook

    @cached_property
    def hook(self) -> KubeflowHook:
        """The client."""
        return self._hook or KubeflowHook(self.kubeflow_conn_id, host=self.host)

    def ask(self) -> Outcome:
        """Ask once."""
        state = self.hook.run(awaited_state(self.run_id, frozenset(self.target_statuses)))
        return Outcome(state is not None, state)

    def trigger(self) -> KubeflowRunTrigger:
        """The same in the triggerer."""
        return KubeflowRunTrigger(
            run_id=self.run_id,
            targets=self.target_statuses,
            kubeflow_conn_id=self.kubeflow_conn_id,
            host=self.host,
            poll_interval=self.poke_interval,
        )
