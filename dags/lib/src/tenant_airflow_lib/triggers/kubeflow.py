"""Waits for a run of Kubeflow Pipelines."""

from __future__ import annotations

from typing import Any

from tenant_airflow_lib.hooks.kubeflow import KubeflowHook, awaited_state, terminate_run
from tenant_airflow_lib.triggers.base import Outcome, PollTrigger


class KubeflowRunTrigger(PollTrigger):
    """Fires with the state of the run once it is one of `targets`.

    `cancel_on_kill`: a person who marks the waiting task as failed or clears it cancels the run. A triggerer
    that restarts does not.
    """

    def __init__(
        self,
        *,
        run_id: str,
        targets: list[str],
        kubeflow_conn_id: str,
        host: str | None = None,
        cancel_on_kill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            run_id=run_id,
            targets=targets,
            kubeflow_conn_id=kubeflow_conn_id,
            host=host,
            cancel_on_kill=cancel_on_kill,
            **kwargs,
        )
        self.run_id = run_id
        self.targets = frozenset(targets)
        self.cancel_on_kill = cancel_on_kill
        self.hook = KubeflowHook(kubeflow_conn_id, host=host)

    async def check(self) -> Outcome:
        """Ask for the run once."""
        state = await self.hook.arun(awaited_state(self.run_id, self.targets))
        return Outcome(state is not None, state)

    async def event(self) -> dict[str, Any]:
        """The event names the run too."""
        return await super().event() | {"run_id": self.run_id}

    async def on_kill(self) -> None:
        """Cancel the run."""
        if self.cancel_on_kill:
            await self.hook.arun(terminate_run(self.run_id))
