"""What can go wrong in the demo, and what the user is told."""

from __future__ import annotations


class DemoError(Exception):
    """A step failed. The message is for people: what happened and, where known, what to do."""


class CommandError(DemoError):
    """A program that we ran failed; carries the end of what it said."""

    def __init__(self, program: str, code: int, said: str) -> None:
        super().__init__(f"{program} ended with code {code}: {said.strip() or 'it said nothing'}")
        self.program = program
        self.code = code
        self.said = said


class WaitTimeoutError(DemoError):
    """A wait reached its deadline; ``last`` is what was seen last."""

    def __init__(self, what: str, seconds: float, last: object) -> None:
        super().__init__(f"waited {seconds:.0f} s for {what}; last seen: {last}")
        self.what = what
        self.last = last


class ApiError(DemoError):
    """An HTTP API (Kubernetes or Airflow) refused a request."""

    def __init__(self, method: str, path: str, status: int, body: str) -> None:
        super().__init__(f"{method} {path}: HTTP {status} {body[:500]}")
        self.status = status
        self.body = body
