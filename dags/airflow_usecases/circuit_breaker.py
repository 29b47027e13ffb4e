"""A circuit breaker: stop calling a service that is down, and find out by one call when it is back.

    CLOSED     every call goes out. `threshold` failures in a row open the circuit.
    OPEN       no call goes out for `reset_after`.
    HALF_OPEN  after that one probe goes out; it closes the circuit or opens it again.

The pattern is Michael Nygard's (Release It!, "Stability Patterns"). A breaker is a value: `to_state` and
`from_state` carry it from one run to the next in whatever store the caller has. It is not shared between
processes, so whoever uses it must not run twice at the same time.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

Clock = Callable[[], datetime.datetime]


class Circuit(StrEnum):
    """Where the breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


def utc_now() -> datetime.datetime:
    """The present moment, with time zone."""
    return datetime.datetime.now(datetime.UTC)


@dataclass
class Breaker:
    """Ask `allows_call` before each call, and report what came of it by `succeeded` or `failed`.

    `threshold` failures in a row open the circuit for `reset_after`. Raises ValueError when the threshold is
    below 1 or `reset_after` is not positive.
    """

    threshold: int
    reset_after: datetime.timedelta
    clock: Clock = utc_now
    circuit: Circuit = Circuit.CLOSED
    failures: int = 0
    opened_at: datetime.datetime | None = None
    probing: bool = False

    def __post_init__(self) -> None:
        if self.threshold < 1:
            raise ValueError(f"a circuit cannot open after {self.threshold} failures")
        if self.reset_after <= datetime.timedelta(0):
            raise ValueError("reset_after must be longer than nothing")

    def allows_call(self) -> bool:
        """Whether the next call may go out. In HALF_OPEN this is so once, until the probe is reported."""
        if self.circuit is Circuit.OPEN and self._has_rested():
            self.circuit = Circuit.HALF_OPEN
            self.probing = False
        if self.circuit is Circuit.HALF_OPEN:
            first, self.probing = not self.probing, True
            return first
        return self.circuit is Circuit.CLOSED

    def succeeded(self) -> None:
        """A call was answered: the circuit is closed and no failure is counted any more."""
        self.circuit = Circuit.CLOSED
        self.failures = 0
        self.opened_at = None
        self.probing = False

    def failed(self) -> None:
        """A call was not answered: one failure more; a failed probe opens the circuit at once."""
        self.failures += 1
        if self.circuit is Circuit.HALF_OPEN or self.failures >= self.threshold:
            self.circuit = Circuit.OPEN
            self.opened_at = self.clock()
            self.probing = False

    def to_state(self) -> dict[str, Any]:
        """What has to be kept between runs, as JSON."""
        return {
            "circuit": self.circuit.value,
            "failures": self.failures,
            "opened_at": self.opened_at.isoformat() if self.opened_at else None,
        }

    @classmethod
    def from_state(
        cls,
        state: Mapping[str, Any] | None,
        *,
        threshold: int,
        reset_after: datetime.timedelta,
        clock: Clock = utc_now,
    ) -> Self:
        """The breaker that `to_state` described, or a closed one when there is no state yet.

        A probe that was under way when the state was kept counts as never made: its run is over.
        """
        kept = state or {}
        opened_at = kept.get("opened_at")
        return cls(
            threshold=threshold,
            reset_after=reset_after,
            clock=clock,
            circuit=Circuit(kept.get("circuit", Circuit.CLOSED)),
            failures=int(kept.get("failures", 0)),
            opened_at=datetime.datetime.fromisoformat(opened_at) if opened_at else None,
        )

    def _has_rested(self) -> bool:
        return self.opened_at is None or self.clock() - self.opened_at >= self.reset_after
