"""A trigger that asks the same question until the answer is yes."""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from tenant_airflow_lib.hooks.rest import ServiceUnavailable

log = logging.getLogger(__name__)

# A service that is away for a moment must not end a wait of hours; one that stays away must.
_PATIENCE = 5


@dataclass(frozen=True)
class Outcome:
    """Whether the wait is over, and what the sensor then returns."""

    done: bool
    value: Any = None


class PollTrigger(BaseTrigger):
    """Ask `check` every `poll_interval` seconds; fire once.

    The event is {"status": "done", "value": ...}, or {"status": "refused" | "unavailable", "message": ...}:
    refused is final (an AirflowFailException), unavailable means 5 other errors in a row. `result_of` turns
    it into a value or an exception.
    """

    def __init__(self, *, poll_interval: float = 60.0, **kwargs: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.poll_interval = poll_interval
        self.arguments: dict[str, Any] = kwargs

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments."""
        kind = type(self)
        return f"{kind.__module__}.{kind.__qualname__}", {
            "poll_interval": self.poll_interval,
            **self.arguments,
        }

    @abstractmethod
    async def check(self) -> Outcome:
        """Ask once. Must not block."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield the one event."""
        yield TriggerEvent(await self.event())  # type: ignore[no-untyped-call]

    async def event(self) -> dict[str, Any]:
        """Wait, and say how it ended."""
        failures = 0
        while True:
            try:
                outcome = await self.check()
            except AirflowFailException as error:
                return {"status": "refused", "message": str(error)}
            except Exception as error:
                failures += 1
                message = (
                    str(error)
                    if isinstance(error, ServiceUnavailable)
                    else f"{type(error).__name__}: {error}"
                )
                log.warning("failure %s of %s: %s", failures, _PATIENCE, message)
                if failures == _PATIENCE:
                    log.exception("the wait ends")
                    return {"status": "unavailable", "message": message}
            else:
                failures = 0
                if outcome.done:
                    return {"status": "done", "value": outcome.value}
            await asyncio.sleep(self.poll_interval)


def result_of(event: Mapping[str, Any]) -> Any:
    """The value. AirflowFailException when refused; AirflowException (retries apply) when unavailable."""
    if event["status"] == "done":
        return event["value"]
    if event["status"] == "refused":
        raise AirflowFailException(event["message"])
    raise AirflowException(event["message"])
