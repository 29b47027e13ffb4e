"""A sensor that waits in the worker (poke, reschedule) or in the triggerer, by the same check."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from tenant_airflow_lib.hooks.rest import ServiceUnavailable
from tenant_airflow_lib.triggers.base import Outcome, PollTrigger, result_of

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

_DAY = 24 * 60 * 60.0


class PollSensor(BaseSensorOperator):
    """`deferrable=True` frees the worker slot while waiting (default: `[operators] default_deferrable`).

    Without it, `mode` is "poke" or "reschedule". `timeout` is finite in every mode: one day unless given.
    `soft_fail`, `never_fail` and `silent_fail` mean the same in all three.
    """

    poke_interval: float  # seconds

    def __init__(
        self,
        *,
        deferrable: bool | None = None,
        timeout: datetime.timedelta | float = _DAY,
        **kwargs: Any,
    ) -> None:
        super().__init__(timeout=timeout, **kwargs)
        if deferrable is None:
            deferrable = conf.getboolean("operators", "default_deferrable", fallback=False)
        self.deferrable = deferrable

    def ask(self) -> Outcome:
        """Ask once, blocking."""
        raise NotImplementedError

    def trigger(self) -> PollTrigger:
        """What asks in the triggerer."""
        raise NotImplementedError

    def poke(self, context: Context) -> PokeReturnValue:  # noqa: ARG002 - Airflow's signature
        """Ask once."""
        outcome = self.ask()
        return PokeReturnValue(outcome.done, outcome.value)

    def execute(self, context: Context) -> Any:
        """Wait. Returns what the check found."""
        if not self.deferrable:
            return super().execute(context)
        # Asked here first: what is true already costs no trip through the triggerer, and a wrong
        # argument fails now.
        outcome = self._first_answer(context)
        if outcome.done:
            return outcome.value
        self.defer(
            trigger=self.trigger(),
            method_name="execute_complete",
            timeout=datetime.timedelta(seconds=self.timeout),
        )

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> Any:  # noqa: ARG002
        """Called when the trigger fired. Returns what the check found."""
        return result_of(event)

    def _first_answer(self, context: Context) -> Outcome:
        """What `poke` says; its errors are treated as BaseSensorOperator.execute does in the other modes."""
        try:
            answer = self.poke(context)
        except AirflowSkipException:
            raise
        except AirflowFailException as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(f"skipped instead of failed: {error}") from error
            raise
        except Exception as error:
            if self.never_fail:
                raise AirflowSkipException(f"skipped instead of failed: {error}") from error
            # A service that is away for a moment: the trigger asks again, as it does during the wait.
            if not self.silent_fail and not isinstance(error, ServiceUnavailable):
                raise
            self.log.warning("asking again in the triggerer: %s", error)
            return Outcome(done=False)
        return Outcome(answer.is_done, answer.xcom_value)
